"""Conditions that ask for different things at the same place, found before anything is solved."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn.domains import Patch, Points
from pinn.problems import Problem
from pinn.problems.probing import Field, Probe, random_field

POINTS = 16
DRAWS = 4
"""Of random fields. Two conditions that answer to all of them alike ask about the same quantity."""
MOST_SIDES = 24
"""A cube of a hundred dimensions has two hundred, and twenty thousand pairs of them."""
ROUND_OFF = 1e-9
DISAGREEMENT = 1e-6
"""Of the data, relative: above the round-off of any formula for them, below what anybody means."""


@dataclass(frozen=True)
class Contradiction:
    """Two conditions on one quantity that cannot both hold.

    Attributes:
        rows: names of the two residuals, perhaps of one constraint on two faces.
        place: where they meet, by coordinate.
        values: what they ask for, where they ask for values of a field.
        whole: whether they meet on a whole side of the domain, not just at an edge or a corner.
    """

    rows: tuple[str, str]
    place: dict[str, float]
    values: tuple[float, float] | None
    whole: bool

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.place.items())
        first, second = self.rows
        names = f"{first} and {second}" if first != second else f"{first} on two sides"
        what = "different things" if self.values is None else " and ".join(f"{value:.4g}" for value in self.values)
        return f"{names} ask for {what} at {at}"


def find_contradictions(problem: Problem) -> list[Contradiction]:
    """Compare all conditions of a problem, two by two, where their sides meet.

    Two residuals r and s ask about the same quantity at a point if r(f) - r(0) = c (s(f) - s(0)) for any fields f. Then
    they agree if r(0) = c s(0). No field has to be known for that.

    Args:
        problem: on the CPU, in float64. With more sides than `MOST_SIDES` nothing is looked at.
    """
    generator = torch.Generator().manual_seed(0)
    if len(list(_sides(problem))) > MOST_SIDES:
        return []
    draws = [{name: random_field(problem, generator) for name in problem.fields} for _ in range(DRAWS)]
    sides = [(name, patch, _data(problem, name, patch, generator)) for name, patch in _sides(problem)]
    found: list[Contradiction] = []
    # A side stands beside itself too, for a constraint may have several residuals.
    for (first, side, data), (second, other, more) in itertools.combinations_with_replacement(sides, 2):
        if (meeting := _intersection(side, other)) is not None:
            at = meeting.scattered(POINTS, generator)
            one, another = (_answers(problem, *each, at, draws) for each in ((first, side), (second, other)))
            for r, s, index in _disagreeing(one, another, {**data, **more}, itself=(first, side) == (second, other)):
                place = {name: at[name][index].item() for name in problem.coordinates}
                found.append(Contradiction((r.row, s.row), place, _values(r, s, index), len(meeting.fixed) == 1))
    # Where two conditions contradict each other on a whole side, they do at its corners.
    whole = {contradiction.rows for contradiction in found if contradiction.whole}
    return [contradiction for contradiction in found if contradiction.whole or contradiction.rows not in whole]


@dataclass(frozen=True)
class _Answer:
    """What one residual says at some points: r(0), (points,), and its change for each draw, (draws, points)."""

    row: str
    zero: Tensor
    change: Tensor
    ones: Tensor
    """Its change where all fields are 1."""


def _sides(problem: Problem) -> Iterator[tuple[str, Patch]]:
    """Yield the names of constraints with each of the parts of a box on which they hold."""
    for name, constraint in problem.constraints().items():
        for part in constraint.region.parts:
            if isinstance(part, Patch) and part.fixed:
                yield name, part


def _intersection(first: Patch, second: Patch) -> Patch | None:
    """Return the part of a box that lies on both; None if there is none."""
    fixed = {**first.fixed, **second.fixed}
    agree = all(fixed[name] == value for name, value in first.fixed.items())
    return Patch(first.intervals, fixed) if agree else None


def _seen_from(problem: Problem, name: str, patch: Patch, at: Points) -> Probe:
    """Return a constraint at points of one of its sides, with the normal of that side."""
    like = at[problem.coordinates[0]]
    one = patch.points(torch.zeros(1, patch.dimension, dtype=torch.float64))
    normals = {key: torch.full_like(like, one[key].item()) for key in patch.normals}
    return Probe(problem, name, {**{key: at[key] for key in problem.coordinates}, **normals})


def _data(problem: Problem, name: str, patch: Patch, generator: torch.Generator) -> dict[str, float]:
    """Return the largest |r(0)| of each residual on a side."""
    rows = _seen_from(problem, name, patch, patch.scattered(POINTS, generator)).rows({})
    return {row: zero.abs().max().item() for row, zero in rows.items()}


def _answers(
    problem: Problem, name: str, patch: Patch, at: Points, draws: list[dict[str, Field]]
) -> dict[str, _Answer]:
    """Return what each residual of a constraint says at points of one of its sides."""
    probe = _seen_from(problem, name, patch, at)
    zeros, ones = probe.rows({}), probe.rows(dict.fromkeys(problem.fields, _one))
    drawn = [probe.rows(fields) for fields in draws]
    return {
        row: _Answer(row, zero, torch.stack([rows[row] - zero for rows in drawn]), ones[row] - zero)
        for row, zero in zeros.items()
    }


def _one(at: Points) -> Tensor:
    return torch.ones_like(next(iter(at.values())))


def _disagreeing(
    first: dict[str, _Answer], second: dict[str, _Answer], data: dict[str, float], *, itself: bool
) -> Iterator[tuple[_Answer, _Answer, int]]:
    """Yield pairs of residuals about one quantity with other data, and the point where they differ most."""
    pairs = itertools.combinations(first.values(), 2) if itself else itertools.product(first.values(), second.values())
    for r, s in pairs:
        squares = s.change.square().sum(dim=0)
        c = (r.change * s.change).sum(dim=0) / squares
        alike = (r.change - c * s.change).abs().amax(dim=0) <= ROUND_OFF * r.change.abs().amax(dim=0)
        # Of the data on the whole side: at a corner sin πx is zero to round-off only.
        apart, size = (r.zero - c * s.zero).abs(), c.abs() * data[s.row] + data[r.row]
        differs = alike & (squares > 0) & (c != 0) & (apart > DISAGREEMENT * size)
        if differs.any():
            yield r, s, int(torch.where(differs, apart, -1).argmax())


def _values(r: _Answer, s: _Answer, index: int) -> tuple[float, float] | None:
    """Return the values of a field that two residuals ask for; None where they ask for something else."""
    if r.ones[index] == 0 or s.ones[index] == 0:
        return None
    # A sum with zero has no sign.
    return 0.0 - (r.zero / r.ones)[index].item(), 0.0 - (s.zero / s.ones)[index].item()
