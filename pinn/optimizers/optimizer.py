"""What every optimizer is: it says what it needs, and it runs until it is told to stop."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from torch import Tensor

from pinn.errors import InputError, OutOfTime
from pinn.objective import Objective

JACOBIAN = 150
"""Operations of a decomposition that take as long as one entry of a Jacobian: measured with 3,300 × 921 of them."""


class Progress(NamedTuple):
    """What a run of an optimizer came to."""

    taken: int
    """Iterations that are complete."""
    reason: str | None = None
    """Why no further iteration can help; None if another one may."""
    diverged: str | None = None
    """Which residual is infinite or no number where the parameters are, and at which point; None if there is none."""


class Stop(Protocol):
    """Tells an optimizer when to end. It is asked all the time, so that it answers fast."""

    def __call__(self) -> bool:
        """Whether no further iteration is to begin; asked before each of them."""

    def fits(self, operations: float = 0) -> bool:
        """Whether so many floating-point operations may begin inside of an iteration; 0 asks whether time is left."""


class Unlimited:
    """A `Stop` that never stops anything."""

    def __call__(self) -> bool:
        """Return False."""
        return False

    def fits(self, operations: float = 0) -> bool:
        """Return True."""
        return True


def require_time(stop: Stop, operations: float = 0) -> None:
    """Raise OutOfTime unless there is time for so many operations, or any at all."""
    if not stop.fits(operations):
        raise OutOfTime


class Optimizer(ABC):
    """Lowers an objective by changing its parameters.

    Between two iterations parameters and state are all that the next one depends on. So a run that is saved there goes
    on bit for bit as if it had never stopped, and n iterations are the same in one call as in many. An iteration that
    is left before its end leaves both as they were before it.

    Args:
        parameters: all parameters of the objective.

    Raises:
        InputError: something else than tensors, such as torch's groups of parameters.
    """

    needs: ClassVar[Literal["gradient", "jacobian"]]
    """What it asks the objective for."""
    first_order: ClassVar[bool] = False
    """Whether it never comes so near to a solution that float32 would be too coarse for it."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        if not all(isinstance(parameter, Tensor) for parameter in self.parameters):
            raise InputError(f"{type(self).__name__} takes one group of parameters: a list of tensors.")

    keeps_last: ClassVar[bool] = False
    """Whether a later state is better than any before it, whatever its objective says."""

    @abstractmethod
    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` iterations, fewer where `stop` says so or none can help."""

    @abstractmethod
    def work(self, rows: int) -> float:
        """Return how many floating-point operations of linear algebra an iteration has at least, for so many rows."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values from which it goes on exactly."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""


def jacobian_work(rows: int, columns: int) -> float:
    """Return how many operations take as long as a Jacobian."""
    return JACOBIAN * rows * columns
