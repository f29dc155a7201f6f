"""The forms in which coordinates and fields come, taken apart into single components and put together again.

Coordinates are a sequence of tensors ``(points,)``, or one tensor ``(points, dim)``; a sequence may hold both kinds.
A scalar field is one tensor ``(points,)``. A vector field is a sequence of those or one tensor ``(points, m)``, a
tensor field a sequence of rows of those or one tensor ``(points, m, n)``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.contract import check_tensor
from pinn.derivatives.errors import ShapeError

Coordinates = Tensor | Sequence[Tensor]
Vector = Tensor | Sequence[Tensor]
Rows = Sequence[Sequence[Tensor]]
Matrix = Tensor | Rows
Field = Tensor | Sequence[Tensor] | Rows


def inputs(coordinates: Coordinates) -> Sequence[Tensor]:
    """The tensors that autograd differentiates with respect to."""
    if not isinstance(coordinates, Tensor):
        for coordinate in coordinates:
            check_tensor(coordinate, "coordinate")
        return coordinates
    if coordinates.ndim != 2:
        raise ShapeError(
            f"the coordinates as one tensor have shape {tuple(coordinates.shape)}, expected (points, dim); "
            "separate coordinates come as a tuple: (x, y), or (x,) for one"
        )
    return [coordinates]


def lines(coordinates: Coordinates) -> list[tuple[Tensor, int | None]]:
    """Every single coordinate: the tensor that holds it, and its column there if that has columns."""
    return [
        (tensor, column)
        for tensor in inputs(coordinates)
        for column in ([None] if tensor.ndim < 2 else range(tensor.shape[1]))
    ]


def columns(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Tensors ``(points,)`` as they are, and the columns of tensors ``(points, dim)``."""
    return tuple(part for tensor in tensors for part in ([tensor] if tensor.ndim < 2 else tensor.unbind(1)))


def in_form_of_coordinates(coordinates: Coordinates, parts: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """One part for each single coordinate, put together as the coordinates are: the inverse of `columns`."""
    remaining = iter(parts)
    tensors = tuple(
        next(remaining) if tensor.ndim == 1 else torch.stack([next(remaining) for _ in range(tensor.shape[1])], 1)
        for tensor in inputs(coordinates)
    )
    return tensors[0] if isinstance(coordinates, Tensor) else tensors


def in_form_of_field(field: Vector | Matrix, parts: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Components as a trailing axis if the field is one tensor, and as a tuple otherwise."""
    return torch.stack(tuple(parts), 1) if isinstance(field, Tensor) else tuple(parts)


def rank(field: Field) -> int:
    """0 for a scalar field, 1 for a vector field, 2 for a tensor field."""
    if isinstance(field, Tensor):
        return field.ndim - 1
    if not field:
        raise ShapeError("the field has no components, expected at least one")
    return 1 + rank(field[0])


def vector(field: Field, number: int | None = None) -> tuple[Tensor, ...]:
    """The components of a vector field, each ``(points,)``, and as many as the number says if there is one."""
    if rank(field) != 1:
        raise ShapeError(
            "expected a vector field, as a sequence of tensors (points,) or one tensor (points, m); "
            f"got {_described(field)}"
        )
    parts: Sequence[Any] = field.unbind(1) if isinstance(field, Tensor) else field
    if number is not None and number != len(parts):
        raise ShapeError(f"the vector has {len(parts)} components, expected {number}: one for each coordinate")
    return tuple(parts)


def matrix(field: Field, number: int) -> Rows:
    """The rows of a tensor field, each of that number of components ``(points,)``."""
    if rank(field) != 2:
        raise ShapeError(
            "expected a tensor field, as a sequence of rows of tensors (points,) or one tensor (points, m, n); "
            f"got {_described(field)}"
        )
    return [vector(row, number) for row in (field.unbind(1) if isinstance(field, Tensor) else field)]


def _described(field: Field) -> str:
    if isinstance(field, Tensor):
        return f"one tensor of shape {tuple(field.shape)}"
    return f"a sequence of {len(field)} parts, the first of which is {_described(field[0])}"
