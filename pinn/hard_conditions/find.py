"""Which conditions of a problem can be built in together."""

from collections import defaultdict
from dataclasses import dataclass

import torch

from pinn.domains import Periodic, Points
from pinn.errors import InputError
from pinn.hard_conditions.ansatz import TIME, Condition, HardConditions
from pinn.hard_conditions.probing import ROUND_OFF, conditions_on_faces, equal, largest
from pinn.problems import Problem
from pinn.problems.probing import Probe, random_field

MOST_COORDINATES = 3
"""G takes the data of all faces of a cube, and of all edges in which they meet: hundreds in ten dimensions."""


@dataclass(frozen=True)
class Found:
    """What can be built in, and for every other row of a condition why it stays in the objective."""

    conditions: tuple[Condition, ...]
    soft: dict[str, str]

    def describe(self) -> str:
        """Return both in one line."""
        reasons = defaultdict(list)
        for row, reason in self.soft.items():
            reasons[reason].append(row)
        built = ", ".join(condition.row for condition in self.conditions) or "nothing"
        rest = "; ".join(f"{', '.join(rows)}: {reason}" for reason, rows in reasons.items())
        return f"{built} built in" + (f"; trained are {rest}" if rest else "")


def choose_conditions(hard: bool, problem: Problem, fixed_features: bool) -> Found | None:
    """Return what is built in, or None where nothing is to be.

    Args:
        hard: whether anything is.
        problem: the problem.
        fixed_features: whether the network is one of random features, whose scale is found for inputs as they are.

    Raises:
        InputError: `hard` is neither true nor false.
    """
    if not isinstance(hard, bool):
        raise InputError(f"hard must be true or false; it was given {hard!r}.")
    return find_conditions(problem.copied(), periodic=not fixed_features) if hard else None


def periodic_conditions(problem: Problem) -> tuple[Condition, ...]:
    """Return the periodic ones of the conditions that can be built in."""
    return tuple(each for each in find_conditions(problem.copied()).conditions if each.kind == "periodic")


def find_conditions(problem: Problem, periodic: bool = True) -> Found:
    """Find the conditions of a problem that hold whatever the network is, once they are built into its fields.

    Each row of each constraint off the interior is judged alone, see `conditions_on_faces`; then they are taken one by
    one, periodic ones first, next the start of time, as long as all of them hold to round-off for a random network.
    What spoils that, because its data do not meet those of another face, stays in the objective. No reference is
    looked at.

    Args:
        problem: whose `ansatz`, if it has one, takes the place of all this.
        periodic: whether inputs of the network can be made periodic.
    """
    generator = torch.Generator().manual_seed(0)
    sides = {
        name: constraint.region
        for name, constraint in problem.constraints().items()
        if constraint.region.dimension < len(problem.coordinates)
    }
    refusal = (
        "the problem has an ansatz of its own"
        if type(problem).ansatz is not Problem.ansatz
        else f"there are more than {MOST_COORDINATES} coordinates"
        if len(problem.coordinates) > MOST_COORDINATES
        else None
    )
    if refusal:
        return Found((), {row: refusal for name in sides for row in Probe(problem, name, generator).rows({})})
    candidates: list[list[Condition]] = []
    soft: dict[str, str] = {}
    for name, region in sides.items():
        if isinstance(region, Periodic):
            continue
        for row, verdict in conditions_on_faces(problem, name, generator).items():
            if isinstance(verdict, str):
                soft[row] = verdict
            else:
                candidates.append([verdict])
    candidates.sort(key=lambda group: _order(problem, group[0]))
    for coordinate in problem.coordinates:
        rings = [
            name for name, region in sides.items() if isinstance(region, Periodic) and region.coordinate == coordinate
        ]
        ring, others = _periodicity(problem, coordinate, rings, generator)
        soft |= others
        if ring:
            candidates.insert(0, ring)
    built: list[Condition] = []
    for group in candidates:
        refusal = None if periodic or group[0].kind != "periodic" else "the network has fixed features"
        refusal = refusal or _clash(problem, built, group, generator)
        if refusal:
            soft |= {condition.row: refusal for condition in group}
        else:
            built += group
    return Found(tuple(built), soft)


