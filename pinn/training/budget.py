"""The seconds of a training: who spends them, who may still begin what, and when to stop."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import torch
from torch import Tensor

from pinn.devices import Pace, finish
from pinn.errors import InputError, OutOfTime
from pinn.optimizers.least_squares import solve, solve_work

MOST_OVERRUN = 2
"""How many times its share of the time a stage may take for the sake of what cannot be divided, a solve for example."""
SECONDS_IN_A_ROW = 10.0
"""After so many a run of an optimizer pauses, so that checkpoints are written and people see how it goes."""
CERTAIN = 1e9
"""Operations a second that any machine has; what fits at that speed is begun without measuring the machine."""


class Budget:
    """Seconds that planning and training may take, however many runs they are spread over.

    All decisions that look at a clock are made here. It is the `pinn.optimizers.Stop` of the stage that is trained: a
    stage has a share of what is left when it begins, and takes no iteration that would exceed it, judged by its last
    one, nor begins a decomposition that would, judged by the speed of the machine. A clock makes results differ between
    machines: it is a cap, not a stopping rule. On a GPU, time counts when work is done, not when it is asked for.

    Args:
        seconds: None sets no limit.
        like: a tensor of the device and the precision of decompositions.
        clock: returns seconds.
        speed: of decompositions, in floating-point operations a second; measured when it is needed, if None.

    Raises:
        InputError: a number that is not positive.
    """

    def __init__(
        self,
        seconds: float | None,
        like: Tensor | None = None,
        clock: Callable[[], float] | None = None,
        speed: float | None = None,
    ) -> None:
        require_positive("seconds", seconds)
        self.seconds = seconds
        self.like = torch.zeros(0, dtype=torch.float64) if like is None else like
        self.clock = clock or time.perf_counter
        self.pace = Pace(self.like.device)
        self.interrupted: Callable[[], bool] = lambda: False
        """Whether a signal has come."""
        self.spent = 0.0
        """As of the last `note`."""
        self.before = 0.0
        """What of it was spent before the training was restored."""
        self.stage_began = 0.0
        self.share, self.reserve = 1.0, 0.0
        self.iteration = 0.0
        """What the last iteration of the stage took."""
        self.refused: float | None = None
        """How many seconds something takes for which the stage had no time."""
        self._speed = speed
        self._started: float | None = None
        self._iteration_began: float | None = None
        self._pause = math.inf
        self._can_be_left = False

    def start(self) -> None:
        """Let the clock go on from what is spent."""
        self._started = self.clock() - self.spent

    def note(self) -> None:
        """Note what is spent by now."""
        finish(self.like.device)
        self.spent = self.elapsed()

    def halt(self) -> None:
        """Note it, and let the clock stand."""
        self.note()
        self._started = None

    def elapsed(self) -> float:
        """Return what is spent by now."""
        return self.spent if self._started is None else self.clock() - self._started

    def begin_stage(self, share: float, reserve: float = 0.0) -> None:
        """Begin a stage.

        Args:
            share: of what is left, for this stage.
            reserve: operations of the stage behind it. For them it gives up to half of its share.
        """
        self.stage_began, self.share, self.reserve = self.elapsed(), share, reserve
        self.iteration, self._iteration_began, self.refused = 0.0, None, None

    def left(self) -> float:
        """Return how much of its share the stage has left by now; infinite without a limit."""
        return self._end(self.share) - self.elapsed()

    def is_over(self) -> bool:
        """Whether the stage has no time for another iteration like the last one, or for what it asked for."""
        return self.refused is not None or self.left() < self.iteration

    def is_spent(self) -> bool:
        """Whether no stage at all has any time left."""
        return self.seconds is not None and self.elapsed() >= self.seconds

    def why_over(self) -> str:
        """Return in words what `is_over` says."""
        left = max(self.left(), 0.0)
        if self.refused is not None and self.refused > left:
            return f"what comes next takes about {self.refused:.0f} s, and {left:.0f} s are left"
        if self.share < 1 and not self.is_spent():
            return f"its share of the time is over, {self.elapsed() - self.stage_began:.0f} s"
        return f"time is up after {self.elapsed():.0f} s"

    def begin_run(self) -> None:
        """Begin a run of an optimizer, which pauses after some seconds."""
        self._pause = self.elapsed() + SECONDS_IN_A_ROW

    def end_iteration(self) -> None:
        """Note what the iteration took that was begun last."""
        if self._iteration_began is not None:
            self.iteration, self._iteration_began = self.elapsed() - self._iteration_began, None

    def __call__(self) -> bool:
        """Whether no further iteration is to begin: the time is over, or a signal came, or it is time for a pause."""
        self.pace()
        self.end_iteration()
        if self.is_over() or self.interrupted() or self.elapsed() >= self._pause:
            return True
        self._iteration_began = self.elapsed()
        return False

    def fits(self, operations: float = 0) -> bool:
        """Whether there is time for so many operations, though they may exceed the share of the stage somewhat."""
        if self.has_time_for(operations, min(1.0, MOST_OVERRUN * self.share)):
            return True
        self.refused = self.predict(operations)
        return False

    def has_time_for(self, operations: float, share: float = 1.0) -> bool:
        """Whether a share of the time from the beginning of the stage on is enough for so many operations."""
        return self.takes_at_most(operations, self._end(share) - self.elapsed())

    def takes_at_most(self, operations: float, seconds: float) -> bool:
        """Whether so many operations take so many seconds at most; 0 are done if there is any time at all."""
        return seconds > 0 and (operations / CERTAIN <= seconds or self.predict(operations) <= seconds)

    def predict(self, operations: float) -> float:
        """Return how many seconds so many operations take."""
        if operations and self._speed is None:
            began = self.elapsed()
            self._speed = measure_speed(self.like)
            self._set_apart(began)
        return operations / self._speed if self._speed else 0.0

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Do something that comes once: the iteration in progress is not judged by it, and can be left in it.

        Raises:
            OutOfTime: a signal came in an iteration.
        """
        began, self._can_be_left = self.elapsed(), True
        try:
            yield
        finally:
            self._can_be_left = False
            finish(self.like.device)
            self._set_apart(began)

    def leave(self) -> None:
        """Hear that a signal came: an iteration that can be left is left."""
        if self._can_be_left and self._iteration_began is not None:
            raise OutOfTime

    def _set_apart(self, began: float) -> None:
        """Leave out of the iteration in progress what passed since then."""
        if self._iteration_began is not None:
            self._iteration_began += self.elapsed() - began

    def _end(self, share: float) -> float:
        """Return when a share of the time that was left at the beginning of the stage is over; infinite if never."""
        if self.seconds is None:
            return math.inf
        own = share * (self.seconds - self.stage_began)
        return self.stage_began + min(own, max(own / 2, self.seconds - self.stage_began - self.predict(self.reserve)))

    def state_to_save(self) -> dict[str, float]:
        """Return plain values from which the budget goes on."""
        return {"spent": self.spent, "stage_began": self.stage_began, "share": self.share, "reserve": self.reserve}

    def restore(self, saved: dict[str, float]) -> None:
        """Take up a budget where `state_to_save` left it."""
        self.spent = self.before = saved["spent"]
        self.stage_began, self.share, self.reserve = saved["stage_began"], saved["share"], saved["reserve"]


def measure_speed(like: Tensor) -> float:
    """Return the floating-point operations a second of a least-squares solve, in about a tenth of a second.

    Larger solves are up to twice as fast.
    """
    rows, columns = 1536, 512
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        solve(matrix, matrix[:, 0])[0].item()
        seconds.append(time.perf_counter() - began)
    return solve_work(rows, columns) / median(seconds)


def require_positive(name: str, value: float | None) -> None:
    """Raise InputError unless a value is None or a positive number."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise InputError(f"{name} must be a positive number or null; it was given {value!r}.")
