"""The Poisson equation on a cube of any dimension, with waves for its solution."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import laplacian
from pinn.domains import Box
from pinn.problems.coefficients import whole
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class PoissonCosines(Problem):
    """-Δu = (wπ)² Σᵢ cos wπxᵢ on (0, 1)ᵈ, u given on the boundary.

    Exact: u = Σᵢ cos wπxᵢ, in five dimensions the example of Müller and Zeinhofer (2023).

    Args:
        dimension: d; the coordinates are x1, …, xd.
        frequency: w > 0.
    """

    fields = ("u",)

    def __init__(self, dimension: int = 5, frequency: float = 1.0) -> None:
        super().__init__()
        whole(dimension=dimension)
        positive(frequency=frequency)
        self.frequency = frequency
        self.coordinates = tuple(f"x{i + 1}" for i in range(dimension))
        self.domain = Box(**dict.fromkeys(self.coordinates, (0, 1)))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "boundary": Constraint(self.domain.boundary(), self.boundary),
        }

    def equation(self, u: Tensor, **x: Tensor) -> Tensor:
        """Δu + (wπ)² Σᵢ cos wπxᵢ."""
        return laplacian(u, tuple(x.values())) + (self.frequency * pi) ** 2 * self.exact(**x)["u"]

    def boundary(self, u: Tensor, **x: Tensor) -> Tensor:
        """u - Σᵢ cos wπxᵢ."""
        return u - self.exact(**x)["u"]

    def reference(self) -> Exact:
        """Return the sum of waves."""
        return Exact(self.exact)

    def exact(self, **x: Tensor) -> dict[str, Tensor]:
        """u = Σᵢ cos wπxᵢ."""
        return {"u": torch.stack([torch.cos(self.frequency * pi * xi) for xi in x.values()]).sum(dim=0)}
