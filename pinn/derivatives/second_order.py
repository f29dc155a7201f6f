"""Derivatives of derivatives of fields."""

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from pinn.derivatives.components import Coordinates, Vector, in_form_of_field, inputs, lines, rank, vector
from pinn.derivatives.contract import check
from pinn.derivatives.linked import linked_laplacian
from pinn.derivatives.nabla import slopes, tensor_divergence, vector_divergence, vector_gradient
from pinn.derivatives.systems import System, cartesian, frame_at
from pinn.derivatives.vector import jacobian


@overload
def hessian(u: Tensor, coordinates: Tensor, *, system: System = cartesian) -> Tensor: ...
@overload
def hessian(
    u: Tensor, coordinates: Sequence[Tensor], *, system: System = cartesian
) -> tuple[tuple[Tensor, ...], ...]: ...
def hessian(
    u: Tensor, coordinates: Coordinates, *, system: System = cartesian
) -> Tensor | tuple[tuple[Tensor, ...], ...]:
    """∇∇u, in Cartesian coordinates ∂²u/∂xᵢ∂xⱼ: the Jacobian of the gradient.

    Args:
        u: field of shape ``(points,)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        system: the coordinate system, such as `polar`.

    Returns:
        A tuple of n rows of n tensors ``(points,)``, or one tensor ``(points, n, n)``, as the coordinates are.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    return jacobian(slopes(u, coordinates, frame_at(coordinates, system)), coordinates, system=system)


@overload
def laplacian(u: Tensor, coordinates: Coordinates, *, system: System = cartesian) -> Tensor: ...
@overload
def laplacian(u: Sequence[Tensor], coordinates: Coordinates, *, system: System = cartesian) -> tuple[Tensor, ...]: ...
def laplacian(u: Vector, coordinates: Coordinates, *, system: System = cartesian) -> Tensor | tuple[Tensor, ...]:
    """Δu = ∇·∇u, in Cartesian coordinates Σᵢ ∂²u/∂xᵢ²; of a vector field ∇·(∇u), there the Laplacian of each component.

    Args:
        u: a field of shape ``(points,)``, or a vector field: a sequence of those, or one tensor ``(points, m)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        system: the coordinate system, such as `polar`; for a vector field in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a vector field, in the form of the field.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    if isinstance(u, Tensor) and rank(u) == 0:
        return _scalar_laplacian(u, coordinates, system)
    frame = frame_at(coordinates, system)
    parts = vector(u, len(lines(coordinates)) if frame.curvatures else None)
    if system is cartesian:
        return in_form_of_field(u, [laplacian(part, coordinates) for part in parts])
    results = tensor_divergence(vector_gradient(parts, coordinates, frame), coordinates, frame)
    return in_form_of_field(u, results)


def _scalar_laplacian(u: Tensor, coordinates: Coordinates, system: System) -> Tensor:
    if system is cartesian:
        check([u], inputs(coordinates), None)
        known = linked_laplacian(u, coordinates)
        if known is not None:
            return known
    frame = frame_at(coordinates, system)
    return vector_divergence(slopes(u, coordinates, frame), coordinates, frame)


@overload
def biharmonic(u: Tensor, coordinates: Coordinates, *, system: System = cartesian) -> Tensor: ...
@overload
def biharmonic(u: Sequence[Tensor], coordinates: Coordinates, *, system: System = cartesian) -> tuple[Tensor, ...]: ...
def biharmonic(u: Vector, coordinates: Coordinates, *, system: System = cartesian) -> Tensor | tuple[Tensor, ...]:
    """Δ²u = ΔΔu, in Cartesian coordinates Σᵢⱼ ∂⁴u/∂xᵢ²∂xⱼ².

    Args:
        u: a field of shape ``(points,)``, or a vector field: a sequence of those, or one tensor ``(points, m)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        system: the coordinate system, such as `polar`; for a vector field in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a vector field, in the form of the field.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    return laplacian(laplacian(u, coordinates, system=system), coordinates, system=system)
