"""Which conditions give the value or the velocity of a field."""

from operator import itemgetter

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.hard_conditions.ansatz import TIME, Condition, faces
from pinn.problems import Problem
from pinn.problems.probing import Field, Probe, random_field

ROUND_OFF = 1e-9
"""Relative: a handful of terms in float64, and derivatives of sines; a term that is there leaves one of order one."""


def equal(a: Tensor, b: Tensor, size: float) -> bool:
    """Tell whether two rows are the same to round-off, where what they were computed from has this size."""
    return (a - b).abs().max().item() <= ROUND_OFF * size


def largest(*rows: Tensor) -> float:
    """Return the largest size of an entry."""
    return max(row.abs().max().item() for row in rows)


def conditions_on_faces(problem: Problem, constraint: str, generator: torch.Generator) -> dict[str, Condition | str]:
    """Return what each row of a constraint says of one field, or in a few words why it cannot be built in.

    A row r gives a *value* if it is affine, r(c f) = r(0) + a c f with the same a ≠ 0 everywhere: it is tried with 1,
    every coordinate (so that no derivative enters, not even the normal one) and a random field, and again while the
    other fields are not zero. It gives a *velocity* on the start of time if r(f) = r(0) + a f_t instead.

    Args:
        problem: the problem.
        constraint: its name.
        generator: draws points and fields.
    """
    probe = Probe(problem, constraint, generator)
    patches = faces(probe.region)
    start = [{TIME: problem.domain.intervals.get(TIME, (None,))[0]}]
    zero = probe.rows({})
    random = {name: random_field(problem, generator) for name in problem.fields}
    together = probe.rows(random)
    simple = {"1": lambda at: torch.ones_like(at[problem.coordinates[0]]), **_coordinates(problem)}
    answers = {
        field: {key: probe.rows({field: f}) for key, f in {**simple, "random": random[field]}.items()}
        for field in problem.fields
    }
    twice = {field: probe.rows({field: _scaled(f, 2.0)}) for field, f in random.items()}

    def judge(row: str) -> Condition | str:
        if not patches:
            return "it does not hold on faces of the box"
        if probe.depends_on_unknowns(together[row]):
            return "an unknown coefficient enters"
        changes = {
            field: {key: rows[row] - zero[row] for key, rows in by_key.items()} for field, by_key in answers.items()
        }
        # What the data lose to round-off is a millionth of what these comparisons allow.
        size = max(largest(*change.values()) for change in changes.values()) + 1e-6 * largest(zero[row])
        fields = [field for field, change in changes.items() if largest(change["random"]) > ROUND_OFF * size]
        if len(fields) != 1 or not equal(together[row] - zero[row], changes[fields[0]]["random"], size):
            return "it joins several fields"
        [field] = fields
        change = changes[field]
        if not equal(twice[field][row] - zero[row], 2 * change["random"], size):
            return f"it is not linear in {field}"
        given = {key: f(probe.points) for key, f in {**simple, "random": random[field]}.items()}
        factor = change["1"].mean().item()
        if abs(factor) > ROUND_OFF * size and all(equal(change[key], factor * given[key], size) for key in given):
            return Condition(row, "value", field, factor)
        if [patch.fixed for patch in patches] == start:
            slopes = {key: partial(f + 0 * probe.points[TIME], probe.points[TIME]) for key, f in given.items()}
            factor = change[TIME].mean().item()
            if abs(factor) > ROUND_OFF * size and all(equal(change[key], factor * slopes[key], size) for key in given):
                return Condition(row, "velocity", field, factor)
        if abs(factor) > ROUND_OFF * size and not equal(change["1"], factor * given["1"], size):
            return f"its factor before {field} is not constant"
        return f"it takes derivatives of {field}"

    return {row: judge(row) for row in zero}


def _scaled(field: Field, by: float) -> Field:
    return lambda at: by * field(at)


def _coordinates(problem: Problem) -> dict[str, Field]:
    return {name: itemgetter(name) for name in problem.coordinates}
