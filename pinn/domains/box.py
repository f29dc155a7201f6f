"""Boxes of any named dimensions, time among them."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pinn.domains.region import Patch, Periodic, Points, Region, Union
from pinn.errors import InputError


class Box:
    """The product of intervals (a₁, b₁) × … × (a_d, b_d), one for each named coordinate.

    ```python
    Box(x=(-1, 1), t=(0, 1))
    ```

    Coordinates keep the order in which they are given. Time is an interval like any other, called `t`: `boundary()`
    without names leaves it out, for conditions hold on the boundary of space and at the start of time.

    Args:
        intervals: a pair (lower, upper) of finite numbers for each coordinate, lower < upper.

    Raises:
        InputError: no interval, an unusable name, or a pair that is not a finite interval.
    """

    def __init__(self, **intervals: tuple[float, float]) -> None:
        if not intervals:
            raise InputError(
                "Box() was given no interval; give one for each coordinate, as in Box(x=(0, 1), t=(0, 1))."
            )
        self.intervals = {name: _interval(name, pair) for name, pair in intervals.items()}
        self.coordinates = tuple(self.intervals)
        self.lower = tuple(pair[0] for pair in self.intervals.values())
        self.upper = tuple(pair[1] for pair in self.intervals.values())

    @property
    def interior(self) -> Region:
        """All points of the box, for the equation."""
        return Patch(self.intervals, {})

    def face(self, **fixed: float) -> Region:
        """Return the face on which one coordinate has one of its two end values: `face(t=0)` is the start of time."""
        if len(fixed) != 1:
            raise InputError(
                f"face() takes one coordinate and its value, as in face(t=0); it was given {fixed or 'none'}. For an "
                f"edge, where several are given, use at()."
            )
        [(name, value)] = fixed.items()
        self._known(name)
        if value not in self.intervals[name]:
            lower, upper = self.intervals[name]
            raise InputError(f"face({name}={value}) is not a face of {self}; use {name}={lower} or {name}={upper}.")
        return Patch(self.intervals, {name: float(value)})

    def boundary(self, *names: str) -> Region:
        """Return all faces across the named coordinates; without names, across all but time `t`."""
        names = names or tuple(name for name in self.coordinates if name != "t")
        if not names:
            raise InputError(f"{self} has no coordinate but time; name it, as in boundary('t'), or use face(t=...).")
        for name in names:
            self._known(name)
        return Union([Patch(self.intervals, {name: end}) for name in names for end in self.intervals[name]])

    def point(self, **values: float) -> Region:
        """Return the region of the single point with these coordinates, which must all be given and lie in the box."""
        if set(values) != set(self.coordinates):
            raise InputError(
                f"point() needs a value for each of {', '.join(self.coordinates)}; it was given {values}. "
                f"An edge, or a place at all times, is at()."
            )
        return self.at(**values)

    def at(self, **values: float) -> Region:
        """Return all points of the box with these values of some coordinates, anywhere in their intervals.

        `at(x=0, y=0)` of a box in x, y and t is an edge, the place (0, 0) at all times; `at(x=0.5)` is a cut through
        the box. A normal is there where one coordinate has an end value, as on `face()`.
        """
        if not values:
            raise InputError(
                f"at() needs a value of at least one coordinate of {self}, as in at({self.coordinates[0]}=0)."
            )
        for name, value in values.items():
            self._known(name)
            lower, upper = self.intervals[name]
            if not lower <= value <= upper:
                raise InputError(f"{name}={value} lies outside {self}; choose {name} from {lower:g} to {upper:g}.")
        return Patch(self.intervals, {name: float(values[name]) for name in self.coordinates if name in values})

    def periodic(self, name: str) -> Region:
        """Return the pairs of points on the two faces across `name`, for conditions that compare u with `u_image`."""
        self._known(name)
        lower, upper = self.intervals[name]
        return Periodic(Patch(self.intervals, {name: lower}), name, upper - lower)

    def grid(
        self, shape: int | Mapping[str, int], dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> Points:
        """Return the mesh grid, ends included, as tensors of shape (n₁, …, n_d), axis i for the i-th coordinate.

        Args:
            shape: the number of nodes for every coordinate, or one for each by name; at least 2.
            dtype: floating dtype of the coordinates, torch's default if None.
            device: where to make them, torch's default if None.
        """
        axes = [
            torch.linspace(*self.intervals[name], size, dtype=dtype, device=device)
            for name, size in self.grid_sizes(shape).items()
        ]
        return dict(zip(self.coordinates, torch.meshgrid(*axes, indexing="ij"), strict=True))

    def grid_sizes(self, shape: int | Mapping[str, int]) -> dict[str, int]:
        """Return the number of nodes by coordinate, or raise InputError if `shape` is not one for `grid`."""
        sizes = dict(shape) if isinstance(shape, Mapping) else dict.fromkeys(self.coordinates, shape)
        if set(sizes) != set(self.coordinates):
            raise InputError(f"a grid needs a size for each of {', '.join(self.coordinates)}; it was given {shape!r}.")
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 2 for size in sizes.values()):
            raise InputError(f"a grid needs whole numbers of nodes, at least 2 a coordinate; it was given {shape!r}.")
        return {name: sizes[name] for name in self.coordinates}

    def contains(self, points: Points) -> Tensor:
        """Tell for each point whether it lies in the closed box: booleans of the shape of the points.

        An end that was rounded to float32 belongs to the box.
        """
        inside = []
        for name, (lower, upper) in self.intervals.items():
            x = points[name]
            margin = min(torch.finfo(torch.float32).eps * max(abs(lower), abs(upper)), 1e-3 * (upper - lower))
            inside.append((x >= lower - margin) & (x <= upper + margin))
        return torch.stack(inside).all(dim=0)

    def _known(self, name: str) -> None:
        if name not in self.intervals:
            raise InputError(f"{self} has no coordinate {name!r}; it has {', '.join(self.coordinates)}.")

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{name}=({lower:g}, {upper:g})' for name, (lower, upper) in self.intervals.items())})"


def _interval(name: str, pair: tuple[float, float]) -> tuple[float, float]:
    if name.startswith("n_") or name.endswith("_image"):
        raise InputError(f"a coordinate cannot be called {name!r}: n_... are normals and ..._image are image points.")
    expected = f"{name} needs a pair of finite numbers (lower, upper) with lower < upper, as in Box({name}=(0, 1))"
    try:
        lower, upper = (float(end) for end in pair)
    except (TypeError, ValueError) as error:
        raise InputError(f"{expected}; it was given {pair!r}.") from error
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise InputError(f"{expected}; it was given {pair!r}.")
    return lower, upper
