"""The coordinate systems once more, by their maps to Cartesian coordinates and their unit vectors alone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pinn import derivatives as d


class Geometry(NamedTuple):
    """A system as the library has it, the map r(q) to Cartesian coordinates, and the unit vectors eᵢ(q) as rows."""

    system: d.System
    dimensions: Sequence[int]
    position: Callable[..., Sequence[Tensor]]
    axes: Callable[..., Sequence[Sequence[Any]]]


CARTESIAN = Geometry(
    d.cartesian,
    (1, 2, 3, 4),
    lambda *x: x,
    lambda *x: [[float(i == j) for j in range(len(x))] for i in range(len(x))],
)
POLAR = Geometry(
    d.polar,
    (2,),
    lambda r, a: (r * a.cos(), r * a.sin()),
    lambda r, a: [[a.cos(), a.sin()], [-a.sin(), a.cos()]],
)
CYLINDRICAL = Geometry(
    d.cylindrical,
    (3,),
    lambda r, a, z: (r * a.cos(), r * a.sin(), z),
    lambda r, a, z: [[a.cos(), a.sin(), 0.0], [-a.sin(), a.cos(), 0.0], [0.0, 0.0, 1.0]],
)
SPHERICAL = Geometry(
    d.spherical,
    (3,),
    lambda r, a, b: (r * a.sin() * b.cos(), r * a.sin() * b.sin(), r * a.cos()),
    lambda r, a, b: [
        [a.sin() * b.cos(), a.sin() * b.sin(), a.cos()],
        [a.cos() * b.cos(), a.cos() * b.sin(), -a.sin()],
        [-b.sin(), b.cos(), 0.0],
    ],
)


def parabolic(s: Tensor, t: Tensor) -> d.Frame:
    """A system as a user would write it: x = st, y = (t² - s²) / 2, both scale factors √(s² + t²)."""
    scale = (s**2 + t**2).sqrt()
    return d.Frame(scales=(scale, scale), curvatures={(0, 1): s / scale**3, (1, 0): t / scale**3})


PARABOLIC = Geometry(
    parabolic,
    (2,),
    lambda s, t: (s * t, (t**2 - s**2) / 2),
    lambda s, t: [[v / (s**2 + t**2).sqrt() for v in row] for row in ((t, -s), (s, t))],
)


def stretched(x: Tensor, y: Tensor) -> d.Frame:
    """Coordinates in two units of length: a step in x is 2 long, one in y is 1."""
    return d.Frame(scales=(2, 1), curvatures={})


STRETCHED = Geometry(stretched, (2,), lambda x, y: (2 * x, y), lambda x, y: [[1.0, 0.0], [0.0, 1.0]])
GEOMETRIES = {
    "cartesian": CARTESIAN,
    "polar": POLAR,
    "cylindrical": CYLINDRICAL,
    "spherical": SPHERICAL,
    "parabolic": PARABOLIC,
    "stretched": STRETCHED,
}


def coordinates(number: int, points: int, seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Numbers between 1/2 and 3/2, where every system is far from its singularities."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(number, points, generator=generator, dtype=torch.float64) + 0.5
    return tuple(row.clone().to(dtype).requires_grad_() for row in values)


def along_axes(value: Any, rank: int, axes: Sequence[Sequence[Any]]) -> Any:
    """Components along the unit vectors, from Cartesian ones."""
    if rank == 0:
        return value
    turned = [along_axes(entry, rank - 1, axes) for entry in value]
    return tuple(_weighted(row, turned) for row in axes)


def _weighted(weights: Sequence[Any], values: Sequence[Any]) -> Any:
    if isinstance(values[0], tuple):
        return tuple(_weighted(weights, column) for column in zip(*values, strict=True))
    return sum(w * v for w, v in zip(weights, values, strict=True))


def in_one_tensor(value: Any, rank: int) -> Tensor:
    """Nested tuples of components as one tensor with a trailing axis for each level."""
    return value if rank == 0 else torch.stack([in_one_tensor(entry, rank - 1) for entry in value], 1)


def flat(value: Any) -> list[Tensor]:
    """All components, each ``(points,)``, of a result in either form."""
    if isinstance(value, Tensor):
        return [value] if value.ndim == 1 else [part for column in value.unbind(1) for part in flat(column)]
    return [part for entry in value for part in flat(entry)]
