"""The seconds of a training, and how its stages share them."""

import time

from pinn.errors import InputError

MOST_OVERRUN = 2
"""How many times its share of the time a refinement may be expected to take; it has one step at least."""


class Budget:
    """Seconds that a training may take, however many runs they are spread over.

    A stage has a share of what is left when it begins, and takes no step that would exceed it, judged by its last one.
    A clock makes results differ between machines: it is a cap, not a stopping rule.

    Args:
        seconds: None sets no limit.

    Raises:
        InputError: a number that is not positive.
    """

    def __init__(self, seconds: float | None) -> None:
        require_positive("seconds", seconds)
        self.seconds = seconds
        self.trained = 0.0
        """What is spent, as of the last step."""
        self.before = 0.0
        """What of it was spent before the training was restored."""
        self.stage_began = 0.0
        self.step = 0.0
        """What the last step of the stage took."""
        self.refinement = 0.0
        """What the last refinement took, or would have taken with one step."""
        self._started = 0.0

    def start(self) -> None:
        """Let the clock go on from what is spent."""
        self._started = time.perf_counter() - self.trained

    def elapsed(self) -> float:
        """Return what is spent by now."""
        return time.perf_counter() - self._started

    def left(self) -> float | None:
        """Return what is left by now; None without a limit."""
        return None if self.seconds is None else self.seconds - self.elapsed()

    def begin_stage(self) -> None:
        """Note that a stage begins."""
        self.stage_began, self.step = self.elapsed(), 0.0

    def is_over(self, share: float = 1.0) -> bool:
        """Whether another step like the last one would exceed a share of what was left when the stage began."""
        if self.seconds is None:
            return False
        end = self.stage_began + share * (self.seconds - self.stage_began)
        return self.elapsed() + self.step > end

    def end_refinement(self, steps: int) -> None:
        """Note what a refinement of so many steps would have taken with one."""
        self.refinement = self.trained - self.stage_began - (steps - 1) * self.step

    def why_not_refine(self, share: float) -> str | None:
        """Return why a refinement is left out, for it would take the time of the slabs behind it; None if it is not."""
        left = self.left()
        if left is None or self.refinement <= MOST_OVERRUN * share * left:
            return None
        return f"since the one before took {self.refinement:.0f} s and its share is {share * left:.0f} s"

    def state_to_save(self) -> dict[str, float]:
        """Return plain values from which the budget goes on."""
        return {"trained": self.trained, "stage_began": self.stage_began, "refinement": self.refinement}

    def restore(self, saved: dict[str, float]) -> None:
        """Take up a budget where `state_to_save` left it."""
        self.trained = self.before = saved["trained"]
        self.stage_began, self.refinement = saved["stage_began"], saved["refinement"]


def require_positive(name: str, value: float | None) -> None:
    """Raise InputError unless a value is None or a positive number."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise InputError(f"{name} must be a positive number or null; it was given {value!r}.")
