"""The reaction of Robertson."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, initial_value


class Robertson(Problem):
    """a' = -k₁ a + k₃ b c, b' = k₁ a - k₃ b c - k₂ b², c' = k₂ b² on (0, T] from (1, 0, 0): a stiff reaction.

    Rates of 0.04, 3·10⁷ and 10⁴ make times of 10⁻⁴ and of 10⁴, and b is never above 4·10⁻⁵ (Robertson 1966).

    Args:
        slow: k₁ > 0.
        fast: k₂ > 0.
        back: k₃ > 0.
        end: T > 0.
    """

    coordinates, fields = ("t",), ("a", "b", "c")

    def __init__(self, slow: float = 0.04, fast: float = 3e7, back: float = 1e4, end: float = 40.0) -> None:
        super().__init__()
        positive(slow=slow, fast=fast, back=back, end=end)
        self.slow, self.fast, self.back = slow, fast, back
        self.domain = Box(t=(0, end))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations and the start."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
        }

    def equation(self, a: Tensor, b: Tensor, c: Tensor, t: Tensor) -> dict[str, Tensor]:
        """a' + k₁ a - k₃ b c, b' - k₁ a + k₃ b c + k₂ b² and c' - k₂ b²."""
        forth, back, on = self.slow * a, self.back * b * c, self.fast * b**2
        return {"a": partial(a, t) + forth - back, "b": partial(b, t) - forth + back + on, "c": partial(c, t) - on}

    def initial(self, a: Tensor, b: Tensor, c: Tensor) -> dict[str, Tensor]:
        """a - 1, b and c."""
        return {"a": a - 1, "b": b, "c": c}

    def reference(self) -> Computed:
        """Return the solution by a Runge-Kutta method for stiff equations."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        start = {"a": 1, "b": 0, "c": 0}
        return initial_value(self._rate, start, self.domain, self.fields, method="Radau", smallest=1e-7)

    def _rate(self, t: float, state: tuple[float, float, float]) -> list[float]:
        a, b, c = state
        forth, back, on = self.slow * a, self.back * b * c, self.fast * b**2
        return [back - forth, forth - back - on, on]
