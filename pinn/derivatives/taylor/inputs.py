"""The coordinates side by side as the inputs of a network, and its outputs one by one as fields."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pinn.derivatives.errors import DtypeError, ShapeError

Coordinates = Tensor | Sequence[Tensor]
Network = Callable[[Tensor], Tensor]


def as_tuple(coordinates: Coordinates) -> tuple[Tensor, ...]:
    """The tensors (points,) or (points, dim) that were given, checked.

    Raises:
        ShapeError: there is none, or one of another rank or number of points.
        DtypeError: one does not hold real floating-point numbers.
    """
    tensors = (coordinates,) if isinstance(coordinates, Tensor) else tuple(coordinates)
    if not tensors:
        raise ShapeError("no coordinates were given, expected tensors of shape (points,) or (points, dim)")
    shapes = [tuple(x.shape) for x in tensors]
    if any(len(shape) not in (1, 2) or shape[0] != shapes[0][0] for shape in shapes):
        raise ShapeError(
            f"the coordinates have shapes {shapes}, expected (points,) or (points, dim) with the same points"
        )
    for x in tensors:
        if not x.is_floating_point():
            raise DtypeError(
                f"a coordinate is {x.dtype}, expected real floating point; convert it, as in x.to(torch.float32)"
            )
    return tensors


def axes(coordinates: Sequence[Tensor]) -> tuple[range, ...]:
    """For each coordinate the inputs of the network that it fills."""
    ends = [0]
    for x in coordinates:
        ends.append(ends[-1] + (1 if x.ndim == 1 else x.shape[1]))
    return tuple(range(start, end) for start, end in itertools.pairwise(ends))


def side_by_side(coordinates: Sequence[Tensor]) -> Tensor:
    """The inputs of the network, (points, inputs)."""
    if len(coordinates) == 1 and coordinates[0].ndim == 2:
        return coordinates[0]
    return torch.cat([x.unsqueeze(-1) if x.ndim == 1 else x for x in coordinates], -1)


def fields(outputs: Tensor, points: int) -> tuple[Tensor, ...]:
    """The outputs of the network, (points,) each.

    Raises:
        ShapeError: they are not (points, outputs).
    """
    if outputs.ndim != 2 or len(outputs) != points:
        raise ShapeError(
            f"the network returned shape {tuple(outputs.shape)} for {points} points, expected (points, outputs)"
        )
    return outputs.unbind(-1)
