"""Where a residual is infinite or no number."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


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
