"""The oscillator of van der Pol."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, initial_value


class VanDerPol(Problem):
    """u'' - μ (1 - u²) u' + u = 0 on (0, T], u(0) = 2, u'(0) = 0: slow, then of a sudden fast, again and again.

    Args:
        mu: μ > 0. A jump takes a time in proportion to 1 / μ, a period one in proportion to μ.
        end: T > 0.
    """

    coordinates, fields = ("t",), ("u",)

    def __init__(self, mu: float = 10.0, end: float = 20.0) -> None:
        super().__init__()
        positive(mu=mu, end=end)
        self.mu = mu
        self.domain = Box(t=(0, end))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the start."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
        }

    def equation(self, u: Tensor, t: Tensor) -> Tensor:
        """u'' - μ (1 - u²) u' + u."""
        speed = partial(u, t)
        return partial(speed, t) - self.mu * (1 - u**2) * speed + u

    def initial(self, u: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u - 2 and u'."""
        return {"value": u - 2, "speed": partial(u, t)}

    def reference(self) -> Computed:
        """Return the solution by a Runge-Kutta method."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return initial_value(self._rate, {"u": 2, "speed": 0}, self.domain, self.fields)

    def _rate(self, t: float, state: tuple[float, float]) -> list[float]:
        u, speed = state
        return [speed, self.mu * (1 - u**2) * speed - u]
