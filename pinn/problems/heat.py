"""The heat equation in one dimension."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Heat(Problem):
    """u_t = D u_xx on (0, 1) × (0, 1], u(x, 0) = sin πx + ½ sin 3πx, u(0, t) = u(1, t) = 0.

    Exact: u = exp(-π²D t) sin πx + ½ exp(-9π²D t) sin 3πx.

    Args:
        diffusivity: D > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, diffusivity: float = 0.1) -> None:
        super().__init__()
        positive(diffusivity=diffusivity)
        self.diffusivity = diffusivity
        self.domain = Box(x=(0, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary("x"), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t - D u_xx."""
        u_x, u_t = gradient(u, (x, t))
        return u_t - self.diffusivity * partial(u_x, x)

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u - (sin πx + ½ sin 3πx)."""
        return u - torch.sin(pi * x) - torch.sin(3 * pi * x) / 2

    def walls(self, u: Tensor) -> Tensor:
        """Return u, which is zero at the walls."""
        return u

    def reference(self) -> Exact:
        """Return the two decaying modes."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = exp(-π²D t) sin πx + ½ exp(-9π²D t) sin 3πx."""
        return {
            "u": torch.exp(-(pi**2) * self.diffusivity * t) * torch.sin(pi * x)
            + torch.exp(-9 * pi**2 * self.diffusivity * t) * torch.sin(3 * pi * x) / 2
        }
