"""Derivatives of a scalar field: one, all of them, and those of many fields weighted into one backward pass."""

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from pinn.derivatives.components import Coordinates, Vector, in_form_of_coordinates, inputs, vector
from pinn.derivatives.contract import check_single
from pinn.derivatives.nabla import slopes
from pinn.derivatives.reverse import backward
from pinn.derivatives.systems import System, cartesian, frame_at


def partial(u: Tensor, *coordinates: Tensor, grad_outputs: Tensor | None = None) -> Tensor:
    """∂ⁿu / ∂x₁ … ∂xₙ: ``partial(u, x)`` is u_x, ``partial(u, x, x, t)`` is u_xxt.

    Args:
        u: field of shape ``(points,)``.
        coordinates: tensors of shape ``(points,)``, in the order in which u is differentiated; any may be repeated.
        grad_outputs: weights w of shape ``(points,)``; the result is w ∂ⁿu / ∂x₁ … ∂xₙ.

    Returns:
        Tensor of shape ``(points,)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    check_single(coordinates)
    *first, last = coordinates
    for coordinate in first:
        (u,) = backward([u], [coordinate])
    return backward([u], [last], None if grad_outputs is None else [grad_outputs])[0]


@overload
def gradient(
    u: Tensor, coordinates: Tensor, *, grad_outputs: Tensor | None = None, system: System = cartesian
) -> Tensor: ...
@overload
def gradient(
    u: Tensor, coordinates: Sequence[Tensor], *, grad_outputs: Tensor | None = None, system: System = cartesian
) -> tuple[Tensor, ...]: ...
def gradient(
    u: Tensor, coordinates: Coordinates, *, grad_outputs: Tensor | None = None, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]:
    """∇u = Σᵢ eᵢ (1/hᵢ) ∂u/∂xᵢ, from one backward pass; in Cartesian coordinates (∂u/∂x₁, …, ∂u/∂xₙ).

    Args:
        u: field of shape ``(points,)``.
        coordinates: a sequence of tensors of shape ``(points,)``, or one tensor of shape ``(points, dim)``.
        grad_outputs: weights w of shape ``(points,)``; the result is w ∇u.
        system: the coordinate system, such as `polar`.

    Returns:
        Tensors of the shapes of the coordinates: a tuple of one for each, or one tensor ``(points, dim)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    weights = None if grad_outputs is None else [grad_outputs]
    if system is not cartesian:
        return in_form_of_coordinates(coordinates, slopes(u, coordinates, frame_at(coordinates, system), weights))
    found = backward([u], inputs(coordinates), weights)
    return found[0] if isinstance(coordinates, Tensor) else found


@overload
def vjp(fields: Vector, coordinates: Tensor, grad_outputs: Vector) -> Tensor: ...
@overload
def vjp(fields: Vector, coordinates: Sequence[Tensor], grad_outputs: Vector) -> tuple[Tensor, ...]: ...
def vjp(fields: Vector, coordinates: Coordinates, grad_outputs: Vector) -> Tensor | tuple[Tensor, ...]:
    """The vector-Jacobian product wᵀJ, with components Σᵢ wᵢ ∂fᵢ/∂xⱼ, from one backward pass for all fields.

    Args:
        fields: m fields: a sequence of tensors of shape ``(points,)``, or one tensor of shape ``(points, m)``.
        coordinates: a sequence of tensors of shape ``(points,)``, or one tensor of shape ``(points, dim)``.
        grad_outputs: weights w, one tensor ``(points,)`` for each field, or one tensor of shape ``(points, m)``.

    Returns:
        Tensors of the shapes of the coordinates: a tuple of one for each, or one tensor ``(points, dim)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    found = backward(vector(fields), inputs(coordinates), vector(grad_outputs))
    return found[0] if isinstance(coordinates, Tensor) else found
