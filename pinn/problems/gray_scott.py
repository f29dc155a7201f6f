"""The Gray-Scott equations on a ring."""

from functools import cached_property

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, PeriodicFlow
from pinn.references.reference import Solution


class GrayScott(Problem):
    """u_t = ε₁ u_xx + b₁ (1 - u) - c u v², v_t = ε₂ v_xx - b₂ v + c u v² on (-1, 1) × (0, ½], periodic in x.

    u(x, 0) = 1 - exp(-40 (x + 0.05)²) and v(x, 0) = exp(-40 (x - 0.05)²): v feeds on u where they meet, and the sides
    of the hole that it leaves become steep. At the seam x = ±1 both are constant to round-off.

    Args:
        diffusivity_u: ε₁ > 0.
        diffusivity_v: ε₂ > 0.
        feed: b₁ > 0.
        decay: b₂ > 0.
        reaction: c > 0.
    """

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(
        self,
        diffusivity_u: float = 0.002,
        diffusivity_v: float = 0.001,
        feed: float = 4.0,
        decay: float = 10.0,
        reaction: float = 100.0,
    ) -> None:
        super().__init__()
        positive(diffusivity_u=diffusivity_u, diffusivity_v=diffusivity_v, feed=feed, decay=decay, reaction=reaction)
        self.diffusivity_u, self.diffusivity_v = diffusivity_u, diffusivity_v
        self.feed, self.decay, self.reaction = feed, decay, reaction
        self.domain = Box(x=(-1, 1), t=(0, 0.5))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations, the initial and the periodic conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, v: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u_t - ε₁ u_xx - b₁ (1 - u) + c u v² and v_t - ε₂ v_xx + b₂ v - c u v²."""
        u_x, u_t = gradient(u, (x, t))
        v_x, v_t = gradient(v, (x, t))
        eaten = self.reaction * u * v**2
        return {
            "u": u_t - self.diffusivity_u * partial(u_x, x) - self.feed * (1 - u) + eaten,
            "v": v_t - self.diffusivity_v * partial(v_x, x) + self.decay * v - eaten,
        }

    def initial(self, u: Tensor, v: Tensor, x: Tensor) -> dict[str, Tensor]:
        """u - 1 + exp(-40 (x + 0.05)²) and v - exp(-40 (x - 0.05)²)."""
        u_start, v_start = self.start(x)
        return {"u": u - u_start, "v": v - v_start}

    def ring(self, u: Tensor, v: Tensor, u_image: Tensor, v_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Values and slopes at x = 1 minus those at x = -1."""
        u_jump, v_jump = u_image - u, v_image - v
        return {"u": u_jump, "v": v_jump, "u_slope": partial(u_jump, x), "v_slope": partial(v_jump, x)}

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """1 - exp(-40 (x + 0.05)²) and exp(-40 (x - 0.05)²)."""
        return 1 - torch.exp(-40 * (x + 0.05) ** 2), torch.exp(-40 * (x - 0.05) ** 2)

    def reference(self) -> Computed:
        """Return the Fourier series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Fourier series, ETDRK4", self.solve, fine=384, coarse=288, box=self.domain)

    def solve(self, modes: int) -> Solution:
        """Return the solution with so many modes."""

        def nonlinear(fields: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            u, v = fields
            eaten = self.reaction * u * v**2
            return eaten - self.feed, -eaten

        panels = modes // 16
        flow = PeriodicFlow(
            initial=lambda x: torch.stack(self.start(x)),
            linear=lambda k: (-self.feed - self.diffusivity_u * k**2, -self.decay - self.diffusivity_v * k**2),
            nonlinear=nonlinear,
            order=0,
            degree=3,
            modes=modes,
            panels=[0.5 * panel / panels for panel in range(panels + 1)],
            step=0.12 / modes,
        )
        return lambda x, t: dict(zip(self.fields, flow(x, t), strict=True))
