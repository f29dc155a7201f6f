"""Rearranging and summing the entries of each point: all derivatives are treated alike, the points stay in place."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.taylor.errors import MixedDirectionsError, UnsupportedOperationError
from pinn.derivatives.taylor.jet import Jet


def reshape(z: Jet, *shape: Any) -> Jet:
    """The entries in another shape."""
    value = z.value.reshape(*shape)
    z.require_points(value)
    return z.with_parts(value, z.derivatives.reshape(*z.derivatives.shape[:2], *value.shape[1:]))


def flatten(z: Jet, start_dim: int = 0, end_dim: int = -1) -> Jet:
    """Consecutive dimensions as one."""
    return reshape(z, z.value.flatten(start_dim, end_dim).shape)


def unflatten(z: Jet, dim: int, sizes: Sequence[int]) -> Jet:
    """One dimension as several."""
    return reshape(z, z.value.unflatten(dim, sizes).shape)


def unsqueeze(z: Jet, dim: int) -> Jet:
    """A new dimension of size one."""
    return reshape(z, z.value.unsqueeze(dim).shape)


def squeeze(z: Jet, dim: int) -> Jet:
    """Without that dimension, if it is of size one."""
    return reshape(z, z.value.squeeze(dim).shape)


def transpose(z: Jet, dim0: int, dim1: int) -> Jet:
    """Two dimensions of the entries exchanged."""
    one, other = _within_point(z, dim0), _within_point(z, dim1)
    return z.with_parts(z.value.transpose(one, other), z.derivatives.transpose(one + 1, other + 1))


def getitem(z: Jet, index: Any) -> Jet:
    """Entries, as in ``z[:, 0]``, ``z[..., 1:]`` or ``z[:, [2, 0]]``."""
    parts = index if isinstance(index, tuple) else (index,)
    taken = [part for part in parts if part is not None and part is not Ellipsis]
    lists = [part for part in taken if not isinstance(part, int | slice)]
    whole = isinstance(parts[0], slice) and parts[0] == slice(None)
    if not (whole or (parts[0] is Ellipsis and len(taken) < z.value.ndim)) or len(lists) > 1:
        raise UnsupportedOperationError(f"the index {index!r}, which does not keep the points apart")
    return z.with_parts(z.value[index], z.derivatives[:, *parts])


def select(z: Jet, dim: int, index: int) -> Jet:
    """One entry along a dimension."""
    at = _within_point(z, dim)
    return z.with_parts(z.value.select(at, index), z.derivatives.select(at + 1, index))


def narrow(z: Jet, dim: int, start: int, length: int) -> Jet:
    """Some consecutive entries along a dimension."""
    at = _within_point(z, dim)
    return z.with_parts(z.value.narrow(at, start, length), z.derivatives.narrow(at + 1, start, length))


def unbind(z: Jet, dim: int = 0) -> tuple[Jet, ...]:
    """The entries along a dimension one by one."""
    at = _within_point(z, dim)
    return _each(z, z.value.unbind(at), z.derivatives.unbind(at + 1))


def split(z: Jet, split_size: Any, dim: int) -> tuple[Jet, ...]:
    """Consecutive parts of given sizes."""
    at = _within_point(z, dim)
    return _each(z, z.value.split(split_size, at), z.derivatives.split(split_size, at + 1))


def chunk(z: Jet, chunks: int, dim: int = 0) -> tuple[Jet, ...]:
    """Consecutive parts of about equal size."""
    at = _within_point(z, dim)
    return _each(z, z.value.chunk(chunks, at), z.derivatives.chunk(chunks, at + 1))


def sum(z: Jet, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Jet:
    """The sum along dimensions of the entries."""
    return _reduced(torch.sum, z, dim, keepdim)


def mean(z: Jet, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Jet:
    """The mean along dimensions of the entries."""
    return _reduced(torch.mean, z, dim, keepdim)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Jet:
    """Jets and constants one after another along a dimension of the entries."""
    return _joined(torch.cat, tensors, dim, 0)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Jet:
    """Jets and constants along a new dimension of the entries."""
    return _joined(torch.stack, tensors, dim, 1)


def _joined(join: Callable[..., Tensor], tensors: Sequence[Tensor], dim: int, new: int) -> Jet:
    like = next(tensor for tensor in tensors if isinstance(tensor, Jet))
    at = dim % (like.value.ndim + new)
    if at == 0:
        raise UnsupportedOperationError("joining along the dimension of the points")
    jets = [lift(tensor, like) for tensor in tensors]
    if any(jet.directions is not like.directions for jet in jets):
        raise MixedDirectionsError
    rows = max(jet.derivatives.shape[1] for jet in jets)
    derivatives = [jet.derivatives.expand(-1, rows, *jet.value.shape[1:]) for jet in jets]
    return like.with_parts(join([jet.value for jet in jets], at), join(derivatives, at + 1))


def lift(tensor: Tensor, like: Jet) -> Jet:
    """A constant as a jet: all its derivatives are zero."""
    if isinstance(tensor, Jet):
        return tensor
    return like.with_parts(tensor, tensor.new_zeros(()).expand(len(like.slots), 1, *tensor.shape[1:]))


def _within_point(z: Jet, dim: int) -> int:
    at = dim % z.value.ndim
    if at == 0:
        raise UnsupportedOperationError("an operation along the dimension of the points")
    return at


def _each(z: Jet, values: Sequence[Tensor], derivatives: Sequence[Tensor]) -> tuple[Jet, ...]:
    return tuple(z.with_parts(*parts) for parts in zip(values, derivatives, strict=True))


def _reduced(function: Callable[..., Tensor], z: Jet, dim: int | Sequence[int] | None, keepdim: bool) -> Jet:
    if dim is None:
        raise UnsupportedOperationError("a sum over all points")
    dims = [_within_point(z, d) for d in ([dim] if isinstance(dim, int) else dim)]
    return z.with_parts(function(z.value, dims, keepdim), function(z.derivatives, [d + 1 for d in dims], keepdim))
