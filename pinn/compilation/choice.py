"""Whether the steps to come repay what it costs to capture or to compile them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """A way to compute a step.

    Args:
        name: of the way.
        cost: seconds until its first step.
        gain: how many times faster than operation by operation its steps are.
    """

    name: str
    cost: float
    gain: float

    def seconds(self, steps: int, step_seconds: float) -> float:
        """Return how long so many steps will take, given the seconds of one that is neither captured nor compiled."""
        return self.cost + steps * step_seconds / self.gain

    def steps(self, seconds: float, step_seconds: float) -> float:
        """Return how many steps will be taken in so many seconds."""
        return max(0.0, seconds - self.cost) * self.gain / step_seconds


WAYS = (Way("eager", 0.0, 1.0), Way("captured", 1.5, 1.25), Way("compiled", 30.0, 1.6))
"""From the cheapest to begin with to the fastest. Measured on Poisson and on Navier-Stokes, 4 × 50 tanh, 2,500 points,
two cores: capturing takes 1.1 to 1.4 s and gains 1.2 to 1.4; compiling takes 23 to 35 s and gains 1.5 to 2.2."""


def choose(step_seconds: float, steps: int, seconds: float | None = None, present: str = "eager") -> str:
    """Return the name of the way that ends first, or that takes the most steps where time is up before the last one.

    Args:
        step_seconds: the time of one step, neither captured nor compiled.
        steps: still to be taken.
        seconds: still left; None for no limit.
        present: the way that has been chosen before; what that cost is spent, so none below it is better.
    """

    def worth(way: Way) -> tuple[float, float]:
        taken = steps if seconds is None else min(steps, way.steps(seconds, step_seconds))
        return taken, -way.seconds(steps, step_seconds)

    names = [way.name for way in WAYS]
    return max(WAYS[names.index(present) :], key=worth).name
