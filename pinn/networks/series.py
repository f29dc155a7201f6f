"""Series of polynomials and waves in several coordinates. Their derivatives are series of the same functions."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor


def chebyshev(x: Tensor, count: int) -> Tensor:
    """Return Chebyshev's polynomials T_0(x), T_1(x), …, (points, count), for x of shape (points, 1).

    By T_{m+n} = 2 T_m T_n - T_{m-n} the number of them doubles at each turn.
    """
    known = torch.cat([torch.ones_like(x), x], dim=1)
    while known.shape[1] < count:
        last = known.shape[1] - 1
        backwards = known[:, list(range(last - 1, -1, -1))]
        known = torch.cat([known, 2 * known[:, last:] * known[:, 1:] - backwards], dim=1)
    return known[:, :count]


def waves(x: Tensor, count: int) -> Tensor:
    """Return 1, cos πx, sin πx, cos 2πx, sin 2πx, …, (points, count), for x of shape (points, 1) and an odd count."""
    angles = x * (math.pi * torch.arange(1, count // 2 + 1, dtype=x.dtype, device=x.device))
    pairs = torch.stack([torch.cos(angles), torch.sin(angles)], dim=2).flatten(1)
    return torch.cat([torch.ones_like(x), pairs], dim=1)


def differentiate(coefficients: Tensor, axis: int, *, periodic: bool) -> Tensor:
    """Return the coefficients of the derivative by the coordinate of an axis, in the same shape."""
    along = coefficients.movedim(axis, -1)
    if periodic:
        cosines, sines = along[..., 1::2], along[..., 2::2]
        turns = math.pi * torch.arange(1, sines.shape[-1] + 1).to(along)
        pairs = torch.stack([turns * sines, -turns * cosines], dim=-1).flatten(-2)
        return torch.cat([torch.zeros_like(along[..., :1]), pairs], dim=-1).movedim(-1, axis)
    return (along @ _derivatives_of_chebyshev(along.shape[-1]).to(along)).movedim(-1, axis)


@lru_cache(maxsize=64)
def _derivatives_of_chebyshev(count: int) -> Tensor:
    """Return D with T_k' = Σ_j D_kj T_j: 2k where k - j is odd and positive, half of that for j = 0."""
    k, j = torch.arange(count).unsqueeze(1), torch.arange(count)
    matrix = torch.where((k > j) & ((k - j) % 2 == 1), 2.0 * k, 0.0).double()
    matrix[:, 0] /= 2
    return matrix


def evaluate(x: Tensor, coefficients: Tensor, periodic: Sequence[bool], rates: Sequence[Tensor] = ()) -> Tensor:
    """Return Σ c_o,i,j,… f_i(x₁) f_j(x₂) …, (points, outputs), which may be differentiated by x as often as is wanted.

    A derivative costs as much as the series itself. It cannot be differentiated by the coefficients.

    Args:
        x: (points, inputs), each input from -1 to 1.
        coefficients: (outputs, functions of each input …).
        periodic: whether f are `waves`, else `chebyshev`, for each input.
        rates: coefficients of the first, second, … derivative by the last input, in the place of the true ones.
    """
    columns = x.detach().split(1, dim=1)
    functions = [
        waves(column, count) if wraps else chebyshev(column, count)
        for column, count, wraps in zip(columns, coefficients.shape[1:], periodic, strict=True)
    ]
    return cast(Tensor, _Series.apply(x, (coefficients.detach(), *rates), functions, periodic))


class _Series(torch.autograd.Function):
    """See `evaluate`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, chain: tuple[Tensor, ...], functions: list[Tensor], periodic: Sequence[bool]
    ) -> Tensor:
        ctx.chain, ctx.functions, ctx.periodic = chain, functions, periodic
        ctx.save_for_backward(x)
        return torch.stack([_sum(each, functions) for each in chain[0]], dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        [x] = ctx.saved_tensors
        slopes = []
        for axis, wraps in enumerate(ctx.periodic):
            chain = tuple(differentiate(each, axis + 1, periodic=wraps) for each in ctx.chain)
            if axis + 1 == len(ctx.periodic) and len(chain) > 1:
                chain = ctx.chain[1:]
            slopes.append((gradient * _Series.apply(x, chain, ctx.functions, ctx.periodic)).sum(dim=1))
        return torch.stack(slopes, dim=1), None, None, None


def _sum(coefficients: Tensor, functions: Sequence[Tensor]) -> Tensor:
    """Return the series of one output, (points,)."""
    first, *others = functions
    terms = (first @ coefficients.flatten(1)).unflatten(1, coefficients.shape[1:]) if others else first @ coefficients
    for each in others:
        terms = torch.einsum("pm,pm...->p...", each, terms)
    return terms
