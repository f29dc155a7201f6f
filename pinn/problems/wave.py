"""The wave equation in one dimension."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Wave(Problem):
    """u_tt = c² u_xx on (0, 1) × (0, 1], u(x, 0) = sin πx + ½ sin 4πx, u_t(x, 0) = 0, u(0, t) = u(1, t) = 0.

    Exact: u = cos πct sin πx + ½ cos 4πct sin 4πx.

    Args:
        speed: c > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, speed: float = 2.0) -> None:
        super().__init__()
        positive(speed=speed)
        self.speed = speed
        self.domain = Box(x=(0, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial value and velocity, and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary("x"), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_tt - c² u_xx."""
        return partial(u, t, t) - self.speed**2 * partial(u, x, x)

    def initial(self, u: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u - (sin πx + ½ sin 4πx) and u_t."""
        return {"value": u - torch.sin(pi * x) - torch.sin(4 * pi * x) / 2, "velocity": partial(u, t)}

    def walls(self, u: Tensor) -> Tensor:
        """Return u, which is zero at the walls."""
        return u

    def reference(self) -> Exact:
        """Return the two standing waves."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = cos πct sin πx + ½ cos 4πct sin 4πx."""
        return {
            "u": torch.cos(pi * self.speed * t) * torch.sin(pi * x)
            + torch.cos(4 * pi * self.speed * t) * torch.sin(4 * pi * x) / 2
        }
