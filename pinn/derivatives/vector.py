"""First derivatives of vector and tensor fields."""

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor

from pinn.derivatives.components import Coordinates, Matrix, Vector, in_form_of_field, lines, matrix, rank, vector
from pinn.derivatives.errors import ShapeError
from pinn.derivatives.first_order import gradient
from pinn.derivatives.nabla import tensor_divergence, vector_divergence, vector_gradient
from pinn.derivatives.systems import System, cartesian, frame_at


@overload
def jacobian(
    fields: Sequence[Tensor], coordinates: Sequence[Tensor], *, system: System = cartesian
) -> tuple[tuple[Tensor, ...], ...]: ...
@overload
def jacobian(fields: Tensor, coordinates: Coordinates, *, system: System = cartesian) -> Tensor: ...
@overload
def jacobian(fields: Vector, coordinates: Tensor, *, system: System = cartesian) -> Tensor: ...
def jacobian(
    fields: Vector, coordinates: Coordinates, *, system: System = cartesian
) -> Tensor | tuple[tuple[Tensor, ...], ...]:
    """(∇F)ᵢⱼ, in Cartesian coordinates ∂Fᵢ/∂xⱼ: row i is the gradient of component i, from one backward pass.

    Args:
        fields: a sequence of m tensors of shape ``(points,)``, or one tensor of shape ``(points, m)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        system: the coordinate system, such as `polar`; in any but the Cartesian one, m = n.

    Returns:
        A tuple of m rows of n tensors ``(points,)``; if the fields or the coordinates are one tensor, one of shape
        ``(points, m, n)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    if system is cartesian and isinstance(coordinates, Tensor):
        return torch.stack([gradient(part, coordinates) for part in vector(fields)], 1)
    parts = vector(fields) if system is cartesian else vector(fields, len(lines(coordinates)))
    rows = vector_gradient(parts, coordinates, frame_at(coordinates, system))
    if isinstance(fields, Tensor) or isinstance(coordinates, Tensor):
        return torch.stack([torch.stack(tuple(row), 1) for row in rows], 1)
    return tuple(tuple(row) for row in rows)


@overload
def divergence(fields: Vector, coordinates: Coordinates, *, system: System = cartesian) -> Tensor: ...
@overload
def divergence(
    fields: Sequence[Sequence[Tensor]], coordinates: Coordinates, *, system: System = cartesian
) -> tuple[Tensor, ...]: ...
def divergence(
    fields: Vector | Matrix, coordinates: Coordinates, *, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]:
    """∇·F, in Cartesian coordinates Σⱼ ∂Fⱼ/∂xⱼ; of a tensor field (∇·T)ᵢ, there Σⱼ ∂Tᵢⱼ/∂xⱼ, the divergence of row i.

    Args:
        fields: a vector field: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
            Or a tensor field: a sequence of m rows of n tensors each, or one tensor of shape ``(points, m, n)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        system: the coordinate system, such as `polar`; in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a tensor field a tuple of m of them, or one tensor ``(points, m)`` of one.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    frame, n = frame_at(coordinates, system), len(lines(coordinates))
    if rank(fields) < 2:
        return vector_divergence(vector(fields, n), coordinates, frame)
    rows = matrix(fields, n)
    if frame.curvatures and len(rows) != n:
        raise ShapeError(f"the tensor field has {len(rows)} rows, expected {n}: one for each coordinate")
    parts = tensor_divergence(rows, coordinates, frame)
    return in_form_of_field(fields, parts)


@overload
def curl(fields: Tensor, coordinates: Coordinates, *, system: System = cartesian) -> Tensor: ...
@overload
def curl(
    fields: Sequence[Tensor], coordinates: Coordinates, *, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]: ...
def curl(fields: Vector, coordinates: Coordinates, *, system: System = cartesian) -> Tensor | tuple[Tensor, ...]:
    """∇×F, in Cartesian coordinates (∂₂F₃ - ∂₃F₂, ∂₃F₁ - ∂₁F₃, ∂₁F₂ - ∂₂F₁); in two dimensions its last component.

    Args:
        fields: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor ``(points, n)``, where n is 2 or 3.
        system: the coordinate system, such as `spherical`.

    Returns:
        A tuple of three tensors ``(points,)``, or one tensor ``(points, 3)``, as the field is; in two dimensions one
        tensor ``(points,)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    n = len(lines(coordinates))
    if n not in (2, 3):
        raise ShapeError(f"got {n} coordinates, expected 2 or 3 for a curl")
    rows = vector_gradient(vector(fields, n), coordinates, frame_at(coordinates, system))
    if n == 2:
        return rows[1][0] - rows[0][1]
    return in_form_of_field(fields, [rows[j][i] - rows[i][j] for i, j in ((1, 2), (2, 0), (0, 1))])
