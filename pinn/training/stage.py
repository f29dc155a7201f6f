"""One optimizer for a number of steps, and when to stop it earlier."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from pinn.errors import InputError
from pinn.optimizers import Optimizer, adapted


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Args:
        optimizer: makes the optimizer from the parameters: one of torch, `partial(torch.optim.Adam, lr=1e-3)`, or of
            `pinn.optimizers`.
        steps: the most steps it takes; for L-BFGS and self-scaled methods they are iterations.
        resample: new collocation points every this many steps; 0 keeps one set for the whole stage. L-BFGS, whose
            curvature estimates compare gradients of different steps, wants 0; a self-scaled method some hundreds.
        block: steps between two looks at the held-out points; within a block nothing waits for the device that the
            optimizer itself does not wait for.
        residual: the stage ends when the objective on the held-out points is at most this; 0 never.
        patience: the stage ends after this many blocks that have not lowered the best objective on the held-out
            points by at least a tenth; 0 never.
        schedule: makes a learning-rate schedule from one of torch's optimizers, stepped after every step.
        part: of the network that is trained while the rest is held fixed, `trunk` or `features` of
            `pinn.networks.Refined`; None for all of it.
        slab: of `pinn.networks.Slabs` that is trained, from 0; it continues the one before where the stage before this
            one trained that.
        share: the stage ends when so much of what was left of the training's `seconds` at its beginning is spent. None
            shares what is left evenly with the stages behind it.
        draws: how many draws of collocation points are taken together, for a solve that needs more of them.

    Raises:
        InputError: a number outside its range.
    """

    optimizer: Callable[[Iterable[Tensor]], Optimizer | torch.optim.Optimizer]
    steps: int
    resample: int = 1
    block: int = 50
    residual: float = 0.0
    patience: int = 0
    schedule: Callable[[torch.optim.Optimizer], LRScheduler] | None = None
    part: str | None = None
    slab: int | None = None
    share: float | None = None
    draws: int = 1

    def __post_init__(self) -> None:
        for name, least in {"steps": 1, "block": 1, "resample": 0, "patience": 0, "draws": 1}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"a stage's {name} must be a whole number of at least {least}; it was given {value!r}."
                )
        if not _is_number(self.residual) or not self.residual >= 0:
            raise InputError(f"a stage's residual must be a number of at least 0; it was given {self.residual!r}.")
        if not math.isfinite(self.residual):
            raise InputError(f"a stage's residual must be finite; it was given {self.residual!r}.")
        if self.share is not None and not (_is_number(self.share) and 0 < self.share <= 1):
            raise InputError(f"a stage's share must be above 0 and at most 1, or null; it was given {self.share!r}.")
        if self.schedule is not None and not callable(self.schedule):
            raise InputError(
                f"a stage's schedule must make a schedule from an optimizer, as partial(ExponentialLR, gamma=0.999) "
                f"does; it was given {self.schedule!r}."
            )
        if not callable(self.optimizer):
            raise InputError(
                f"a stage's optimizer must make an optimizer from parameters, as partial(torch.optim.Adam, lr=1e-3) "
                f"does; it was given {self.optimizer!r}."
            )

    def make(self, parameters: Iterable[Tensor]) -> Optimizer:
        """Return the optimizer of these parameters, one of torch behind the interface of ours.

        Raises:
            InputError: what is made is no optimizer, or it cannot have the schedule.
        """
        return adapted(self.optimizer(parameters), self.schedule)

    def next_look(self, step: int) -> int:
        """Return the step at which the held-out points are looked at next."""
        return min(self.steps, (step // self.block + 1) * self.block)

    def last_draw(self, step: int) -> int:
        """Return the step at which the points of a step were drawn."""
        return step // self.resample * self.resample if self.resample else 0

    def next_end(self, step: int) -> int:
        """Return the step up to which the optimizer can run on the points of a step."""
        look = self.next_look(step)
        return min(look, self.last_draw(step) + self.resample) if self.resample else look


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
