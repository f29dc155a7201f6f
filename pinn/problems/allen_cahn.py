"""The Allen-Cahn equation on a ring."""

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


class AllenCahn(Problem):
    """u_t = D u_xx - c (u³ - u) on (-1, 1) × (0, 1], u(x, 0) = x² cos πx, periodic in x.

    The initial value has a kink at the seam x = ±1, where its slope jumps from 2 to -2; for t > 0 it is a layer of
    width √(4Dt). The example of Raissi, Perdikaris and Karniadakis (2019), who took a reference that cannot resolve it.

    Args:
        diffusivity: D > 0.
        rate: c > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, diffusivity: float = 1e-4, rate: float = 5.0) -> None:
        super().__init__()
        positive(diffusivity=diffusivity, rate=rate)
        self.diffusivity, self.rate = diffusivity, rate
        self.domain = Box(x=(-1, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t - D u_xx + c (u³ - u)."""
        u_x, u_t = gradient(u, (x, t))
        return u_t - self.diffusivity * partial(u_x, x) + self.rate * (u**3 - u)

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u - x² cos πx."""
        return u - self.start(x)

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Value and slope at x = 1 minus those at x = -1."""
        jump = u_image - u
        return {"value": jump, "slope": partial(jump, x)}

    def start(self, x: Tensor) -> Tensor:
        """x² cos πx."""
        return x**2 * torch.cos(pi * x)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Fourier series, ETDRK4", self.solve, fine=1024, coarse=512, box=self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes; panels of time shrink towards the start, where layers are thin."""
        flow = PeriodicFlow(
            initial=self.start,
            linear=lambda k: self.rate - self.diffusivity * k**2,
            nonlinear=lambda u: self.rate * u**3,
            order=0,
            degree=3,
            modes=modes,
            panels=[0.0, *(2.0**-halvings for halvings in range(modes.bit_length() - 2, -1, -1))],
            step=4 / modes,
        )
        return lambda x, t: {"u": flow(x, t)}
