"""Regions: the sets on which a condition holds. A region turns numbers in the unit cube into named points."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import floor

import torch
from torch import Tensor

from pinn.errors import InputError

LEAST_SHARE = 0.1
"""Of an equal share of the points: no part of a region gets less, however small its measure.

Lengths of different coordinates may have different units, and the short side of a thin plate determines the solution
as much as the long one."""

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

    @property
    def parts(self) -> "Sequence[Region]":
        """The pieces that the region consists of, each an image of a unit cube of its own: itself, if it is one."""
        return (self,)

    def shares(self, count: int) -> list[int]:
        """Share out so many points among the parts, in proportion to their measures; none goes without.

        A part has at least a tenth of an equal share, rounded down, and at least one point.

        Raises:
            InputError: fewer points than parts.
        """
        measures = [part.measure for part in self.parts]
        if count < len(measures):
            raise InputError(f"a region of {len(measures)} parts needs a point in each of them; it was given {count}.")
        least = max(1, floor(LEAST_SHARE * count / len(measures)))
        small: set[int] = set()
        while True:
            # What the small parts get is taken from the others, which may make some of those small.
            left = count - least * len(small)
            total = sum(measure for index, measure in enumerate(measures) if index not in small)
            shares = [least if index in small else left * measure / total for index, measure in enumerate(measures)]
            smaller = {index for index, share in enumerate(shares) if share < least - 1e-9}
            if not smaller:
                return _whole(shares)
            small |= smaller

    @abstractmethod
    def points(self, unit: Tensor) -> Points:
        """Map numbers in the unit cube, shape (points, dimension), to named points and normals, each (points,)."""

    def place(self, units: Sequence[Tensor]) -> Points:
        """Do the same with numbers of its own for each part, (points, dimension) each."""
        return self.points(torch.cat(list(units)))

    def scattered(self, count: int, generator: torch.Generator) -> Points:
        """Return so many random points in float64, on the CPU, but no fewer than there are parts."""
        rows = max(count, len(self.parts))
        return self.points(torch.rand(rows, self.dimension, generator=generator, dtype=torch.float64))

    def image(self, points: Points) -> Points | None:
        """Return the points that a condition at two places compares with `points`; a region without any has None."""
        return None


def _whole(shares: Sequence[float]) -> list[int]:
    """Round numbers to whole ones of the same sum: down, and up for those that lose the most by it."""
    # Of equal parts the first ones get more, whatever the round-off of their shares.
    whole = [floor(share + 1e-9) for share in shares]
    by_loss = sorted(range(len(shares)), key=lambda index: round(whole[index] - shares[index], 9))
    for index in by_loss[: round(sum(shares)) - sum(whole)]:
        whole[index] += 1
    return whole


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
    """Several patches of the same dimension that meet in sets of measure zero: the faces of a boundary, for example."""

    def __init__(self, parts: Sequence[Patch]) -> None:
        self._parts = tuple(parts)
        first = self._parts[0]
        self.coordinates, self.normals, self.dimension = first.coordinates, first.normals, first.dimension
        self.measure = sum(part.measure for part in self._parts)

    @property
    def parts(self) -> Sequence[Patch]:
        """The patches."""
        return self._parts

    def points(self, unit: Tensor) -> Points:
        """Give each part its share of the rows, in order."""
        return self.place(unit.split(self.shares(len(unit))))

    def place(self, units: Sequence[Tensor]) -> Points:
        """Place the points of every part, one part after another."""
        # Matrices, because a cube of a hundred dimensions has two hundred faces of a hundred coordinates each.
        pairs = zip(self._parts, units, strict=True)
        return self._parts[0].named(torch.cat([part.rows(unit) for part, unit in pairs]))

    def __repr__(self) -> str:
        return f"Union({list(self._parts)})"


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