def _order(problem: Problem, condition: Condition) -> tuple[bool, bool]:
    """Time before space, values before velocities."""
    region = problem.constraints()[condition.row.split(".")[0]].region
    return TIME not in getattr(region, "fixed", ()), condition.kind == "velocity"


def _periodicity(
    problem: Problem, coordinate: str, rings: list[str], generator: torch.Generator
) -> tuple[list[Condition], dict[str, str]]:
    """Return the rows that vanish for all periodic fields, if they ask every field for it, and why others do not."""
    fields = {name: random_field(problem, generator, periodic=[coordinate]) for name in problem.fields}
    others = {name: random_field(problem, generator) for name in problem.fields}
    ring: list[Condition] = []
    soft: dict[str, str] = {}
    asked: set[str] = set()
    for name in rings:
        probe = Probe(problem, name, generator)
        zero = probe.rows({})
        single = {field: probe.rows({field: f}) for field, f in others.items()}
        for row, values in probe.rows(fields).items():
            size = max(largest(rows[row]) for rows in single.values())
            if largest(values, zero[row]) <= ROUND_OFF * size:
                ring.append(Condition(row, "periodic", coordinate, factor=size))
                asked |= {field for field, rows in single.items() if not equal(rows[row], zero[row], size)}
            else:
                soft[row] = f"it does not vanish for every field that is periodic in {coordinate}"
    refusal = None
    if asked != set(problem.fields):
        refusal = f"not every field is periodic in {coordinate}"
    elif not _equation_is_periodic(problem, coordinate, generator):
        refusal = f"the equation is not periodic in {coordinate}"
    if refusal and ring:
        return [], soft | {condition.row: refusal for condition in ring}
    return ring, soft


def _equation_is_periodic(problem: Problem, coordinate: str, generator: torch.Generator) -> bool:
    """Tell whether the equation is the same at both ends: only then are all derivatives of its solution periodic."""
    fields = {name: random_field(problem, generator, periodic=[coordinate]) for name in problem.fields}
    for name, constraint in problem.constraints().items():
        if constraint.region.dimension == len(problem.coordinates):
            probe = Probe(problem, name, generator)
            ends = []
            for end in problem.domain.intervals[coordinate]:
                probe.points[coordinate] = torch.full_like(probe.points[coordinate], end).requires_grad_()
                ends.append(probe.rows(fields))
            if not all(equal(ends[0][row], ends[1][row], largest(ends[0][row], ends[1][row])) for row in ends[0]):
                return False
    return True


def _clash(problem: Problem, built: list[Condition], group: list[Condition], generator: torch.Generator) -> str | None:
    """Return why conditions cannot be added to those that are built in, or None if they can."""
    new = group[0]
    if new.kind == "velocity" and not any(
        other.kind == "value" and other.name == new.name and _order(problem, other)[0] is False for other in built
    ):
        return f"there is no initial value of {new.name} built in beside it"
    hard = HardConditions(problem, [*built, *group])
    networks = {name: random_field(problem, generator, hard.periodic) for name in problem.fields}

    def fields(at: Points) -> Points:
        return hard.apply(at, {name: network(at) for name, network in networks.items()})

    for name in dict.fromkeys(row.split(".")[0] for row in sorted(hard.rows)):
        probe = Probe(problem, name, generator)
        zero = probe.rows({})
        with torch.enable_grad():
            rows = problem.residuals(name, probe.points, fields)
        factors = {condition.row: abs(condition.factor) for condition in hard.conditions}
        for row in hard.rows & set(rows):
            # Against the size of the data, and the round-off of the random fields.
            if not equal(rows[row], torch.zeros_like(rows[row]), largest(zero[row]) + 1e-3 * max(1.0, factors[row])):
                clash = row if row not in {condition.row for condition in group} else "the conditions built in before"
                return f"its data do not meet those of {clash}"
    return None
