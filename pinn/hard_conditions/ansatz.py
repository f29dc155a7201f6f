"""The ansatz u = G + D N: G meets the data on the faces of the box, D vanishes there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from pinn.domains import Patch, Points, Region, Union
from pinn.errors import InputError
from pinn.problems import Problem

TIME = "t"
"""The coordinate in which a velocity may be given beside a value."""


Kind = Literal["value", "velocity", "periodic"]


@dataclass(frozen=True)
class Condition:
    """A residual r that is built in: r = a (u - g) for a value, r = a (u_t - g) for a velocity, or periodicity.

    Attributes:
        row: name of the residual, `walls` or `initial.value`.
        kind: what it says.
        name: of the field, or of the coordinate that is periodic.
        factor: a; for periodicity the size of the row for fields that are not periodic.
    """

    row: str
    kind: Kind
    name: str
    factor: float = 1.0


class HardConditions:
    """Fields that meet conditions whatever the network is.

    A field with given values becomes u = G + D N. D is a product over the coordinates: the distance τ to a single face,
    4ξ(1 - ξ) between two, τ² where value and velocity are given, with τ and ξ from 0 to 1 through the box. G is the
    transfinite interpolation of the data (Coons 1967; Gordon and Hall 1973), coordinate by coordinate and time first,
    G ← G + P(g - G), with P the interpolation between the faces across a coordinate: constant from a single
    face, linear between two, g + (t - t₀) v from value and velocity. Where faces meet, the data must agree;
    `find_conditions` sees to that.

    The data g = -r(0) / a are the residual of zero fields at the projection of a point on the face, so that they are
    known and smooth wherever the condition is. Periodicity is no part of u: it asks for a network whose inputs are
    periodic, see `pinn.networks.PeriodicInputs`.

    Args:
        problem: whose constraints the conditions are.
        conditions: all that are built in; none for none.

    Raises:
        InputError: a condition that this problem cannot have.
    """

    def __init__(self, problem: Problem, conditions: Sequence[Condition] = ()) -> None:
        self.problem, self.conditions = problem, tuple(conditions)
        self.rows = frozenset(condition.row for condition in conditions)
        wrapped = {condition.name for condition in conditions if condition.kind == "periodic"}
        self.periodic = tuple(name for name in problem.coordinates if name in wrapped)
        constraints = problem.constraints()
        self._axes: dict[str, dict[str, _Axis]] = {}
        for condition in conditions:
            constraint = condition.row.split(".")[0]
            names = problem.coordinates if condition.kind == "periodic" else problem.fields
            if constraint not in constraints or condition.name not in names:
                raise InputError(f"{type(problem).__name__} has nothing for the condition {condition}.")
            if condition.kind == "periodic":
                continue
            for face in faces(constraints[constraint].region):
                [(coordinate, end)] = face.fixed.items()
                axes = self._axes.setdefault(condition.name, {})
                axis = axes.setdefault(coordinate, _Axis(coordinate, *problem.domain.intervals[coordinate]))
                data = _Data(problem, constraint, condition, face)
                if condition.kind == "velocity":
                    axis.velocity = data
                else:
                    axis.values[end] = data
        for name, axes in self._axes.items():
            if any(not axis.values for axis in axes.values()):
                raise InputError(f"{name} is given a velocity on a face where it is given no value.")

    def apply(self, points: Points, outputs: Points) -> Points:
        """Return the fields by name, (points,) each, from the network's outputs by name."""
        fields = dict(outputs)
        for name, by_coordinate in self._axes.items():
            # Time first: where faces meet, its data count.
            axes = sorted(by_coordinate.values(), key=lambda axis: axis.coordinate != TIME)
            fields[name] = _lift(points, axes) + _distance(points, axes) * outputs[name]
        return fields


def faces(region: Region) -> list[Patch]:
    """Return the faces of the box that a region consists of; none if it is anything else."""
    patches = list(region.parts) if isinstance(region, Union) else [region] if isinstance(region, Patch) else []
    # A patch has a normal if one coordinate is fixed, at an end of its interval.
    return patches if all(patch.normals for patch in patches) else []


class _Data:
    """g = -r(0) / a on one face."""

    def __init__(self, problem: Problem, constraint: str, condition: Condition, face: Patch) -> None:
        self.problem, self.constraint, self.row, self.factor = problem, constraint, condition.row, condition.factor
        [(self.coordinate, self.end)] = face.fixed.items()
        one = face.points(torch.zeros(1, face.dimension, dtype=torch.float64))
        self.normals = {name: one[name].item() for name in face.normals}

    def project(self, points: Points) -> Points:
        """Return the nearest points of the face."""
        moved = {name: points[name] for name in self.problem.coordinates}
        return moved | {self.coordinate: torch.full_like(points[self.coordinate], self.end)}

    def __call__(self, at: Points) -> Tensor:
        """Return the data at points of the face, differentiable by their coordinates."""
        # A residual may take derivatives whatever the mode of the caller.
        with torch.enable_grad():
            leaves = {name: x if x.requires_grad else x.detach().requires_grad_() for name, x in at.items()}
            normals = {name: torch.full_like(at[self.coordinate], value) for name, value in self.normals.items()}
            rows = self.problem.residuals(self.constraint, leaves | normals, self._zero)
        if self.row not in rows:
            raise InputError(f"{type(self.problem).__name__} has no residual {self.row}; it has {', '.join(rows)}.")
        return rows[self.row] / -self.factor

    def _zero(self, at: Points) -> Points:
        # Attached to its coordinates, so that its derivatives exist.
        nothing = torch.stack([0 * at[name] for name in self.problem.coordinates]).sum(dim=0)
        return dict.fromkeys(self.problem.fields, nothing)


@dataclass
class _Axis:
    """What is given across one coordinate of a field, by the end of its interval."""

    coordinate: str
    lower: float
    upper: float
    values: dict[float, _Data] = field(default_factory=dict)
    velocity: _Data | None = None

    def along(self, points: Points, end: float) -> Tensor:
        """Return 0 on the face at this end, 1 on the opposite one."""
        x = points[self.coordinate]
        return (x - self.lower if end == self.lower else self.upper - x) / (self.upper - self.lower)

    def distance(self, points: Points) -> Tensor:
        """Return this coordinate's factor of D."""
        factors = [self.along(points, end) for end in self.values]
        if len(factors) == 2:
            return 4 * factors[0] * factors[1]
        return factors[0] ** 2 if self.velocity else factors[0]


def _distance(points: Points, axes: Sequence[_Axis]) -> Tensor:
    """Return D, (points,)."""
    return reduce(torch.mul, [axis.distance(points) for axis in axes])


def _lift(points: Points, axes: Sequence[_Axis]) -> Tensor:
    """Return G, (points,): for the last axis G + P(g - G), with the G of the axes before it."""
    *before, axis = axes
    lift = _lift(points, before) if before else torch.zeros_like(points[axis.coordinate])
    for end, data in axis.values.items():
        at = data.project(points)
        missing = data(at) - _lift(at, before) if before else data(at)
        lift = lift + (missing if len(axis.values) == 1 else (1 - axis.along(points, end)) * missing)
    if axis.velocity:
        lift = lift + (points[axis.coordinate] - axis.lower) * axis.velocity(axis.velocity.project(points))
    return lift
