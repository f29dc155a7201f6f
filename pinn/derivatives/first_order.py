"""Derivatives of a scalar field: one coordinate after the other, and all at once."""

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from pinn.derivatives.components import Coordinates, one_tensor
from pinn.derivatives.contract import check_given
from pinn.derivatives.reverse import backward


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
    check_given(coordinates)
    *first, last = coordinates
    for coordinate in first:
        (u,) = backward([u], [coordinate])
    return backward([u], [last], None if grad_outputs is None else [grad_outputs])[0]


@overload
def gradient(u: Tensor, coordinates: Tensor, *, grad_outputs: Tensor | None = None) -> Tensor: ...
@overload
def gradient(u: Tensor, coordinates: Sequence[Tensor], *, grad_outputs: Tensor | None = None) -> tuple[Tensor, ...]: ...
def gradient(u: Tensor, coordinates: Coordinates, *, grad_outputs: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
    """∇u = (∂u/∂x₁, …, ∂u/∂xₙ), from one backward pass.

    Args:
        u: field of shape ``(points,)``.
        coordinates: a sequence of tensors of shape ``(points,)``, or one tensor of shape ``(points, dim)``.
        grad_outputs: weights w of shape ``(points,)``; the result is w ∇u.

    Returns:
        One tensor ``(points,)`` for each coordinate, or one tensor ``(points, dim)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    weights = None if grad_outputs is None else [grad_outputs]
    if isinstance(coordinates, Tensor):
        return backward([u], [one_tensor(coordinates)], weights)[0]
    return backward([u], coordinates, weights)
