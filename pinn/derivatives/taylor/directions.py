"""Fewer directions for a Laplacian: a network that sees x through z = W x has Δu = tr(∇²_z u W Wᵀ), of the size of z.

Any M with MᵀM = W Wᵀ gives the same Laplacian, so that as many directions as z has entries are enough, however many x
has.
"""

from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.taylor.errors import SecondOrderError
from pinn.derivatives.taylor.jet import Jet


def compress(jet: Jet) -> Jet:
    """The jet with at most as many free directions as it has entries, if its derivatives are the same at all points.

    With M = Q R, the rows of R = QᵀM replace those of M. Q is taken for a constant: since the rest of M is zero and
    enters squared, the gradient is exact all the same. Second derivatives by parameters would not be; they raise.
    """
    if jet.directions is None or jet.derivatives.shape[1] != 1:
        return jet
    count, entries = sum(slot[0] < (0,) and len(slot) == 1 for slot in jet.slots), jet.shape[1:].numel()
    if count <= entries:
        return jet
    others, matrix = jet.derivatives.split([len(jet.slots) - count, count])
    fewer = _Projection.apply(matrix.reshape(count, entries)).reshape(entries, *matrix.shape[1:])
    *before, laplacian = jet.slots[:-count]
    slots = (*before, laplacian[:entries], *jet.slots[-count:][:entries])
    return Jet(jet.value, torch.cat((others, fewer)), slots, directions=fewer)


class _Projection(torch.autograd.Function):
    """R = QᵀM for M = Q R, with Q held fixed in the backward pass."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        q, r = torch.linalg.qr(matrix)
        ctx.save_for_backward(matrix, q)
        return r

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        matrix, q = ctx.saved_tensors
        # `once_differentiable` raises for tensor.backward() alone: where inputs are named, autograd avoids its error.
        return _FirstOrder.apply(q @ gradient, matrix)


class _FirstOrder(torch.autograd.Function):
    """The value, as a function of the matrix with an unknown derivative."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, matrix: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        raise SecondOrderError
