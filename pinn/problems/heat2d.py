"""The heat equation in two dimensions."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import laplacian, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Heat2D(Problem):
    """u_t = D Δu on (0, 1)² × (0, 1], u(x, y, 0) = sin πx sin πy + ½ sin 2πx sin πy, u = 0 at the walls.

    Exact: u = exp(-2π²D t) sin πx sin πy + ½ exp(-5π²D t) sin 2πx sin πy.

    Args:
        diffusivity: D > 0.
    """

    coordinates, fields = ("x", "y", "t"), ("u",)

    def __init__(self, diffusivity: float = 0.05) -> None:
        super().__init__()
        positive(diffusivity=diffusivity)
        self.diffusivity = diffusivity
        self.domain = Box(x=(0, 1), y=(0, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary(), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """u_t - D Δu."""
        return partial(u, t) - self.diffusivity * laplacian(u, (x, y))

    def initial(self, u: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """u - (sin πx sin πy + ½ sin 2πx sin πy)."""
        return u - torch.sin(pi * x) * torch.sin(pi * y) - torch.sin(2 * pi * x) * torch.sin(pi * y) / 2

    def walls(self, u: Tensor) -> Tensor:
        """Return u, which is zero at the walls."""
        return u

    def reference(self) -> Exact:
        """Return the two decaying modes."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = exp(-2π²D t) sin πx sin πy + ½ exp(-5π²D t) sin 2πx sin πy."""
        rate = pi**2 * self.diffusivity
        return {
            "u": torch.exp(-2 * rate * t) * torch.sin(pi * x) * torch.sin(pi * y)
            + torch.exp(-5 * rate * t) * torch.sin(2 * pi * x) * torch.sin(pi * y) / 2
        }
