"""Predators and their prey."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, initial_value


class LotkaVolterra(Problem):
    """x' = α x - β x y, y' = -γ y + δ x y on (0, T], x(0) = 10, y(0) = 5: prey and predators go round and round.

    Args:
        growth: α > 0, of the prey by itself.
        predation: β > 0.
        decay: γ > 0, of the predators by themselves.
        gain: δ > 0.
        end: T > 0.
    """

    coordinates, fields = ("t",), ("x", "y")

    def __init__(
        self, growth: float = 1.5, predation: float = 1.0, decay: float = 3.0, gain: float = 1.0, end: float = 10.0
    ) -> None:
        super().__init__()
        positive(growth=growth, predation=predation, decay=decay, gain=gain, end=end)
        self.growth, self.predation, self.decay, self.gain = growth, predation, decay, gain
        self.domain = Box(t=(0, end))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations and the start."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
        }

    def equation(self, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """x' - α x + β x y and y' + γ y - δ x y."""
        return {
            "prey": partial(x, t) - self.growth * x + self.predation * x * y,
            "predators": partial(y, t) + self.decay * y - self.gain * x * y,
        }

    def initial(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """x - 10 and y - 5."""
        return {"prey": x - 10, "predators": y - 5}

    def reference(self) -> Computed:
        """Return the solution by a Runge-Kutta method."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return initial_value(self._rate, {"x": 10, "y": 5}, self.domain, self.fields)

    def _rate(self, t: float, state: tuple[float, float]) -> list[float]:
        x, y = state
        return [self.growth * x - self.predation * x * y, -self.decay * y + self.gain * x * y]
