"""What a checkpoint holds of a training is judged before any of it is taken up."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from pinn.errors import InputError
from pinn.optimizers import Optimizer
from pinn.options import is_positive, is_whole
from pinn.shapes import HISTORY, require, require_finite
from pinn.training.held_out import values_of
from pinn.training.module import Training
from pinn.training.rehearsal import rehearse
from pinn.training.state import state_of

STATUSES = ("solved", "budget", "stalled", "diverged", "interrupted", "running")
WAYS = ("eager", "captured", "compiled")
COLUMNS = ("step", "seconds", "stage", "loss", "validation")
"""Of every row of the history."""
MOST_STEPS = 2**53


def require_saved(training: Training, saved: Any) -> None:
    """Raise InputError unless a training can be restored from what `state_of` returned.

    What a new training would save is the example: names, types and shapes must be the same, but for what grows. Numbers
    that say where the training was must be possible, and an optimizer must be able to take a step from its state.

    Args:
        training: new, not restored yet.
        saved: of the checkpoint.
    """
    fresh = state_of(training)
    growing: dict[str, Any] = {
        "record": {**{name: example(value) for name, value in fresh["record"].items()}, "history": HISTORY},
        "reasons": [str],
        "weight_factors": {str: float},
        "points": (None, {str: {str: Tensor}}),
        "chunk": (None, int),
        "status": STATUSES,
        "way": WAYS,
        "optimizers": [dict],
    }
    require(saved, {name: growing.get(name, example(value)) for name, value in fresh.items()})
    _require_numbers(training, saved)
    if odd := [reason for reason in saved["reasons"] if not reason.isprintable()]:
        raise InputError(f"reasons hold {odd[0]!r}, which cannot be printed.")
    record = saved["record"]
    require_history(record["history"], len(training.stages))
    if (best := record["best_step"]) not in [0, *(row["step"] for row in record["history"])]:
        raise InputError(f"record.best_step is {best}, of which there is no row in the history.")
    _require_points(training, saved["points"] or {})
    require_finite(record["best_state"], "record.best_state")
    if saved["status"] != "diverged":
        require_finite(saved["model"], "model")
        require_finite(dict(_tensors(saved["optimizers"])), "optimizers")
    if len(saved["optimizers"]) != len(training.stages):
        raise InputError(
            f"optimizers are {len(saved['optimizers'])}, expected {len(training.stages)}, one for each stage."
        )
    for index, (optimizer, state) in enumerate(zip(training.stage_optimizers, saved["optimizers"], strict=True)):
        _require_state(optimizer, state, f"optimizers.{index}")
        _require_going_on(training, state, index)


def example(value: Any) -> Any:
    """Return what a value must look like that is to take the place of this one, for `pinn.shapes.require`."""
    if isinstance(value, Mapping) and value:
        return {key: example(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        return dict
    return value if value is None or isinstance(value, Tensor) else type(value)


def _require_numbers(training: Training, saved: Mapping[str, Any]) -> None:
    counters, stages = saved["counters"], list(training.stages.values())
    if not is_whole(counters["stage"], 0, len(stages) - 1):
        raise InputError(f"counters.stage is {counters['stage']}, expected 0 to {len(stages) - 1}.")
    if not 0 <= counters["step_in_stage"] <= min(stages[counters["stage"]].steps, counters["step"]) <= MOST_STEPS:
        raise InputError(f"counters.step_in_stage is {counters['step_in_stage']}, more steps than there were.")
    for name, value in saved["budget"].items():
        if not (isinstance(value, int | float) and 0 <= value < math.inf):
            raise InputError(f"budget.{name} is {value!r}, expected seconds.")
    residuals = {name for row in saved["record"]["history"][-1:] for name in values_of(row, "residual")}
    if saved["weight_factors"] and set(saved["weight_factors"]) != residuals:
        raise InputError(f"weight_factors are for {', '.join(saved['weight_factors'])}, not for each residual.")
    for name, value in saved["weight_factors"].items():
        if not is_positive(value):
            raise InputError(f"weight_factors.{name} is {value!r}, expected a positive number.")
    if saved["chunk"] is not None and saved["chunk"] < 1:
        raise InputError(f"chunk is {saved['chunk']}, expected at least 1.")


def require_history(history: list[dict[str, Any]], stages: int) -> None:
    """Raise InputError for a row of the history of a training that lacks a number, or is of no stage or step.

    Args:
        history: rows of numbers by name.
        stages: how many stages there are.
    """
    for index, row in enumerate(history):
        if missing := [name for name in COLUMNS if name not in row]:
            raise InputError(f"history.{index}.{missing[0]} is missing.")
        if not is_whole(row["step"], 0, MOST_STEPS) or not is_whole(row["stage"], 0, stages - 1):
            raise InputError(f"history.{index} is of step {row['step']!r} and stage {row['stage']!r}.")


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping | list | tuple):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _tensors(item, f"{name}.{key}" if name else f"{key}")


def _require_points(training: Training, points: Mapping[str, Mapping[str, Tensor]]) -> None:
    drawn = training.draws.collocation(0) if points else {}
    require(points, {constraint: dict.fromkeys(group, Tensor) for constraint, group in drawn.items()}, "points")
    require_finite({f"{name}.{key}": x for name, group in points.items() for key, x in group.items()}, "points")
    for name, group in points.items():
        shapes = {(*tensor.shape, tensor.dtype.is_floating_point) for tensor in group.values()}
        if len(shapes) != 1 or len(shape := next(iter(shapes))) != 2 or not all(shape):
            raise InputError(f"points.{name} are not as many numbers for each coordinate.")


def _require_state(optimizer: Optimizer, saved: dict[str, Any], name: str) -> None:
    """Raise InputError unless the settings in a state are those of an optimizer; what grows is tried by a step."""
    fresh = optimizer.state_dict()
    if "optimizer" not in fresh:
        require(saved, example(fresh) if fresh else {str: (Tensor, float)}, name)
        return
    groups = fresh["optimizer"]["param_groups"]
    schedule = fresh["schedule"] and example(fresh["schedule"])
    require(saved, {"optimizer": {"state": dict, "param_groups": list}, "schedule": schedule}, name)
    found, name = saved["optimizer"]["param_groups"], f"{name}.optimizer.param_groups"
    require(dict(enumerate(found)), {index: example(group) for index, group in enumerate(groups)}, name)
    if [group["params"] for group in found] != [group["params"] for group in groups]:
        raise InputError(f"{name} are of other parameters.")


def _require_going_on(training: Training, state: Mapping[str, Any], index: int) -> None:
    """Take a step from a state with copies. One from the start was taken at set-up: what fails here is in the state."""
    name, stage = list(training.stages.items())[index]
    try:
        rehearse(stage, name, training.stage_optimizers[index].parameters, state)
    except Exception as error:
        raise InputError(f"optimizers.{index} cannot go on from its state: {type(error).__name__}: {error}") from error
