"""Whether the steps to come repay what it costs to capture or to compile them."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch.utils._python_dispatch import TorchDispatchMode


class Clock(Protocol):
    """Knows the time that a stage of a training has."""

    def left(self) -> float:
        """Return how many seconds are left; infinite without a limit."""

    def apart(self) -> AbstractContextManager[None]:
        """Surround what comes once, so that steps are not judged by it. Inside of it `OutOfTime` may be raised."""

    def interrupted(self) -> bool:
        """Whether a signal has come."""


class NoClock:
    """A `Clock` without a limit."""

    def left(self) -> float:
        """Return infinity."""
        return math.inf

    def apart(self) -> AbstractContextManager[None]:
        """Surround nothing."""
        return nullcontext()

    def interrupted(self) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True)
class Way:
    """A way to compute a step.

    Args:
        name: of the way.
        start: seconds until its first step, whatever the step is.
        each: further seconds for each operation of a step.
        gain: how many times faster than operation by operation its steps are.
    """

    name: str
    start: float
    each: float
    gain: float

    def cost(self, operations: int) -> float:
        """Return the seconds until its first step."""
        return self.start + self.each * operations


WAYS = (Way("eager", 0.0, 0.0, 1.0), Way("captured", 0.0, 1e-3, 1.25), Way("compiled", 15.0, 0.05, 1.6))
"""From the cheapest to begin with to the fastest. Measured on Poisson and on Navier-Stokes, 4 × 50 tanh, 2,500 points,
two cores: capturing their 600 to 700 operations takes half a second and gains 1.2 to 1.4, compiling them takes 23 to
35 s and gains 1.5 to 2.2. A smaller step takes hardly less: 250 operations 28 to 42 s."""
CAUTION = 3
"""Compiling can take so many times as long as expected where the machine is busy, and cannot be interrupted."""


class Step(NamedTuple):
    """What a step costs that is neither captured nor compiled."""

    seconds: float
    operations: int


def choose(step: Step, steps: int, seconds: float = math.inf, present: str = "eager") -> str:
    """Return the name of the way that ends first, or that takes the most steps where time is up before the last one.

    Args:
        step: measured.
        steps: still to be taken.
        seconds: still left. No way is begun that might not come to its first step in time.
        present: the way that has been chosen before; what that cost is spent, so none below it is better.
    """

    def worth(way: Way) -> tuple[float, float]:
        cost, each = way.cost(step.operations), step.seconds / way.gain
        taken = min(steps, max(0.0, seconds - cost) / each)
        return taken, -(cost + steps * each)

    here, *others = WAYS[[way.name for way in WAYS].index(present) :]
    return max([here, *(way for way in others if CAUTION * way.cost(step.operations) <= seconds)], key=worth).name


def why_not_compile(operations: int, capturing: float, clock: Clock) -> str | None:
    """Return why a graph is not to be compiled, or None if it can be.

    Args:
        operations: of the graph.
        capturing: how many seconds capturing it took, which tells how busy the machine is.
        clock: knows the time that is left.
    """
    _, captured, compiled = WAYS
    seconds = compiled.cost(operations) * max(1.0, capturing / captured.cost(operations))
    if CAUTION * seconds <= clock.left():
        return None
    return f"compiling may take {seconds:.0f} to {CAUTION * seconds:.0f} s, and {clock.left():.0f} s are left"


def repays(operations: int, seconds: float) -> bool:
    """Tell whether capturing so many operations costs less than it would have saved of so many seconds."""
    captured = next(way for way in WAYS if way.name == "captured")
    return captured.cost(operations) < seconds * (1 - 1 / captured.gain)


class Count(TorchDispatchMode):
    """Counts the operations that are executed while it is active, those of backward passes included."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and execute."""
        self.operations += 1
        return function(*args, **(kwargs or {}))
