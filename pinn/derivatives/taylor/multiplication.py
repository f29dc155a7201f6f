"""The product rule on jets, with a backward pass written by hand."""

from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor.indices import product_rule


def multiply(
    a: Tensor, a_derivatives: Tensor, b: Tensor, b_derivatives: Tensor, slots: tuple[Slot, ...]
) -> tuple[Tensor, Tensor]:
    """ab and ∂^α(ab) = a ∂^α b + b ∂^α a + Σ ∂^β a ∂^{α-β} b, elementwise.

    Args:
        a: of shape ``(points, ...)``, and its derivatives of shape ``(slots, points or 1, ...)``.
        a_derivatives: see there.
        b: like a, of a shape that broadcasts with it, and its derivatives.
        b_derivatives: see there.
        slots: which derivatives these are.

    Returns:
        The product and its derivatives, of the broadcast shapes.
    """
    return _Multiplication.apply(a, a_derivatives, b, b_derivatives, slots)


class _Multiplication(torch.autograd.Function):
    """Autograd would read and write all derivatives once for each term; this does it once for each slot."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, da: Tensor, b: Tensor, db: Tensor, slots: tuple[Slot, ...]) -> Any:
        derivatives = (a.unsqueeze(0) * db).addcmul_(b.unsqueeze(0), da)
        for slot, (multiplicity, (left, right)) in product_rule(slots):
            derivatives[slot].addcmul_(da[left], db[right], value=multiplicity)
        ctx.save_for_backward(a, da, b, db)
        ctx.slots = slots
        return a * b, derivatives

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, gradients: Tensor) -> Any:
        a, da, b, db = ctx.saved_tensors
        to_a, to_b = gradient * b + (gradients * db).sum(0), gradient * a + (gradients * da).sum(0)
        to_da, to_db = gradients * b.unsqueeze(0), gradients * a.unsqueeze(0)
        for slot, (multiplicity, (left, right)) in product_rule(ctx.slots):
            to_da[left].addcmul_(gradients[slot], db[right], value=multiplicity)
            to_db[right].addcmul_(gradients[slot], da[left], value=multiplicity)
        pairs = ((to_a, a), (to_da, da), (to_b, b), (to_db, db))
        return *(found.sum_to_size(given.shape) for found, given in pairs), None
