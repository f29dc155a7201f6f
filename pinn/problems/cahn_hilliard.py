"""The Cahn-Hilliard equation on a ring."""

from functools import cached_property
from math import ceil, pi, sqrt

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, PeriodicFlow
from pinn.references.reference import Solution


class CahnHilliard(Problem):
    """u_t = ∂²ₓ (γ₂ (u³ - u) - γ₁ u_xx) on (-1, 1) × (0, 1], u(x, 0) = cos πx - exp(-4 (πx)²), periodic in x.

    A mixture parts into phases u = ±1 with walls of width √(2γ₁/γ₂) between them, and none of either gets lost.

    Args:
        capillarity: γ₁ > 0.
        mobility: γ₂ > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, capillarity: float = 1e-6, mobility: float = 0.01) -> None:
        super().__init__()
        positive(capillarity=capillarity, mobility=mobility)
        self.capillarity, self.mobility = capillarity, mobility
        self.domain = Box(x=(-1, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t - ∂²ₓ (γ₂ (u³ - u) - γ₁ u_xx)."""
        return partial(u, t) - partial(self.mobility * (u**3 - u) - self.capillarity * partial(u, x, x), x, x)

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u - cos πx + exp(-4 (πx)²)."""
        return u - self.start(x)

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Value and three derivatives at x = 1 minus those at x = -1."""
        jump = u_image - u
        slope = partial(jump, x)
        curvature = partial(slope, x)
        return {"value": jump, "slope": slope, "curvature": curvature, "third": partial(curvature, x)}

    def start(self, x: Tensor) -> Tensor:
        """Return cos πx - exp(-4 (πx)²)."""
        return torch.cos(pi * x) - torch.exp(-4 * (pi * x) ** 2)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        # Walls have a width in proportion to √(γ₁/γ₂): these are 360 and 300 modes.
        walls = sqrt(self.mobility / self.capillarity)
        return Computed("Fourier series, ETDRK4", self.solve, ceil(3.6 * walls), ceil(3.0 * walls), self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes."""
        panels = max(4, modes // 24)
        flow = PeriodicFlow(
            initial=self.start,
            linear=lambda k: -self.capillarity * k**4,
            nonlinear=lambda u: self.mobility * (u - u * u * u),
            order=2,
            degree=3,
            modes=modes,
            panels=[panel / panels for panel in range(panels + 1)],
            # Walls move at rates in proportion to γ₂²/γ₁.
            step=0.12 / (self.mobility * modes**2),
        )
        return lambda x, t: {"u": flow(x, t)}
