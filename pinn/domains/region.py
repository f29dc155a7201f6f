"""Regions: the sets on which a condition holds. A region turns numbers in the unit cube into named points."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Points = dict[str, Tensor]
"""Named quantities at the same points: coordinates, normals or fields, each of shape (points,)."""


class Region(ABC):
    """A set of points, parametrised by the unit cube [0, 1]^dimension.

    Samplers only know the unit cube; a region only knows how to map it onto itself. Equal volumes go to equal volumes,
    so uniform numbers become uniform points.
    """

    coordinates: tuple[str, ...]
    """Names of the coordinates of a point."""
    normals: tuple[str, ...]
    """Names of the components of the outward unit normal, empty where the region has none."""
    dimension: int
    """How many numbers place a point: 0 for a single point."""
    measure: float
    """Length, area or volume of the region in its own dimension, 1 for a single point."""

    @abstractmethod
    def points(self, unit: Tensor) -> Points:
        """Map numbers in the unit cube, shape (points, dimension), to named points and normals, each (points,)."""

    def image(self, points: Points) -> Points | None:
        """Return the points that a condition at two places compares with `points`; a region without any has None."""
        return None


class Patch(Region):
    """The part of a box on which some coordinates are fixed: all of it, a face, an edge or a single point.

    The outward unit normal exists when exactly one coordinate is fixed, at one end of its interval: n_c = ±1 for that
    coordinate and 0 for the others.
    """

    def __init__(self, intervals: Mapping[str, tuple[float, float]], fixed: Mapping[str, float]) -> None:
        self.intervals, self.fixed = dict(intervals), dict(fixed)
        self.coordinates = tuple(self.intervals)
        self.free = tuple(name for name in self.coordinates if name not in self.fixed)
        self.dimension = len(self.free)
        self.measure = 1.0
        for name in self.free:
            lower, upper = self.intervals[name]
            self.measure *= upper - lower
        self._outward = self._outward_normal()
        self.normals = tuple(f"n_{name}" for name in self._outward)

    def _outward_normal(self) -> dict[str, float]:
        if len(self.fixed) != 1:
            return {}
        [(face, value)] = self.fixed.items()
        if value not in self.intervals[face]:
            return {}
        sign = -1.0 if value == self.intervals[face][0] else 1.0
        return {name: sign if name == face else 0.0 for name in self.coordinates}

    def points(self, unit: Tensor) -> Points:
        """Map (points, free coordinates) affinely onto the patch."""
        return self.named(self.rows(unit))

    def rows(self, unit: Tensor) -> Tensor:
        """Return the same points as a matrix: a column for each coordinate, then for each component of the normal."""
        rows = unit.new_empty(len(unit), len(self.coordinates) + len(self.normals))
        lower, upper = (unit.new_tensor([self.intervals[name][end] for name in self.free]) for end in (0, 1))
        rows[:, [self.coordinates.index(name) for name in self.free]] = lower + (upper - lower) * unit
        for name, value in self.fixed.items():
            rows[:, self.coordinates.index(name)] = value
        rows[:, len(self.coordinates) :] = unit.new_tensor(list(self._outward.values()))
        return rows

    def named(self, rows: Tensor) -> Points:
        """Return the columns by name, each a tensor of its own."""
        columns = rows.unbind(dim=1)
        return {name: column.clone() for name, column in zip((*self.coordinates, *self.normals), columns, strict=True)}

    def __repr__(self) -> str:
        return f"Patch({self.intervals}, fixed={self.fixed})"


class Union(Region):
    """Several patches of the same dimension that meet in sets of measure zero: the faces of a boundary, for example.

    Points are shared out in proportion to the measure of each part.
    """

    def __init__(self, parts: Sequence[Patch]) -> None:
        self.parts = tuple(parts)
        first = self.parts[0]
        self.coordinates, self.normals, self.dimension = first.coordinates, first.normals, first.dimension
        self.measure = sum(part.measure for part in self.parts)

    def points(self, unit: Tensor) -> Points:
        """Give each part its share of the rows, in order."""
        ends = [0]
        covered = 0.0
        for part in self.parts:
            covered += part.measure
            ends.append(round(unit.shape[0] * covered / self.measure))
        pairs = zip(self.parts, ends[:-1], ends[1:], strict=True)
        # Matrices, because a cube of a hundred dimensions has two hundred faces of a hundred coordinates each.
        return self.parts[0].named(torch.cat([part.rows(unit[start:end]) for part, start, end in pairs]))

    def __repr__(self) -> str:
        return f"Union({list(self.parts)})"


class Periodic(Region):
    """Pairs of opposite points of a box, one period apart in one coordinate.

    A condition on this region may name `u_image`: the field at the image point. The image coordinate is computed from
    the point's own (x + period), so derivatives of the image with respect to x are the derivatives at the image.
    """

    def __init__(self, face: Patch, coordinate: str, period: float) -> None:
        self.face, self.coordinate, self.period = face, coordinate, period
        self.coordinates, self.normals = face.coordinates, ()
        self.dimension, self.measure = face.dimension, face.measure

    def points(self, unit: Tensor) -> Points:
        """Place points on the lower face."""
        points = self.face.points(unit)
        return {name: points[name] for name in self.coordinates}

    def image(self, points: Points) -> Points:
        """Return the same points shifted by one period."""
        return {**points, self.coordinate: points[self.coordinate] + self.period}

    def __repr__(self) -> str:
        return f"Periodic({self.coordinate}, period={self.period})"
