"""The Korteweg-de Vries equation on a ring."""

from functools import cached_property
from math import ceil, pi

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, PeriodicFlow
from pinn.references.reference import Solution


class KdV(Problem):
    """u_t + u u_x + δ² u_xxx = 0 on (-1, 1) × (0, 1], u(x, 0) = cos πx, periodic in x.

    A front steepens until dispersion breaks it up into solitons, the experiment of Zabusky and Kruskal (1965).

    Args:
        dispersion: δ > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, dispersion: float = 0.022) -> None:
        super().__init__()
        positive(dispersion=dispersion)
        self.dispersion = dispersion
        self.domain = Box(x=(-1, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t + u u_x + δ² u_xxx."""
        u_x, u_t = gradient(u, (x, t))
        return u_t + u * u_x + self.dispersion**2 * partial(u_x, x, x)

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u - cos πx."""
        return u - self.start(x)

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Value, slope and curvature at x = 1 minus those at x = -1."""
        jump = u_image - u
        slope = partial(jump, x)
        return {"value": jump, "slope": slope, "curvature": partial(slope, x)}

    def start(self, x: Tensor) -> Tensor:
        """cos πx."""
        return torch.cos(pi * x)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        # Solitons have a width in proportion to δ: these are 182 and 137 modes for 0.022.
        fine, coarse = ceil(4.0 / self.dispersion), ceil(3.0 / self.dispersion)
        return Computed("Fourier series, ETDRK4", self.solve, fine, coarse, self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes."""
        panels = max(4, modes // 12)
        flow = PeriodicFlow(
            initial=self.start,
            linear=lambda k: 1j * self.dispersion**2 * k**3,
            nonlinear=lambda u: u**2 / 2,
            order=1,
            degree=2,
            modes=modes,
            panels=[panel / panels for panel in range(panels + 1)],
            step=1.8 / modes**2,
        )
        return lambda x, t: {"u": flow(x, t)}
