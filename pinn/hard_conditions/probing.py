"""What a residual says about a field, found by putting simple fields in place of the network."""

from collections.abc import Mapping
from operator import itemgetter

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Points
from pinn.hard_conditions.ansatz import TIME, Condition, faces
from pinn.problems import Problem
from pinn.problems.random_fields import Field, random_field

POINTS = 64
"""Of each constraint; an identity that holds at so many random ones holds everywhere."""
ROUND_OFF = 1e-9
"""Relative: a handful of terms in float64, and derivatives of sines; a term that is there leaves one of order one."""


class Probe:
    """One constraint of a problem at random points of its region, in float64.

    Args:
        problem: the problem.
        constraint: its name.
        generator: draws the points.
    """

    def __init__(self, problem: Problem, constraint: str, generator: torch.Generator) -> None:
        self.problem, self.constraint = problem, constraint
        self.region = problem.constraints()[constraint].region
        unit = torch.rand(POINTS, self.region.dimension, generator=generator, dtype=torch.float64)
        self.points = {
            name: values.requires_grad_(name in problem.coordinates)
            for name, values in self.region.points(unit).items()
        }

    def rows(self, fields: Mapping[str, Field]) -> Points:
        """Return the residuals by name, (points,) each, for the given fields; the others are zero."""

        def evaluate(at: Points) -> Points:
            # Attached to its coordinates, so that its derivatives exist.
            nothing = torch.stack([0 * at[name] for name in self.problem.coordinates]).sum(dim=0)
            values = {field: nothing + f(at) for field, f in fields.items()}
            return dict.fromkeys(self.problem.fields, nothing) | values

        with torch.enable_grad():
            return self.problem.residuals(self.constraint, self.points, evaluate)

    def depends_on_unknowns(self, row: Tensor) -> bool:
        """Tell whether an unknown coefficient of the problem enters."""
        unknowns = [parameter for parameter in self.problem.parameters() if parameter.requires_grad]
        if not unknowns or not row.requires_grad:
            return False
        gradients = torch.autograd.grad(row.sum(), unknowns, allow_unused=True, retain_graph=True)
        return any(gradient is not None for gradient in gradients)


def equal(a: Tensor, b: Tensor) -> bool:
    """Tell whether two rows are the same to round-off."""
    size = max(a.abs().max().item(), b.abs().max().item(), 1.0)
    return (a - b).abs().max().item() <= ROUND_OFF * size


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
        fields = [field for field, change in changes.items() if not equal(change["random"], 0 * zero[row])]
        if len(fields) != 1 or not equal(together[row] - zero[row], changes[fields[0]]["random"]):
            return "it joins several fields"
        [field] = fields
        change = changes[field]
        if not equal(twice[field][row] - zero[row], 2 * change["random"]):
            return f"it is not linear in {field}"
        given = {key: f(probe.points) for key, f in {**simple, "random": random[field]}.items()}
        factor = change["1"].mean().item()
        if abs(factor) > ROUND_OFF and all(equal(change[key], factor * given[key]) for key in given):
            return Condition(row, "value", field, factor)
        if [patch.fixed for patch in patches] == start:
            slopes = {key: partial(f + 0 * probe.points[TIME], probe.points[TIME]) for key, f in given.items()}
            factor = change[TIME].mean().item()
            if abs(factor) > ROUND_OFF and all(equal(change[key], factor * slopes[key]) for key in given):
                return Condition(row, "velocity", field, factor)
        if abs(factor) > ROUND_OFF and not equal(change["1"], factor * given["1"]):
            return f"its factor before {field} is not constant"
        return f"it takes derivatives of {field}"

    return {row: judge(row) for row in zero}


def _scaled(field: Field, by: float) -> Field:
    return lambda at: by * field(at)


def _coordinates(problem: Problem) -> dict[str, Field]:
    return {name: itemgetter(name) for name in problem.coordinates}
