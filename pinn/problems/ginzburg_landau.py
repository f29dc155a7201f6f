"""The complex Ginzburg-Landau equation on a ring."""

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


class GinzburgLandau(Problem):
    """A_t = ε A_xx + μ A - (γ + iω) |A|² A on (-1, 1) × (0, ½], A = u + iv, periodic in x.

    A(x, 0) = cos πx + ½ i sin 2πx grows to |A|² = μ/γ, where it turns with the frequency ωμ/γ. At x = ±½ it stays zero,
    between walls of width √(2ε/μ).

    Args:
        diffusivity: ε > 0.
        growth: μ > 0.
        saturation: γ > 0.
        rotation: ω > 0.
    """

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(
        self, diffusivity: float = 0.004, growth: float = 10.0, saturation: float = 10.0, rotation: float = 15.0
    ) -> None:
        super().__init__()
        positive(diffusivity=diffusivity, growth=growth, saturation=saturation, rotation=rotation)
        self.diffusivity, self.growth, self.saturation, self.rotation = diffusivity, growth, saturation, rotation
        self.domain = Box(x=(-1, 1), t=(0, 0.5))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, v: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """Real and imaginary part of A_t - ε A_xx - μ A + (γ + iω) |A|² A."""
        u_x, u_t = gradient(u, (x, t))
        v_x, v_t = gradient(v, (x, t))
        square = u**2 + v**2
        return {
            "real": u_t
            - self.diffusivity * partial(u_x, x)
            - self.growth * u
            + square * (self.saturation * u - self.rotation * v),
            "imaginary": v_t
            - self.diffusivity * partial(v_x, x)
            - self.growth * v
            + square * (self.saturation * v + self.rotation * u),
        }

    def initial(self, u: Tensor, v: Tensor, x: Tensor) -> dict[str, Tensor]:
        """u - cos πx and v - ½ sin 2πx."""
        u_start, v_start = self.start(x)
        return {"u": u - u_start, "v": v - v_start}

    def ring(self, u: Tensor, v: Tensor, u_image: Tensor, v_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Values and slopes at x = 1 minus those at x = -1."""
        u_jump, v_jump = u_image - u, v_image - v
        return {"u": u_jump, "v": v_jump, "u_slope": partial(u_jump, x), "v_slope": partial(v_jump, x)}

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos πx and ½ sin 2πx."""
        return torch.cos(pi * x), torch.sin(2 * pi * x) / 2

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Fourier series, ETDRK4", self.solve, fine=256, coarse=192, box=self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes on either side."""
        cubic = self.saturation + 1j * self.rotation
        panels = modes // 32
        flow = PeriodicFlow(
            initial=lambda x: torch.complex(*self.start(x)),
            linear=lambda k: self.growth - self.diffusivity * k**2,
            nonlinear=lambda a: cubic * (a.real**2 + a.imag**2) * a,
            order=0,
            degree=3,
            modes=modes,
            panels=[0.5 * panel / panels for panel in range(panels + 1)],
            step=0.064 / modes,
        )
        return lambda x, t: dict(zip(self.fields, torch.view_as_real(flow(x, t)).unbind(-1), strict=True))
