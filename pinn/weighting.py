"""How residuals are scaled into one least-squares objective."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor

from pinn.errors import InputError


class Weighting(ABC):
    """Turns residuals into rows: one with weight w and N points enters as √(w/N) r_i, so that ½‖rows‖² = ½ w mean(r²).

    Args:
        weights: a weight for a constraint (`walls`) or for one residual of a system (`equation.continuity`); the closer
            name wins, and what is not named has weight 1.

    Raises:
        InputError: a weight that is not a positive number.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.weights = dict(weights or {})
        for name, weight in self.weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
                raise InputError(f"the weight of {name!r} must be a positive number; it was given {weight!r}.")
        self.factors: dict[str, float] = {}
        """What the weights of residuals are multiplied with; found in training, kept in checkpoints."""

    def check(self, rows: list[str]) -> None:
        """Raise InputError for a weight whose name is neither a constraint nor a residual among `rows`."""
        known = {*rows, *(row.split(".")[0] for row in rows)}
        if unknown := set(self.weights) - known:
            raise InputError(f"weights name {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")

    def scale(self, row: str, count: int) -> float:
        """Return √(w/N) for a residual at `count` points."""
        weight = self.weights.get(row, self.weights.get(row.split(".")[0], 1.0))
        return (weight * self.factors.get(row, 1.0) / count) ** 0.5

    @abstractmethod
    def adapt(self, jacobian: Callable[[], Mapping[str, Tensor]]) -> None:
        """Look at the present Jacobian at the start of a stage and choose `factors`.

        Args:
            jacobian: returns the derivatives of each unscaled residual by name, (points, parameters).
        """


class Fixed(Weighting):
    """The weights as they are given, for the whole training."""

    def adapt(self, jacobian: Callable[[], Mapping[str, Tensor]]) -> None:
        """Change nothing."""


class Equilibrated(Weighting):
    """Weights times 1 / mean ‖∂r_i/∂θ‖²: every residual answers equally to a change of the parameters.

    An equation of second order answers k² times as strongly to an oscillation of frequency k as the boundary
    condition beside it; with equal weights the least-squares solution would let the boundary go to please the
    equation. This is row equilibration of the least-squares problem (van der Sluis 1969), one factor for each
    residual, normalised so that the largest is 1. It looks at the equation alone, not at any solution.
    """

    def adapt(self, jacobian: Callable[[], Mapping[str, Tensor]]) -> None:
        """Measure the rows."""
        size = {name: block.square().sum(dim=1).mean().item() for name, block in jacobian().items()}
        smallest = min(value for value in size.values() if value > 0)
        self.factors = {name: smallest / value if value > 0 else 1.0 for name, value in size.items()}
