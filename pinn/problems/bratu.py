"""The problem of Bratu: heat that makes its own reaction faster."""

from math import asinh, cosh, sinh, sqrt

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact

CRITICAL = 3.5138307191251
"""8 / sinh² s with s tanh s = 1: the largest λ for which the reaction has a steady state."""


class Bratu(Problem):
    """u'' + λ exp u = 0 on (0, 1), u(0) = u(1) = 0.

    Exact, with θ = √(2λ) cosh(θ/4): u = -2 ln(cosh((x - ½) θ/2) / cosh(θ/4)). There are two such θ; the smaller one
    gives the steady state that is stable.

    Args:
        rate: λ > 0, up to 3.5138307191251. Beyond that no state is steady: the reaction explodes.
    """

    coordinates, fields = ("x",), ("u",)

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        positive(rate=rate)
        if rate > CRITICAL:
            raise InputError(f"no state is steady with a rate above {CRITICAL}; it was given {rate!r}.")
        self.rate = rate
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "walls": Constraint(self.domain.boundary(), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        """u'' + λ exp u."""
        return partial(u, x, x) + self.rate * torch.exp(u)

    def walls(self, u: Tensor) -> Tensor:
        """Return u, which is zero at both ends."""
        return u

    def reference(self) -> Exact:
        """Return the lower one of the two solutions."""
        # The slope of θ - √(2λ) cosh(θ/4): the less it is, the more digits of the root are lost.
        slope = 1 - sqrt(2 * self.rate) * sinh(self.smaller_root() / 4) / 4
        return Exact(self.exact, error=1e-15 / max(slope, 1e-8))

    def exact(self, x: Tensor) -> dict[str, Tensor]:
        """u = -2 ln(1 - 2 sinh(θx/4) sinh(θ (1-x)/4) / cosh(θ/4)), the same without cancellation."""
        root = self.smaller_root()
        ratio = 2 * torch.sinh(root * x / 4) * torch.sinh(root * (1 - x) / 4) / cosh(root / 4)
        return {"u": -2 * torch.log1p(-ratio)}

    def smaller_root(self) -> float:
        """Halve an interval until it is the smaller root of θ = √(2λ) cosh(θ/4)."""
        scale = sqrt(2 * self.rate)
        # θ - √(2λ) cosh(θ/4) grows up to here, and falls after it.
        low, high = 0.0, 4 * asinh(4 / scale)
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if middle < scale * cosh(middle / 4) else (low, middle)
        return middle
