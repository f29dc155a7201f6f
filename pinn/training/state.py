"""All that a training depends on, as tensors and plain values: what a checkpoint holds."""

from collections.abc import Mapping
from typing import Any

from pinn.training.module import Training
from pinn.training.record import copied

COUNTERS = ("stage", "step_in_stage", "step")


def state_of(training: Training) -> dict[str, Any]:
    """Return tensors and plain values from which a training goes on exactly."""
    draws = training.draws
    return {
        "model": training.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in training.stage_optimizers],
        "budget": training.budget.state_to_save(),
        "record": training.record.state_to_save(),
        "counters": {name: getattr(training, name) for name in COUNTERS},
        "reasons": list(training.reasons),
        "status": training.status,
        "weight_factors": dict(training.weighting.factors),
        "points": draws.objective and {name: copied(group) for name, group in draws.objective.points.items()},
        "draw": draws.draw,
        "way": draws.step.way,
        "chunk": draws.chunk,
    }


def restore(training: Training, saved: Mapping[str, Any]) -> None:
    """Take up a training where `state_of` left it; a budget that was spent may have been raised since."""
    draws = training.draws
    training.model.load_state_dict(saved["model"])
    for name in COUNTERS:
        setattr(training, name, saved["counters"][name])
    training.enter_stage()
    for optimizer, state in zip(training.stage_optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    training.budget.restore(saved["budget"])
    training.record.restore(saved["record"])
    training.weighting.factors = dict(saved["weight_factors"])
    draws.chunk = saved["chunk"]
    if saved["points"] is not None:
        # Adaptive points follow from the model as it was when they were drawn.
        device = next(training.model.parameters()).device
        points = {name: {k: v.to(device) for k, v in group.items()} for name, group in saved["points"].items()}
        draws.objective, draws.draw = draws.trained_at(points), saved["draw"]
    if saved["way"] != "eager":
        draws.step.settle(saved["way"])
    training.reasons, training.status = list(saved["reasons"]), saved["status"]
    if training.status == "budget" and training.step_in_stage < training.current.steps:
        # Its last reason was that time was up.
        training.reasons.pop()
        training.status = "running"
    elif training.status == "interrupted":
        training.status = "running"
