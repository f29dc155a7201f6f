"""What a computed solution is compared with."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor


class Reference(ABC):
    """A solution that can be evaluated at any points, with a bound on its own relative L2 error.

    No error of a network is claimed below `error`.
    """

    kind: str
    """`exact` or the name of the classical method that computed it."""
    error: float
    """Relative L2 error of the reference itself."""

    @abstractmethod
    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Return every field at the points whose coordinates, each (points,), are given by name."""


class Exact(Reference):
    """A closed form or a quadrature, evaluated in torch so that it can be differentiated.

    Args:
        solution: takes the coordinates by name and returns the fields by name.
        error: its relative L2 error; the default is the round-off of float64 arithmetic.
    """

    kind = "exact"

    def __init__(self, solution: Callable[..., dict[str, Tensor]], error: float = 1e-15) -> None:
        self.solution, self.error = solution, error

    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Evaluate the solution."""
        return self.solution(**coordinates)
