"""The Helmholtz equation on a square."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import laplacian
from pinn.domains import Box
from pinn.problems.coefficients import whole
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Helmholtz(Problem):
    """Δu + k²u = (k² - π²(a₁² + a₂²)) sin a₁πx sin a₂πy on (-1, 1)², u = 0 on the boundary.

    Exact: u = sin a₁πx sin a₂πy. It is the only solution unless k² = π²(m² + n²)/4 for whole m, n ≥ 1.

    Args:
        a1: half waves in x on (0, 1), a whole number, so that u vanishes on the boundary.
        a2: the same in y.
        wavenumber: k > 0.
    """

    coordinates, fields = ("x", "y"), ("u",)

    def __init__(self, a1: int = 1, a2: int = 4, wavenumber: float = 1.0) -> None:
        super().__init__()
        whole(a1=a1, a2=a2)
        positive(wavenumber=wavenumber)
        self.a1, self.a2, self.wavenumber = a1, a2, wavenumber
        self.domain = Box(x=(-1, 1), y=(-1, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "boundary": Constraint(self.domain.boundary(), self.boundary),
        }

    def equation(self, u: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Δu + k²u - (k² - π²(a₁² + a₂²)) sin a₁πx sin a₂πy."""
        strength = self.wavenumber**2 - pi**2 * (self.a1**2 + self.a2**2)
        source = strength * torch.sin(self.a1 * pi * x) * torch.sin(self.a2 * pi * y)
        return laplacian(u, (x, y)) + self.wavenumber**2 * u - source

    def boundary(self, u: Tensor) -> Tensor:
        """Return u, which is zero on the boundary."""
        return u

    def reference(self) -> Exact:
        """Return the standing wave."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """u = sin a₁πx sin a₂πy."""
        return {"u": torch.sin(self.a1 * pi * x) * torch.sin(self.a2 * pi * y)}
