"""The nonlinear Schrödinger equation on a ring."""

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


class Schrodinger(Problem):
    """i h_t + ½ h_xx + |h|² h = 0 on (-L, L) × (0, π/2], h = u + iv, h(x, 0) = 2 / cosh x, periodic in x.

    Two solitons at one place, which pull together to twice the height at t = π/4: the example of Raissi, Perdikaris and
    Karniadakis (2019). The initial value has a kink at the seam x = ±L, where its slope jumps by 4 sinh L / cosh² L.
    Nothing smooths it: its waves go round the ring.

    Args:
        half_width: L > 0.
    """

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(self, half_width: float = 5.0) -> None:
        super().__init__()
        positive(half_width=half_width)
        self.domain = Box(x=(-half_width, half_width), t=(0, pi / 2))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, v: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """Real and imaginary part of i h_t + ½ h_xx + |h|² h."""
        u_x, u_t = gradient(u, (x, t))
        v_x, v_t = gradient(v, (x, t))
        density = u**2 + v**2
        return {
            "real": -v_t + partial(u_x, x) / 2 + density * u,
            "imaginary": u_t + partial(v_x, x) / 2 + density * v,
        }

    def initial(self, u: Tensor, v: Tensor, x: Tensor) -> dict[str, Tensor]:
        """u - 2 / cosh x and v."""
        return {"u": u - self.start(x), "v": v}

    def ring(self, u: Tensor, v: Tensor, u_image: Tensor, v_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Values and slopes at x = L minus those at x = -L."""
        u_jump, v_jump = u_image - u, v_image - v
        return {"u": u_jump, "v": v_jump, "u_slope": partial(u_jump, x), "v_slope": partial(v_jump, x)}

    def start(self, x: Tensor) -> Tensor:
        """2 / cosh x."""
        return 2 / torch.cosh(x)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Fourier series, Lawson's method", self.solve, fine=1024, coarse=512, box=self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes on either side; those of the kink fall off like k⁻²."""
        panels = modes // 16
        flow = PeriodicFlow(
            initial=lambda x: torch.complex(self.start(x), torch.zeros_like(x)),
            linear=lambda k: -0.5j * k**2,
            nonlinear=lambda h: -1j * (h.real**2 + h.imag**2) * h,
            order=0,
            degree=3,
            modes=modes,
            panels=[pi / 2 * panel / panels for panel in range(panels + 1)],
            step=1 / modes,
            interval=self.domain.intervals["x"],
            rotating=True,
        )
        return lambda x, t: dict(zip(self.fields, torch.view_as_real(flow(x, t)).unbind(-1), strict=True))
