"""The lid-driven cavity: steady Navier-Stokes equations in a square box."""

from functools import cached_property

from torch import Tensor

from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.navier_stokes import steady_navier_stokes
from pinn.problems.problem import Problem, positive
from pinn.references import CavityFlow, Computed
from pinn.references.reference import Solution


class Cavity(Problem):
    """(u·∇)u + ∇p = Δu / Re, ∇·u = 0 on (0, 1)², u = 4x(1 - x) on the lid y = 1, rest on the other sides, p(0, 0) = 0.

    The lid slows down to rest at its ends, but the flow is still singular there: the pressure grows like 8 log r / Re.
    So the reference has the velocity only; its pressure is infinite in two corners.

    Args:
        reynolds: Re > 0; the reference is found up to about 500.
    """

    coordinates, fields = ("x", "y"), ("u", "v", "p")

    def __init__(self, reynolds: float = 100.0) -> None:
        super().__init__()
        positive(reynolds=reynolds)
        self.reynolds = reynolds
        self.domain = Box(x=(0, 1), y=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations, the velocity on all sides and the pressure in one corner."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "lid": Constraint(self.domain.face(y=1), self.lid),
            "walls": Constraint(self.domain.boundary("x"), self.rest),
            "floor": Constraint(self.domain.face(y=0), self.rest),
            "gauge": Constraint(self.domain.point(x=0, y=0), self.gauge),
        }

    def equation(self, u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Balance of momentum in x and y, and of mass."""
        return steady_navier_stokes(u, v, p, x, y, self.reynolds)

    def lid(self, u: Tensor, v: Tensor, x: Tensor) -> dict[str, Tensor]:
        """u - 4x(1 - x) and v."""
        return {"u": u - 4 * x * (1 - x), "v": v}

    def rest(self, u: Tensor, v: Tensor) -> dict[str, Tensor]:
        """Return the velocity, which is zero there."""
        return {"u": u, "v": v}

    def gauge(self, p: Tensor) -> Tensor:
        """Return p, which is zero there."""
        return p

    def reference(self) -> Computed:
        """Return the velocity of the computed flow."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Legendre series, Newton's method", self.velocity, fine=36, coarse=28, box=self.domain)

    def velocity(self, modes: int) -> Solution:
        """Return the computed u and v as functions of x and y."""
        flow = CavityFlow(self.reynolds, modes)
        return lambda x, y: {name: values for name, values in flow(x, y).items() if name != "p"}
