"""Kovasznay flow: the steady Navier-Stokes equations behind a grid."""

from math import pi, sqrt

import torch
from torch import Tensor

from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.navier_stokes import steady_navier_stokes
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Kovasznay(Problem):
    """(u·∇)u + ∇p = Δu / Re, ∇·u = 0 on (-½, 1) × (-½, 3/2), with exact velocity on all sides and p at one corner.

    Exact (Kovasznay, 1948), with λ = Re/2 - √(Re²/4 + 4π²): u = 1 - exp(λx) cos 2πy, v = λ/2π exp(λx) sin 2πy,
    p = (1 - exp(2λx)) / 2.

    Args:
        reynolds: Re > 0.
    """

    coordinates, fields = ("x", "y"), ("u", "v", "p")

    def __init__(self, reynolds: float = 40.0) -> None:
        super().__init__()
        positive(reynolds=reynolds)
        self.reynolds = reynolds
        self.domain = Box(x=(-0.5, 1), y=(-0.5, 1.5))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations, the velocity on all sides and the pressure at one corner."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "sides": Constraint(self.domain.boundary(), self.sides),
            "gauge": Constraint(self.domain.point(x=-0.5, y=-0.5), self.gauge),
        }

    def equation(self, u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Balance of momentum in x and y, and of mass."""
        return steady_navier_stokes(u, v, p, x, y, self.reynolds)

    def sides(self, u: Tensor, v: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Velocity minus the exact one."""
        exact = self.exact(x, y)
        return {"u": u - exact["u"], "v": v - exact["v"]}

    def gauge(self, p: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Pressure minus the exact one."""
        return p - self.exact(x, y)["p"]

    def reference(self) -> Exact:
        """Return Kovasznay's solution."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Kovasznay's velocity and pressure."""
        decay = self.reynolds / 2 - sqrt(self.reynolds**2 / 4 + 4 * pi**2)
        wake = torch.exp(decay * x)
        return {
            "u": 1 - wake * torch.cos(2 * pi * y),
            "v": decay / (2 * pi) * wake * torch.sin(2 * pi * y),
            "p": (1 - wake**2) / 2,
        }
