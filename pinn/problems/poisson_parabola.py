"""The Poisson equation on a cube of any dimension, with a parabola for its solution."""

import torch
from torch import Tensor

from pinn.derivatives import laplacian
from pinn.domains import Box
from pinn.problems.coefficients import whole
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem
from pinn.references import Exact


class PoissonParabola(Problem):
    """Δu = 2d on (0, 1)ᵈ, u = ‖x‖² on the boundary.

    Exact: u = ‖x‖², in a hundred dimensions the example of E and Yu (2018).

    Args:
        dimension: d; the coordinates are x1, …, xd.
    """

    fields = ("u",)

    def __init__(self, dimension: int = 100) -> None:
        super().__init__()
        whole(dimension=dimension)
        self.dimension = dimension
        self.coordinates = tuple(f"x{i + 1}" for i in range(dimension))
        self.domain = Box(**dict.fromkeys(self.coordinates, (0, 1)))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "boundary": Constraint(self.domain.boundary(), self.boundary),
        }

    def equation(self, u: Tensor, **x: Tensor) -> Tensor:
        """Δu - 2d."""
        return laplacian(u, tuple(x.values())) - 2 * self.dimension

    def boundary(self, u: Tensor, **x: Tensor) -> Tensor:
        """u - ‖x‖²."""
        return u - self.exact(**x)["u"]

    def reference(self) -> Exact:
        """Return the parabola."""
        return Exact(self.exact)

    def exact(self, **x: Tensor) -> dict[str, Tensor]:
        """u = ‖x‖²."""
        return {"u": torch.stack([xi**2 for xi in x.values()]).sum(dim=0)}
