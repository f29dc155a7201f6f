"""Whether a training has diverged, and where."""

import math
from collections.abc import Mapping

import torch

from pinn.finite import where
from pinn.objective import Objective
from pinn.training.held_out import values_of


@torch.no_grad()
def why_diverged(row: Mapping[str, float], held_out: Objective, trained: Objective | None) -> str | None:
    """Return which residual is infinite or no number, and at which point, in words; None where a training can go on.

    Args:
        row: of the history, of the present parameters.
        held_out: the objective at the points that no step trains on.
        trained: that of the last step; its loss in `row` may be one that the step tried and took back.
    """
    if math.isfinite(row["validation"]) and math.isfinite(row["loss"]):
        return None
    if any(not torch.isfinite(parameter).all() for parameter in held_out.model.parameters()):
        return "the parameters are infinite or no numbers, and all residuals with them,"
    for objective in (held_out, trained):
        if objective is not None and (found := where(objective)):
            return f"residual {found}"
    if math.isfinite(row["validation"]):
        return None
    largest = max(values_of(row, "residual").items(), key=lambda item: item[1])
    return f"residual {largest[0]} is too large to be squared"
