"""A stage is tried on copies of the parameters before it is trained: what its optimizer refuses shows at once."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from pinn.errors import InputError
from pinn.theirs import in_their_code
from pinn.training.stage import FROM_RESIDUALS, Stage


def rehearse(
    stage: Stage,
    name: str,
    parameters: Iterable[Tensor],
    state: Mapping[str, Any] | None = None,
    schedule_state: Mapping[str, Any] | None = None,
) -> None:
    """Take a step of a stage's optimizer and schedule on copies of parameters.

    Args:
        stage: what is tried.
        name: of the stage.
        parameters: that it is to train.
        state: that the optimizer goes on from, if it has taken steps before.
        schedule_state: likewise.

    Raises:
        InputError: either is none, or cannot take a step with the settings that it was given.
    """
    copies = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    with in_their_code(f"the optimizer of stage {name!r} cannot be made"):
        optimizer = stage.optimizer(copies)
    if not isinstance(optimizer, Optimizer):
        raise InputError(
            f"stage {name!r} must make a torch.optim.Optimizer from parameters; it made a {type(optimizer).__name__}."
        )
    schedule = None
    if stage.schedule is not None:
        with in_their_code(f"the schedule of stage {name!r} cannot be made"):
            schedule = stage.schedule(optimizer)
        if not isinstance(schedule, LRScheduler):
            raise InputError(
                f"stage {name!r} must make a torch.optim.lr_scheduler.LRScheduler from an optimizer; it made a "
                f"{type(schedule).__name__}."
            )
        if 0 < getattr(schedule, "total_steps", stage.steps) < stage.steps:
            raise InputError(f"the schedule of stage {name!r} has fewer total_steps than the stage, {stage.steps}.")
    # The tensors of a state become those of the optimizer.
    if state is not None:
        optimizer.load_state_dict(deepcopy(dict(state)))
    if schedule and schedule_state is not None:
        schedule.load_state_dict(deepcopy(dict(schedule_state)))
    _take_step(optimizer, name)
    if schedule:
        with in_their_code(f"the schedule of stage {name!r} cannot take a step without being told a value"):
            schedule.step()


def _take_step(optimizer: Optimizer, name: str) -> None:
    """Take a step with an optimizer on the parameters that it has, towards numbers that are drawn from seed 0.

    Those that need the residuals of an objective are left out: they have judged their settings when they were made.
    """
    if isinstance(optimizer, FROM_RESIDUALS):
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for group in optimizer.param_groups:
        if "max_iter" in group:
            group["max_iter"] = min(group["max_iter"], 2)
    generator = torch.Generator().manual_seed(0)
    goals = [torch.randn(parameter.shape, generator=generator).to(parameter) for parameter in parameters]

    def closure() -> Tensor:
        with torch.no_grad():
            for parameter, goal in zip(parameters, goals, strict=True):
                parameter.grad = parameter - goal
            return torch.stack([parameter.grad.square().sum() / 2 for parameter in parameters]).sum()

    with in_their_code(f"the optimizer of stage {name!r} cannot take a step"):
        optimizer.step(closure)  # type: ignore[arg-type]
