"""What a solution leaves of each residual, relative to what a change of its fields would leave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.marching import Marching
from pinn.model import Model
from pinn.problems.linearity import field_scales
from pinn.problems.probing import Field, random_field

STEP = 1e-4
"""Relative change of the fields by which the answer of a residual is measured, and divided by again."""
POINTS_AT_ONCE = 1024
"""As the Jacobian takes them: so that memory is bounded, and what is computed stays in cache."""
POINTS = 500
"""Of the interior, at which the size of a field is measured."""
ZERO = 1e-12
"""A field is zero to round-off if it is so much smaller than what conditions and sources ask of it."""


@dataclass(frozen=True)
class Left:
    """What is left of one residual r of the fields u.

    Attributes:
        rms: root of the mean square of r.
        size: that of its answer to a change of u by its own size, (r(u + εδ) - r(u)) / ε.
        data: that of what zero fields leave, r(0): sources and given values.
        place: where |r| is largest, by coordinate.
    """

    rms: float
    size: float
    data: float
    place: dict[str, float]

    @property
    def relative(self) -> float:
        """Return rms / size: 0.01 is what a change of the fields by one part in a hundred would leave."""
        return self.rms / self.size if self.size else float("inf") if self.rms else 0.0


def field_sizes(model: Model) -> dict[str, float]:
    """Return the root of the mean square of each field; of one that is zero, what conditions and sources ask of it."""
    problem = model.problem
    like = next(model.parameters())
    scattered = problem.domain.interior.scattered(POINTS, torch.Generator().manual_seed(0))
    with torch.no_grad():
        fields = model.fields({name: values.to(like) for name, values in scattered.items()})
    asked = {name: scales[-1] for name, scales in field_scales(problem.copied()).items()}
    found = {name: values.square().mean().sqrt().item() for name, values in fields.items()}
    return {name: size if size > ZERO * asked[name] else asked[name] for name, size in found.items()}


def relative_residuals(
    model: Model,
    points: Mapping[str, Points],
    sizes: Mapping[str, float] | None = None,
    within: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Left]:
    """Return what is left of every residual by name, in the whole domain and with the true initial conditions.

    The change δ of a field u of size s is s g + h u, with smooth random g and h: smooth and as fast as u itself. Fields
    that are marched through slabs of time have further rows, `<name> between slabs`.

    Args:
        model: the solution.
        points: of every constraint, by its name.
        sizes: of the fields; `field_sizes` by default.
        within: where the changes vary as smooth functions do over the domain; see `random_field`.
    """
    sizes = sizes or field_sizes(model)
    generator = torch.Generator().manual_seed(1)
    changes = [{name: random_field(model.problem, generator, within=within) for name in sizes} for _ in range(2)]
    found: dict[str, Left] = {}
    for constraint, quantities in points.items():
        at = {key: values.detach() for key, values in quantities.items()}
        rows = _rows(model, constraint, at)
        answers = dict.fromkeys(rows, 0.0)
        for name in sizes:
            for change in _changes(name, sizes[name], changes):
                for row, values in _rows(model, constraint, at, change).items():
                    answers[row] += ((values - rows[row]) / STEP).square().mean().item()
        zero = _rows(model, constraint, at, _zero)
        for row, values in rows.items():
            found[row] = Left(_rms(values), answers[row] ** 0.5, _rms(zero[row]), _place(model, at, values))
            if isinstance(model, Marching) and constraint in model.initial:
                found |= _between_slabs(model, constraint, row, at, found[row])
    return found


def _changes(name: str, size: float, drawn: list[dict[str, Field]]) -> list[Callable[[Points, Points], Points]]:
    """Return what makes the fields u + ε s g and u + ε h u from points and fields, of one field."""
    g, h = (fields[name] for fields in drawn)
    return [
        lambda at, fields: {**fields, name: fields[name] + STEP * size * g(at)},
        lambda at, fields: {**fields, name: fields[name] + STEP * h(at) * fields[name]},
    ]


def _rows(
    model: Model,
    constraint: str,
    points: Points,
    change: Callable[[Points, Points], Points] = lambda at, fields: fields,
) -> Points:
    """Return the residuals of one constraint, (points,) each, where the fields may be changed."""
    found: dict[str, list[Tensor]] = {}
    for parts in zip(*(values.split(POINTS_AT_ONCE) for values in points.values()), strict=True):
        at = dict(zip(points, (part.detach() for part in parts), strict=True))
        for key in model.problem.coordinates:
            at[key].requires_grad_()
        with torch.enable_grad():
            rows = model.problem.residuals(constraint, at, lambda here: change(here, model.fields(here)))
        for row, values in rows.items():
            if row not in model.hard.rows:
                found.setdefault(row, []).append(values.detach())
    return {row: torch.cat(pieces) for row, pieces in found.items()}


def _zero(at: Points, fields: Points) -> Points:
    """Return fields that are zero."""
    return {name: 0 * values for name, values in fields.items()}


def _between_slabs(model: Marching, constraint: str, row: str, points: Points, first: Left) -> dict[str, Left]:
    """Return what one initial condition leaves where the slabs of time meet."""
    pieces = []
    for slab in range(1, len(model.slabs)):
        leaves = {key: x.detach().requires_grad_(key in model.problem.coordinates) for key, x in points.items()}
        with model.slabs.evaluating(slab), torch.enable_grad():
            pieces.append((model.place(leaves), model(constraint, leaves)[row].detach()))
    if not pieces:
        return {}
    at, worst = max(pieces, key=lambda piece: _rms(piece[1]))
    rms = max(_rms(values) for _, values in pieces)
    return {f"{row} between slabs": Left(rms, first.size, first.data, _place(model, at, worst))}


def _rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


def _place(model: Model, points: Points, values: Tensor) -> dict[str, float]:
    worst = int(torch.where(values.isfinite(), values.abs(), torch.inf).argmax())
    return {name: points[name][worst].item() for name in model.problem.coordinates}
