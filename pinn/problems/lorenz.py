"""The equations of Lorenz."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, initial_value


class Lorenz(Problem):
    """x' = σ (y - x), y' = x (ρ - z) - y, z' = x y - β z on (0, T] from (1, 1, 1): chaos of three numbers.

    An error grows by some e^{0.9 t}.

    Args:
        sigma: σ > 0.
        rho: ρ > 0.
        beta: β > 0.
        end: T > 0.
    """

    coordinates, fields = ("t",), ("x", "y", "z")

    def __init__(self, sigma: float = 10.0, rho: float = 28.0, beta: float = 8 / 3, end: float = 10.0) -> None:
        super().__init__()
        positive(sigma=sigma, rho=rho, beta=beta, end=end)
        self.sigma, self.rho, self.beta = sigma, rho, beta
        self.domain = Box(t=(0, end))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations and the start."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
        }

    def equation(self, x: Tensor, y: Tensor, z: Tensor, t: Tensor) -> dict[str, Tensor]:
        """x' - σ (y - x), y' - x (ρ - z) + y and z' - x y + β z."""
        return {
            "x": partial(x, t) - self.sigma * (y - x),
            "y": partial(y, t) - x * (self.rho - z) + y,
            "z": partial(z, t) - x * y + self.beta * z,
        }

    def initial(self, x: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """x - 1, y - 1 and z - 1."""
        return {"x": x - 1, "y": y - 1, "z": z - 1}

    def reference(self) -> Computed:
        """Return the solution by a Runge-Kutta method."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return initial_value(self._rate, {"x": 1, "y": 1, "z": 1}, self.domain, self.fields)

    def _rate(self, t: float, state: tuple[float, float, float]) -> list[float]:
        x, y, z = state
        return [self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z]
