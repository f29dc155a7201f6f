"""Whether the steps to come repay what it costs to capture or to compile them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class Way:
    """A way to compute a step.

    Args:
        name: of the way.
        cost: seconds until its first step, for each operation of a step.
        gain: how many times faster than operation by operation its steps are.
    """

    name: str
    cost: float
    gain: float


WAYS = (Way("eager", 0.0, 1.0), Way("captured", 1e-3, 1.25), Way("compiled", 0.05, 1.6))
"""From the cheapest to begin with to the fastest. Measured on Poisson and on Navier-Stokes, 4 × 50 tanh, 2,500 points,
two cores: capturing their 600 to 700 operations takes half a second and gains 1.2 to 1.4, compiling them takes 23 to
35 s and gains 1.5 to 2.2."""


class Step(NamedTuple):
    """What a step costs that is neither captured nor compiled."""

    seconds: float
    operations: int


def choose(step: Step, steps: int, seconds: float | None = None, present: str = "eager") -> str:
    """Return the name of the way that ends first, or that takes the most steps where time is up before the last one.

    Args:
        step: measured.
        steps: still to be taken.
        seconds: still left; None for no limit.
        present: the way that has been chosen before; what that cost is spent, so none below it is better.
    """

    def worth(way: Way) -> tuple[float, float]:
        cost, each = way.cost * step.operations, step.seconds / way.gain
        taken = steps if seconds is None else min(steps, max(0.0, seconds - cost) / each)
        return taken, -(cost + steps * each)

    names = [way.name for way in WAYS]
    return max(WAYS[names.index(present) :], key=worth).name


def repays(operations: int, seconds: float) -> bool:
    """Tell whether capturing so many operations costs less than it would have saved of so many seconds."""
    captured = next(way for way in WAYS if way.name == "captured")
    return captured.cost * operations < seconds * (1 - 1 / captured.gain)


class Count(TorchDispatchMode):
    """Counts the operations that are executed while it is active, those of backward passes included."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and execute."""
        self.operations += 1
        return function(*args, **(kwargs or {}))
