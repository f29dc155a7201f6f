"""The Kuramoto-Sivashinsky equation on a ring."""

from functools import cached_property
from math import pi

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, PeriodicFlow
from pinn.references.reference import Solution


class KuramotoSivashinsky(Problem):
    """u_t + α u u_x + β u_xx + γ u_xxxx = 0 on (-1, 1) × (0, ½], u(x, 0) = -sin πx, periodic in x.

    Long waves grow, as fast as exp(β² t / 4γ), and steepen until they feed short ones, which decay.

    Args:
        advection: α > 0.
        antidiffusivity: β > 0.
        hyperdiffusivity: γ > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, advection: float = 5.0, antidiffusivity: float = 0.5, hyperdiffusivity: float = 0.005) -> None:
        super().__init__()
        positive(advection=advection, antidiffusivity=antidiffusivity, hyperdiffusivity=hyperdiffusivity)
        self.advection, self.antidiffusivity, self.hyperdiffusivity = advection, antidiffusivity, hyperdiffusivity
        self.domain = Box(x=(-1, 1), t=(0, 0.5))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t + α u u_x + β u_xx + γ u_xxxx."""
        u_x, u_t = gradient(u, (x, t))
        u_xx = partial(u_x, x)
        return (
            u_t + self.advection * u * u_x + self.antidiffusivity * u_xx + self.hyperdiffusivity * partial(u_xx, x, x)
        )

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u + sin πx."""
        return u - self.start(x)

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Value and three derivatives at x = 1 minus those at x = -1."""
        jump = u_image - u
        slope = partial(jump, x)
        curvature = partial(slope, x)
        return {"value": jump, "slope": slope, "curvature": curvature, "third": partial(curvature, x)}

    def start(self, x: Tensor) -> Tensor:
        """-sin πx."""
        return -torch.sin(pi * x)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Fourier series, ETDRK4", self.solve, fine=96, coarse=64, box=self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes."""
        panels = modes // 8
        flow = PeriodicFlow(
            initial=self.start,
            linear=lambda k: self.antidiffusivity * k**2 - self.hyperdiffusivity * k**4,
            nonlinear=lambda u: self.advection * u**2 / 2,
            order=1,
            degree=2,
            modes=modes,
            panels=[0.5 * panel / panels for panel in range(panels + 1)],
            step=0.0075 / modes,
        )
        return lambda x, t: {"u": flow(x, t)}
