"""The oscillator of Duffing."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, initial_value


class Duffing(Problem):
    """u'' + δ u' + α u + β u³ = 0 on (0, T], u(0) = 1, u'(0) = 0: a spring that gets stiffer as it is stretched.

    Args:
        damping: δ > 0.
        linear: α > 0.
        cubic: β > 0.
        end: T > 0.
    """

    coordinates, fields = ("t",), ("u",)

    def __init__(self, damping: float = 0.1, linear: float = 1.0, cubic: float = 5.0, end: float = 10.0) -> None:
        super().__init__()
        positive(damping=damping, linear=linear, cubic=cubic, end=end)
        self.damping, self.linear, self.cubic = damping, linear, cubic
        self.domain = Box(t=(0, end))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the start."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
        }

    def equation(self, u: Tensor, t: Tensor) -> Tensor:
        """u'' + δ u' + α u + β u³."""
        speed = partial(u, t)
        return partial(speed, t) + self.damping * speed + self.linear * u + self.cubic * u**3

    def initial(self, u: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u - 1 and u'."""
        return {"value": u - 1, "speed": partial(u, t)}

    def reference(self) -> Computed:
        """Return the solution by a Runge-Kutta method."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return initial_value(self._rate, {"u": 1, "speed": 0}, self.domain, self.fields)

    def _rate(self, t: float, state: tuple[float, float]) -> list[float]:
        u, speed = state
        return [speed, -self.damping * speed - self.linear * u - self.cubic * u**3]
