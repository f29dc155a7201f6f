"""Where a residual is infinite or no number."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pinn.errors import NotFinite

if TYPE_CHECKING:
    from pinn.objective import Objective


def where_not_finite(
    rows: Mapping[str, Tensor], points: Mapping[str, Tensor], coordinates: Sequence[str]
) -> str | None:
    """Return which residual is infinite or no number, and at which point, in words; None where all are finite.

    Args:
        rows: residuals by name, or what belongs to each of their points, (points,) or (points, …).
        points: where they were taken, (points,) each.
        coordinates: what is told of a point.
    """
    for name, row in rows.items():
        bad = ~torch.isfinite(row.detach())
        if bad.any():
            places = bad.flatten(1).any(dim=1) if bad.dim() > 1 else bad
            first = int(places.nonzero()[0])
            value = row.detach()[first][bad[first]].flatten()[0].item()
            where = ", ".join(f"{key} = {points[key][first].item():.6g}" for key in coordinates)
            return f"{name} is {value} at {where} ({int(places.sum())} of {len(row)} points)"
    return None


def where(objective: "Objective", by_row: Tensor | None = None) -> str | None:
    """Return which residual of an objective is infinite or no number, and where; None where all of them are finite.

    Args:
        objective: at its present parameters.
        by_row: what is looked at instead of the residuals, (rows,) or (rows, …).
    """
    rows = objective.vector() if by_row is None else by_row
    found = None
    for name, span in objective.spans().items():
        points = objective.model.place(objective.points[name.split(".")[0]])
        row = {name: rows[span.start : span.stop]}
        found = found or where_not_finite(row, points, objective.model.problem.coordinates)
    return found


def require_finite(objective: "Objective", jacobian: Tensor, rows: Tensor) -> None:
    """Raise NotFinite for a residual, or a derivative of one by a parameter, that is infinite or no number."""
    # A sum is finite only if all of its terms are, and reads the matrix once.
    if not torch.isfinite(jacobian.sum() + rows.sum()):
        raise NotFinite(f"residual {where(objective, rows) or f'{where(objective, jacobian)} in its derivatives'}")
