"""A problem is evaluated once before anything is planned or trained: what is wrong with it is told by name."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.errors import InputError, NotFinite
from pinn.finite import where_not_finite
from pinn.problems.probing import Field, random_field
from pinn.problems.problem import Problem
from pinn.references import Reference
from pinn.theirs import in_their_code

CONSTANTS = (0.0, 1.0, -1.0, 0.1)
"""Fields that are tried where smooth random ones give no number: roots and logarithms of some of them do."""
POINTS = 64
"""At which a reference is tried."""
POINTS_AT_ONCE = 16_384
"""At which residuals are evaluated together, so that memory is bounded."""


def require_problem(problem: object) -> None:
    """Raise InputError unless something is a problem, made and ready."""
    if isinstance(problem, type) and issubclass(problem, Problem):
        raise InputError(f"a problem is needed; it was given the class {problem.__name__}; write {problem.__name__}().")
    if not isinstance(problem, Problem):
        raise InputError(f"a pinn.Problem is needed, as pinn.problems.Poisson(); it was given {problem!r}.")


def try_out(problem: Problem, points: Mapping[str, Points]) -> None:
    """Evaluate constraints, ansatz and reference of a problem with smooth random fields in place of a network.

    Args:
        problem: on its device.
        points: of every constraint, by its name.

    Raises:
        InputError: one of them cannot be evaluated, gives other values than real numbers of one precision, or does not
            depend on the fields; or a field that no residual depends on.
        NotFinite: a residual is infinite or no number at one of the points, whatever the fields are.
    """
    generator = torch.Generator().manual_seed(0)
    fields = {field: random_field(problem, generator) for field in problem.fields}
    coefficients = {key: value for key, value in problem.named_parameters() if value.requires_grad}
    unused = {*problem.fields, *coefficients}
    for name, quantities in points.items():
        blocks = zip(*(values.split(POINTS_AT_ONCE) for values in quantities.values()), strict=True)
        for block in (dict(zip(quantities, values, strict=True)) for values in blocks):
            sizes = {field: torch.ones((), dtype=torch.float64, requires_grad=True) for field in problem.fields}
            rows = _residuals(problem, name, block, fields, sizes)
            unused -= _require_dependent(problem, rows, sizes | coefficients, block[problem.coordinates[0]].dtype)
            _require_finite(problem, name, block, rows)
    if unused:
        names = ", ".join(sorted(unused))
        raise InputError(f"{type(problem).__name__}: no residual depends on {names}; take it out.")
    interior = next((p for p in points.values() if set(p) == set(problem.coordinates)), next(iter(points.values())))
    try_reference(problem, {name: interior[name][:POINTS].detach() for name in problem.coordinates})


def _require_dependent(problem: Problem, rows: Points, trained: Mapping[str, Tensor], dtype: torch.dtype) -> set[str]:
    """Return which fields and coefficients residuals depend on, or raise InputError for one that depends on none."""
    title = type(problem).__name__
    used: set[str] = set()
    for name, row in rows.items():
        if row.dtype != dtype:
            raise InputError(
                f"{title}: residual {name!r} has dtype {_short(row.dtype)}, expected {_short(dtype)}: real numbers in "
                f"the precision of the coordinates."
            )
        leaves = list(trained.values())
        slopes = (
            torch.autograd.grad(row.sum(), leaves, retain_graph=True, allow_unused=True) if row.requires_grad else ()
        )
        if all(slope is None for slope in slopes):
            raise InputError(
                f"{title}: residual {name!r} does not depend on the network; compute it from the fields "
                f"{', '.join(problem.fields)} without detach(), item() or numpy()."
            )
        used |= {key for key, slope in zip(trained, slopes, strict=False) if slope is not None}
    return used


def _residuals(
    problem: Problem, name: str, points: Points, fields: Mapping[str, Field], sizes: Mapping[str, Tensor]
) -> Points:
    leaves = {key: x.detach().requires_grad_(key in problem.coordinates) for key, x in points.items()}
    title = type(problem).__name__

    def evaluate(at: Points) -> Points:
        like = at[problem.coordinates[0]]
        raw = {field: (sizes[field] * fields[field](at)).to(like.dtype) for field in problem.fields}
        with in_their_code(f"{title}: the ansatz cannot be evaluated"):
            changed = problem.apply_ansatz(at, raw)
        _require_values(f"{title}: the ansatz", changed, problem.fields, like)
        return changed

    with torch.enable_grad(), in_their_code(f"{title}: constraint {name!r} cannot be evaluated by torch's operations"):
        return problem.residuals(name, leaves, evaluate)


def _require_finite(problem: Problem, name: str, points: Points, rows: Points) -> None:
    """Raise NotFinite for a point where a residual is not finite for any of several fields: its data are not, there."""
    bad = _bad(rows)
    fields: dict[str, Field] = dict.fromkeys(problem.fields, lambda at: _one(at, problem))
    for constant in CONSTANTS:
        if not bad.any():
            return
        size = torch.full((), constant, dtype=torch.float64)
        rows = _residuals(problem, name, points, fields, dict.fromkeys(problem.fields, size))
        bad &= _bad(rows)
    marked = {row_name: torch.where(bad, row.detach(), 0) for row_name, row in rows.items()}
    if where := where_not_finite(marked, points, problem.coordinates):
        raise NotFinite(
            f"{type(problem).__name__}: residual {where} whatever the fields are; look at its data and coefficients, "
            f"and for a division by zero, a logarithm or a root."
        )


def _bad(rows: Points) -> Tensor:
    return torch.stack([~torch.isfinite(row.detach()) for row in rows.values()]).any(dim=0)


def _one(at: Points, problem: Problem) -> Tensor:
    """Return ones that are attached to the coordinates, so that their derivatives exist."""
    return 1 + torch.stack([0 * at[name] for name in problem.coordinates]).sum(dim=0)


def try_reference(problem: Problem, points: Points) -> None:
    """Raise InputError unless the reference of a problem gives fields by name, one number a point."""
    title = type(problem).__name__
    with in_their_code(f"{title}: the reference cannot be made"):
        reference = problem.reference()
    if reference is None:
        return
    if not isinstance(reference, Reference):
        raise InputError(f"{title}.reference() must return a reference, as pinn.Exact(…); it returned {reference!r}.")
    with torch.no_grad(), in_their_code(f"{title}: the reference cannot be evaluated"):
        values = reference(**points)
    _require_values(f"{title}: the reference", values, problem.fields, points[problem.coordinates[0]])
    for field, value in values.items():
        if not torch.isfinite(value).any():
            raise InputError(
                f"{title}: the reference of {field} is infinite or no number at all of {len(value)} points."
            )


def _require_values(what: str, values: Any, fields: tuple[str, ...], like: Tensor) -> None:
    """Raise InputError unless values are fields by name, one number a point."""
    if not isinstance(values, Mapping) or not values:
        given = "an empty one" if isinstance(values, Mapping) else f"a {type(values).__name__}"
        raise InputError(f"{what} must return a dict of fields by name; it returned {given}.")
    for name, value in values.items():
        if name not in fields:
            raise InputError(f"{what} returns {name!r}, which is no field; the fields are {', '.join(fields)}.")
        if not isinstance(value, Tensor) or value.shape != like.shape or not value.dtype.is_floating_point:
            given = repr(value)
            if isinstance(value, Tensor):
                given = f"{_short(value.dtype)} of shape {tuple(value.shape)}"
            raise InputError(f"{what} gives {name} as {given}, expected real numbers of shape {tuple(like.shape)}.")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
