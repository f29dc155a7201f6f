"""The two forms in which coordinates and fields come: separate tensors ``(points,)``, or one tensor ``(points, dim)``.

Results come in the form of the coordinates; fields may come in either.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.errors import ShapeError
from pinn.derivatives.reverse import backward

Coordinates = Tensor | Sequence[Tensor]
VectorField = Tensor | Sequence[Tensor]


def partials(u: Tensor, coordinates: Coordinates) -> tuple[Tensor, ...]:
    """(∂u/∂x₁, …, ∂u/∂xₙ), each ``(points,)``, from one backward pass."""
    if isinstance(coordinates, Tensor):
        return backward([u], [one_tensor(coordinates)])[0].unbind(-1)
    return backward([u], coordinates)


def partial_along(u: Tensor, coordinates: Coordinates, index: int) -> Tensor:
    """∂u/∂xᵢ alone, ``(points,)``; separate coordinates save the backward pass the others."""
    if isinstance(coordinates, Tensor):
        return backward([u], [one_tensor(coordinates)])[0].select(-1, index)
    return backward([u], [coordinates[index]], among=coordinates)[0]


def one_tensor(coordinates: Tensor) -> Tensor:
    """The coordinates, checked to be rows of shape ``(points, dim)``."""
    if coordinates.ndim != 2:
        raise ShapeError(
            f"coordinates as one tensor have shape {tuple(coordinates.shape)}, expected (points, dim); "
            "separate coordinates come as a tuple: (x, y), or (x,) for one"
        )
    return coordinates


def dimension(coordinates: Coordinates) -> int:
    """The number n of coordinates."""
    return one_tensor(coordinates).shape[1] if isinstance(coordinates, Tensor) else len(coordinates)


def vector(field: VectorField) -> tuple[Tensor, ...]:
    """The components of a vector field, each ``(points,)``."""
    if not isinstance(field, Tensor):
        return tuple(field)
    if field.ndim != 2:
        raise ShapeError(f"the vector field has shape {tuple(field.shape)}, expected (points, components)")
    return field.unbind(-1)


def in_form_of(coordinates: Coordinates, components: Sequence[Tensor]) -> VectorField:
    """The components as one tensor if the coordinates are one, otherwise as a tuple."""
    return torch.stack(tuple(components), -1) if isinstance(coordinates, Tensor) else tuple(components)
