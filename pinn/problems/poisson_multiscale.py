"""The Poisson equation with a solution on several scales at once."""

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor

from pinn.derivatives import laplacian
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems.coefficients import whole
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem
from pinn.references import Exact


class PoissonMultiscale(Problem):
    """-Δu = 2π²/n Σ_w w² sin wπx sin wπy on (0, 1)², u = 0 on the boundary, for n frequencies w.

    Exact: u = 1/n Σ_w sin wπx sin wπy. The source weighs the fastest wave w² times as much as the solution does.

    Args:
        frequencies: w, whole numbers, so that u vanishes on the boundary.
    """

    coordinates, fields = ("x", "y"), ("u",)

    def __init__(self, frequencies: Sequence[int] = (4, 8, 12, 16)) -> None:
        super().__init__()
        if not frequencies:
            raise InputError("frequencies must name at least one, as in [4, 8]; it was given none.")
        whole(**{f"frequencies[{index}]": frequency for index, frequency in enumerate(frequencies)})
        self.frequencies = tuple(frequencies)
        self.domain = Box(x=(0, 1), y=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "boundary": Constraint(self.domain.boundary(), self.boundary),
        }

    def equation(self, u: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Δu + 2π²/n Σ_w w² sin wπx sin wπy."""
        source = sum(2 * (pi * w) ** 2 * torch.sin(w * pi * x) * torch.sin(w * pi * y) for w in self.frequencies)
        return laplacian(u, (x, y)) + source / len(self.frequencies)

    def boundary(self, u: Tensor) -> Tensor:
        """Return u, which is zero on the boundary."""
        return u

    def reference(self) -> Exact:
        """Return the mean of the waves."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """u = 1/n Σ_w sin wπx sin wπy."""
        waves = [torch.sin(w * pi * x) * torch.sin(w * pi * y) for w in self.frequencies]
        return {"u": torch.stack(waves).mean(dim=0)}
