"""Series of polynomials and waves in several coordinates. Their derivatives are series of the same functions."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary


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
    angles = x * (math.pi * torch.arange(1, count // 2 + 1, dtype=x.dtype, device=x.device)).unsqueeze(0)
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
    k, j = torch.arange(count).unsqueeze(1), torch.arange(count).unsqueeze(0)
    matrix = torch.where((k > j) & ((k - j) % 2 == 1), 2.0 * k, 0.0).double()
    matrix[:, 0] /= 2
    return matrix


class Piece(NamedTuple):
    """A series on a part of the last coordinate.

    Attributes:
        start, end: of the part; the functions of the last coordinate run from -1 to 1 over it.
        coefficients: (outputs, functions of each input …).
        rates: coefficients of the first, second, … derivative over that part, in the place of the true ones.
    """

    start: float
    end: float
    coefficients: Tensor
    rates: tuple[Tensor, ...] = ()


def piecewise_series(x: Tensor, pieces: Sequence[Piece], periodic: Sequence[bool]) -> Tensor:
    """Return Σ c_o,i,j,… f_i(x₁) f_j(x₂) …, (points, outputs), which may be differentiated by x as often as is wanted.

    A derivative costs as much as the series itself. It cannot be differentiated by the coefficients. A single piece is
    evaluated everywhere. Of several, one after another, a point where two meet belongs to the later one.

    Args:
        x: (points, inputs).
        pieces: what is evaluated.
        periodic: whether f are `waves`, else `chebyshev`, for each input.
    """
    if has_torch_function_unary(x):
        # Who follows what happens to x sees one function, not what it is made of.
        found: Tensor = handle_torch_function(piecewise_series, (x,), x, pieces, periodic)
        return found
    bounds = x.new_tensor([piece.end for piece in pieces[:-1]])
    numbers = torch.bucketize(x.detach()[:, -1].contiguous(), bounds, right=True)
    parts = []
    for number, piece in enumerate(pieces):
        places = torch.nonzero(numbers == number).squeeze(1)
        if len(places):
            points = x.detach()[places]
            *space, time = points.split(1, dim=1)
            if instants := _count_instants(points):
                space, time = [column[::instants] for column in space], time[:instants]
            stretch = 2 / (piece.end - piece.start)
            columns = [*space, (time - (piece.start + piece.end) / 2) * stretch]
            functions = [
                waves(column, count) if wraps else chebyshev(column, count)
                for column, count, wraps in zip(columns, piece.coefficients.shape[1:], periodic, strict=True)
            ]
            chain = (piece.coefficients.detach(), *piece.rates)
            parts.append(_Part(places, functions, instants > 0, stretch, chain))
    return cast(Tensor, _Series.apply(x, parts, len(pieces[0].coefficients), periodic))


def _count_instants(points: Tensor) -> int:
    """Return how many instants there are where points are products, each place with all instants in turn; else 0."""
    changes = (points[:, :-1] != points[:1, :-1]).any(dim=1).nonzero()
    count = int(changes[0]) if len(changes) else 0
    if count < 2 or len(points) % count:
        return 0
    blocks = points.unflatten(0, (-1, count))
    same_place, same_instant = blocks[:, :1, :-1] == blocks[..., :-1], blocks[:1, :, -1] == blocks[..., -1]
    return count if bool(same_place.all() and same_instant.all()) else 0


class _Part(NamedTuple):
    """The points of a piece, the functions there, and the coefficients of the series and of its known derivatives.

    Where points are products of places and instants, the functions are those at the places, and at the instants.
    """

    places: Tensor
    functions: list[Tensor]
    is_product: bool
    stretch: float
    chain: tuple[Tensor, ...]

    def values(self) -> Tensor:
        """Return the series, (points of the piece, outputs)."""
        return torch.stack([self._sum(each) for each in self.chain[0]], dim=1)

    def _sum(self, coefficients: Tensor) -> Tensor:
        """Return the series of one output, (points of the piece,)."""
        *space, time = self.functions
        if not space:
            return time @ coefficients
        terms = (space[0] @ coefficients.flatten(1)).unflatten(1, coefficients.shape[1:])
        for each in space[1:]:
            terms = torch.einsum("pm,pm...->p...", each, terms)
        return (terms @ time.T).flatten() if self.is_product else (terms * time).sum(dim=1)

    def differentiated(self, axis: int, *, periodic: bool, last: bool) -> "_Part":
        """Return the derivative by one input."""
        if not last:
            chain = tuple(differentiate(each, axis + 1, periodic=periodic) for each in self.chain)
        else:
            chain = self.chain[1:] or (differentiate(self.chain[0], axis + 1, periodic=periodic),)
            chain = tuple(self.stretch * each for each in chain)
        return self._replace(chain=chain)


class _Series(torch.autograd.Function):
    """See `piecewise_series`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parts: list[_Part], outputs: int, periodic: Sequence[bool]) -> Tensor:
        ctx.parts, ctx.outputs, ctx.periodic = parts, outputs, periodic
        ctx.save_for_backward(x)
        found = x.new_empty(len(x), outputs)
        for part in parts:
            found[part.places] = part.values()
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        [x] = ctx.saved_tensors
        slopes = []
        for axis, wraps in enumerate(ctx.periodic):
            last = axis + 1 == len(ctx.periodic)
            parts = [part.differentiated(axis, periodic=wraps, last=last) for part in ctx.parts]
            slopes.append((gradient * _Series.apply(x, parts, ctx.outputs, ctx.periodic)).sum(dim=1))
        return torch.stack(slopes, dim=1), None, None, None
