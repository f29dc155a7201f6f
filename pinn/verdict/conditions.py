"""How many conditions a problem has, beside how many the orders of its derivatives ask for."""

from dataclasses import dataclass
from functools import partial
from math import log2

import torch
from torch import Tensor

from pinn.domains import Patch, Periodic, Points, Region
from pinn.problems import Problem
from pinn.problems.probing import Field, Probe, random_field

MOST_ORDER = 6
DEPENDS = 1e-9
"""Of the largest answer of a residual to a field: a smaller one is none."""


@dataclass(frozen=True)
class Count:
    """Conditions on one field across one coordinate.

    Attributes:
        field: its name.
        coordinate: its name.
        order: of the highest derivative of the field by this coordinate in the equations.
        conditions: how many rows of conditions on the two faces across the coordinate name the field; a periodic one
            counts once, a condition at a single point or on an edge not at all.
    """

    field: str
    coordinate: str
    order: int
    conditions: int

    def __str__(self) -> str:
        number = {0: "no condition", 1: "one condition"}.get(self.conditions, f"{self.conditions} conditions")
        return (
            f"{self.field} has {number} on the sides across {self.coordinate}, and its derivatives by "
            f"{self.coordinate} are of order {self.order}"
        )


def count_conditions(problem: Problem) -> list[Count]:
    """Count for each field and each coordinate.

    As a rule there are as many conditions as the order says. It has exceptions: a pressure is of first order and needs
    one number, a characteristic may leave through a face. So the counts say what may be missing, not that it is.

    Args:
        problem: on the CPU, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    counts = []
    sides = [
        (name, constraint.region)
        for name, constraint in problem.constraints().items()
        if constraint.region.dimension == len(problem.coordinates) - 1
    ]
    for field in problem.fields:
        dependent = {name: _dependent_rows(problem, name, field, generator) for name, _ in sides}
        for coordinate in problem.coordinates:
            conditions = sum(dependent[name] * _sides(region, coordinate) for name, region in sides)
            counts.append(Count(field, coordinate, _order(problem, field, coordinate, generator), conditions))
    return counts


def what_is_missing(problem: Problem) -> list[str]:
    """Return in words what may leave the solution of a problem open.

    Args:
        problem: on the CPU, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    missing = []
    counts = count_conditions(problem)
    without = fields_without_equation(problem)
    # One number is enough for a pressure.
    corners = [
        name
        for name, constraint in problem.constraints().items()
        if constraint.region.dimension < len(problem.coordinates) - 1
    ]
    for field in problem.fields:
        few = [count for count in counts if count.field == field and count.conditions < count.order]
        if field in without:
            missing.append(f"{field} is in no equation")
        elif all(count.order < 2 for count in few) and not any(
            _sees_constants(problem, name, field, generator) for name in problem.constraints()
        ):
            missing.append(f"{field} may be changed by a constant: give its value at one point, as by domain.point()")
        elif all(count.order < 2 for count in few) and any(
            _dependent_rows(problem, name, field, generator) for name in corners
        ):
            continue
        else:
            missing += [str(count) for count in few]
    return missing


def fields_without_equation(problem: Problem) -> list[str]:
    """Return the fields that no residual on the interior depends on.

    Args:
        problem: on the CPU, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    interior = [
        name
        for name, constraint in problem.constraints().items()
        if constraint.region.dimension == len(problem.coordinates)
    ]
    return [
        field
        for field in problem.fields
        if not any(_dependent_rows(problem, name, field, generator) for name in interior)
    ]


def _sides(region: Region, coordinate: str) -> int:
    """Return how many faces across a coordinate a region has; a periodic pair is one."""
    if isinstance(region, Periodic):
        return int(region.coordinate == coordinate)
    return sum(isinstance(part, Patch) and coordinate in part.fixed for part in region.parts)


def _sees_constants(problem: Problem, name: str, field: str, generator: torch.Generator) -> bool:
    """Tell whether a constraint changes where a field is changed by a constant."""
    probe = Probe(problem, name, generator)
    fields = _fields(problem, generator)
    before, after = probe.rows(fields), probe.rows({**fields, field: lambda at: fields[field](at) + 1})
    return any((after[row] - before[row]).abs().max() > DEPENDS * before[row].abs().max() for row in before)


def _dependent_rows(problem: Problem, name: str, field: str, generator: torch.Generator) -> int:
    """Return how many residuals of a constraint depend on a field; one that is no number may, and counts."""
    probe = Probe(problem, name, generator)
    fields = _fields(problem, generator)
    before = probe.rows(fields)
    after = probe.rows({**fields, field: _fields(problem, generator)[field]})
    changes = {row: (after[row] - before[row]).abs().max().item() for row in before}
    sizes = {row: max(before[row].abs().max().item(), after[row].abs().max().item()) for row in before}
    return sum(not change <= DEPENDS * sizes[row] for row, change in changes.items())


def _fields(problem: Problem, generator: torch.Generator) -> dict[str, Field]:
    """Return smooth fields from 1 to 3, of which there are roots and logarithms."""
    drawn = {name: random_field(problem, generator) for name in problem.fields}
    return {name: partial(_raised, field) for name, field in drawn.items()}


def _raised(field: Field, at: Points) -> Tensor:
    return field(at) + 2


def _order(problem: Problem, field: str, coordinate: str, generator: torch.Generator) -> int:
    """Return the order of the highest derivative of a field by a coordinate, over all equations.

    The answer to εg sin κξ grows as κ to that power; ε is small, so that nothing but the first power of it counts.
    """
    fields = _fields(problem, generator)
    lower, upper = problem.domain.intervals[coordinate]
    found = 0
    for name, constraint in problem.constraints().items():
        if constraint.region.dimension < len(problem.coordinates):
            continue
        probe = Probe(problem, name, generator)
        before = probe.rows(fields)
        answers: list[Points] = []
        for frequency in (2.0**10, 2.0**11):
            wave = _wave(fields[field], coordinate, frequency / (upper - lower))
            rows = probe.rows({**fields, field: wave})
            answers.append({row: (rows[row] - before[row]) for row in rows})
        for row in before:
            slow, fast = (_rms(answer[row]) for answer in answers)
            if slow > 0 and fast > 0:
                found = max(found, min(MOST_ORDER, round(log2(fast / slow))))
    return found


def _wave(field: Field, coordinate: str, frequency: float) -> Field:
    return lambda at: field(at) + 1e-6 * torch.sin(frequency * at[coordinate])


def _rms(values: Tensor) -> float:
    return values.detach().square().mean().sqrt().item()
