"""The Poisson equation on the unit square."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import laplacian
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem
from pinn.references import Exact


class Poisson(Problem):
    """-Δu = 2π² sin πx sin πy on (0, 1)², u = 0 on the boundary.

    Exact: u = sin πx sin πy.
    """

    coordinates, fields = ("x", "y"), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(0, 1), y=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "boundary": Constraint(self.domain.boundary(), self.boundary),
        }

    def equation(self, u: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Δu + 2π² sin πx sin πy."""
        return laplacian(u, (x, y)) + 2 * pi**2 * torch.sin(pi * x) * torch.sin(pi * y)

    def boundary(self, u: Tensor) -> Tensor:
        """Return u, which is zero on the boundary."""
        return u

    def reference(self) -> Exact:
        """Return sin πx sin πy."""
        return Exact(exact)


def exact(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """u = sin πx sin πy."""
    return {"u": torch.sin(pi * x) * torch.sin(pi * y)}
