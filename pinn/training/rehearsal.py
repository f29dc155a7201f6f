"""A stage is tried on copies of the parameters before it is trained: what its optimizer refuses shows at once."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from pinn.errors import InputError
from pinn.optimizers import Optimizer, TorchOptimizer, adapted
from pinn.theirs import in_their_code
from pinn.training.stage import Stage


def rehearse(
    stage: Stage, name: str, parameters: Iterable[Tensor], state: Mapping[str, Any] | None = None
) -> Optimizer:
    """Take a step of a stage's optimizer and schedule on copies of parameters, and return the optimizer.

    Args:
        stage: what is tried.
        name: of the stage.
        parameters: that it is to train.
        state: that the optimizer goes on from, if it has taken steps before.

    Raises:
        InputError: either is none, or cannot take a step with the settings that it was given.
    """
    copies = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    with in_their_code(f"the optimizer of stage {name!r} cannot be made"):
        made = stage.optimizer(copies)
    with in_their_code(f"the schedule of stage {name!r} cannot be made"):
        optimizer = adapted(made, stage.schedule)
    if 0 < getattr(getattr(optimizer, "schedule", None), "total_steps", stage.steps) < stage.steps:
        raise InputError(f"the schedule of stage {name!r} has fewer total_steps than the stage, {stage.steps}.")
    if state is not None:
        # The tensors of a state become those of the optimizer.
        optimizer.load_state_dict(deepcopy(dict(state)))
    objective = _towards_random_numbers(copies)
    if isinstance(optimizer, TorchOptimizer):
        for group in optimizer.optimizer.param_groups:
            if "max_iter" in group:
                group["max_iter"] = min(group["max_iter"], 2)
        with in_their_code(f"the optimizer of stage {name!r} cannot take a step"):
            optimizer.optimizer.step(objective)
        if optimizer.schedule is not None:
            with in_their_code(f"the schedule of stage {name!r} cannot take a step without being told a value"):
                optimizer.schedule.step()
    elif optimizer.needs == "gradient":
        optimizer.run(objective, 1)
    return optimizer


def _towards_random_numbers(parameters: list[Tensor]) -> Any:
    """Return an objective that is least where parameters are numbers that are drawn from seed 0.

    An optimizer that needs the residuals of an objective has judged its settings when it was made.
    """
    generator = torch.Generator().manual_seed(0)
    goals = [torch.randn(parameter.shape, generator=generator).to(parameter) for parameter in parameters]

    def objective() -> Tensor:
        with torch.no_grad():
            away = [parameter - goal for parameter, goal in zip(parameters, goals, strict=True)]
            for parameter, gradient in zip(parameters, away, strict=True):
                parameter.grad = gradient
            return torch.stack([gradient.square().sum() / 2 for gradient in away]).sum()

    return objective
