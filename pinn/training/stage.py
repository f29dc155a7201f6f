"""One optimizer for a number of steps, and when to stop it earlier."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from pinn.errors import InputError, NotFinite
from pinn.finite import where
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt, SelfScaledBroyden

FROM_RESIDUALS = (LeastSquares, LevenbergMarquardt)
"""Optimizers whose `step` takes an objective, for its residuals, and no closure."""


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Args:
        optimizer: makes the optimizer from the parameters: `partial(torch.optim.Adam, lr=1e-3)`.
        steps: the most steps it takes; for L-BFGS and self-scaled methods they are iterations.
        resample: new collocation points every this many steps; 0 keeps one set for the whole stage. L-BFGS, whose
            curvature estimates compare gradients of different steps, wants 0; a self-scaled method some hundreds.
        block: steps between two looks at the held-out points; within a block nothing waits for the device that the
            optimizer itself does not wait for.
        residual: the stage ends when the objective on the held-out points is at most this; 0 never.
        patience: the stage ends after this many blocks that have not lowered the best objective on the held-out
            points by at least a tenth; 0 never.
        schedule: makes a learning-rate schedule from the optimizer, stepped after every step.
        part: of the network that is trained while the rest is held fixed, `trunk` or `features` of
            `pinn.networks.Refined`; None for all of it.
        slab: of `pinn.networks.Slabs` that is trained, from 0; it continues the one before where the stage before this
            one trained that.
        share: the stage ends when so much of what was left of the training's `seconds` at its beginning is spent.
        draws: how many draws of collocation points are taken together, for a solve that needs more of them.

    Raises:
        InputError: a number outside its range.
    """

    optimizer: Callable[[Iterable[Tensor]], Optimizer]
    steps: int
    resample: int = 1
    block: int = 50
    residual: float = 0.0
    patience: int = 0
    schedule: Callable[[Optimizer], LRScheduler] | None = None
    part: str | None = None
    slab: int | None = None
    share: float = 1.0
    draws: int = 1

    def __post_init__(self) -> None:
        for name, least in {"steps": 1, "block": 1, "resample": 0, "patience": 0, "draws": 1}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"a stage's {name} must be a whole number of at least {least}; it was given {value!r}."
                )
        if isinstance(self.residual, bool) or not isinstance(self.residual, int | float) or not self.residual >= 0:
            raise InputError(f"a stage's residual must be a number of at least 0; it was given {self.residual!r}.")
        if not math.isfinite(self.residual):
            raise InputError(f"a stage's residual must be finite; it was given {self.residual!r}.")
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 < self.share <= 1:
            raise InputError(f"a stage's share must be above 0 and at most 1; it was given {self.share!r}.")
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


def advance(optimizer: Optimizer, objective: Objective, steps: int) -> tuple[int, str | None]:
    """Take at most `steps` steps on one objective; return how many were taken, and why it cannot go on or None.

    One call of L-BFGS or of a self-scaled method runs many iterations, and only they count. Everything else takes one
    step a call.
    """
    if isinstance(optimizer, LBFGS):
        return _advance_lbfgs(optimizer, objective, steps)
    if not isinstance(optimizer, SelfScaledBroyden):
        closure = objective if isinstance(optimizer, FROM_RESIDUALS) else _watched(objective)
        optimizer.step(closure)  # type: ignore[arg-type]
        return 1, None
    [group] = optimizer.param_groups
    state = optimizer.state[group["params"][0]]
    before = state.get("n_iter", 0)
    group["max_iter"] = steps
    optimizer.step(objective)
    return state["n_iter"] - before, optimizer.reason


def _watched(objective: Objective) -> Callable[[], Tensor]:
    """Return a closure that raises NotFinite before a loss that is no number gets into the parameters.

    A GPU, which runs ahead, is not asked for the loss of each step; there the look at the end of a block sees it.
    """

    def closure() -> Tensor:
        loss = objective()
        if loss.device.type == "cpu" and not math.isfinite(loss.item()):
            raise NotFinite(f"residual {where(objective)}")
        return loss

    return closure


EVALUATIONS = 25
"""The most evaluations that L-BFGS may spend on an iteration, on average over a call."""


def _advance_lbfgs(optimizer: LBFGS, objective: Objective, steps: int) -> tuple[int, str | None]:
    """Take steps with torch's L-BFGS, and find out which of its tolerances ended them: it does not say so itself."""
    [group] = optimizer.param_groups
    state = optimizer.state[group["params"][0]]
    before, evaluated = state.get("n_iter", 0), state.get("func_evals", 0)
    # The limit on evaluations would otherwise be the one derived from the constructor's max_iter.
    group["max_iter"], group["max_eval"] = steps, EVALUATIONS * steps
    optimizer.step(objective)
    taken = state["n_iter"] - before
    gradient = torch.cat([parameter.grad.flatten() for parameter in group["params"]]).abs().max().item()
    if taken == steps:
        reason = None
    elif not math.isfinite(gradient):
        reason = "the gradient is not finite"
    elif gradient <= group["tolerance_grad"]:
        reason = f"the gradient, {gradient:.1e}, is within tolerance_grad"
    elif state["func_evals"] - evaluated >= group["max_eval"]:
        reason = f"{group['max_eval']} evaluations were not enough"
    elif (state["d"] * state["t"]).abs().max().item() <= group["tolerance_change"]:
        reason = "the change of the parameters is within tolerance_change"
    else:
        reason = "the change of the objective is within tolerance_change"
    return taken, reason
