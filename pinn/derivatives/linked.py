"""Fields whose autograd derivatives by the coordinates are coefficients that are known already.

A linked field passes its gradient on to its own value, and so to the parameters, and to one carrier for each
coordinate. The backward pass of a carrier is gradient × the next coefficient, linked again. Autograd runs only the
carriers that lead to the coordinates that it is asked for, so that a gradient by parameters runs none.

A multi-index is the sorted tuple of the inputs to differentiate by: ``(0, 0, 1)`` is ∂³/∂x₀²∂x₁. A slot is a sum of
such derivatives, so that ``((0, 0), (1, 1))`` is a Laplacian and ``((0, 1),)`` one mixed derivative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Index = tuple[int, ...]
Slot = tuple[Index, ...]

VALUE: Slot = ((),)
"""The derivative of order zero."""


@dataclass(frozen=True)
class Source:
    """Where the derivatives of one field come from.

    Attributes:
        coordinates: the tensors, (points,) or (points, dim), by which the field can be differentiated.
        axes: for each of them, the inputs of the network that it fills; slots are over these.
        coefficient: the derivative in a slot, (points,); it raises where it knows none.
    """

    coordinates: Sequence[Tensor]
    axes: Sequence[range]
    coefficient: Callable[[Slot], Tensor]


def link(source: Source, slots: tuple[Slot, ...] = (VALUE,), *, scalar: bool = True) -> Tensor:
    """The derivatives of a field in some slots, with their own derivatives behind them.

    Args:
        source: of the field.
        slots: what to link; one if `scalar`.
        scalar: whether to return shape (points,) rather than (points, slots).
    """
    coefficients = [source.coefficient(slot) for slot in slots]
    value = coefficients[0] if scalar else torch.stack(coefficients, -1)
    carriers = [
        _Carrier.apply(x, source, axes, slots, value.shape)
        for x, axes in zip(source.coordinates, source.axes, strict=True)
    ]
    return _Linked.apply(value, source, slots, *carriers)


def linked_laplacian(u: Tensor, coordinates: Tensor | Sequence[Tensor]) -> Tensor | None:
    """Δu = Σᵢ ∂²u/∂xᵢ² as one coefficient, where u is a linked field and these are coordinates of it; otherwise None.

    An engine can propagate this sum at far less cost than its summands, which are all that autograd could ask for.

    Args:
        u: field of shape (points,).
        coordinates: tensors of shape (points,), or one of shape (points, dim).

    Raises:
        NotPropagatedError: u is linked, but the sum was not propagated.
    """
    if not isinstance(u.grad_fn, _Linked._backward_cls) or u.ndim != 1:
        return None
    node: Any = u.grad_fn
    source: Source = node.source
    axes: list[int] = []
    for coordinate in (coordinates,) if isinstance(coordinates, Tensor) else coordinates:
        at = next((k for k, x in enumerate(source.coordinates) if x is coordinate), None)
        if at is None:
            return None
        axes += source.axes[at]
    (slot,) = node.slots
    return link(source, (_sum((*index, i, i) for index in slot for i in axes),))


def _sum(indices: Any) -> Slot:
    return tuple(sorted(tuple(sorted(index)) for index in indices))


class _Linked(torch.autograd.Function):
    """The value itself; its gradient goes to the value and, unchanged, to every carrier."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, source: Source, slots: tuple[Slot, ...], *carriers: Tensor) -> Tensor:
        ctx.source, ctx.slots, ctx.count = source, slots, len(carriers)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return gradient, None, None, *(gradient for _ in range(ctx.count))


class _Carrier(torch.autograd.Function):
    """Nothing forward, of the shape of the linked value; the derivative by one coordinate backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, source: Source, axes: range, slots: tuple[Slot, ...], shape: torch.Size) -> Tensor:
        ctx.source, ctx.axes, ctx.slots, ctx.shape = source, axes, slots, x.shape
        return x.new_zeros(()).expand(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        slots = tuple(_sum((*index, axis) for index in slot) for slot in ctx.slots for axis in ctx.axes)
        if gradient.ndim == 1 and len(ctx.shape) == 1:
            return gradient * link(ctx.source, slots), None, None, None, None
        derivatives = link(ctx.source, slots, scalar=False).reshape(*gradient.shape, len(ctx.axes))
        product = gradient.unsqueeze(-1) * derivatives
        to_x = product if gradient.ndim == 1 else product.sum(1)
        return to_x.reshape(ctx.shape), None, None, None, None
