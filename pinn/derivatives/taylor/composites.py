"""Functions taken apart into simpler ones, for tensors and jets alike."""

from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional


def gelu(z: Tensor, approximate: str) -> Tensor:
    """z (1 + tanh(√(2/π) (z + 0.044715 z³))) / 2, the approximation of z Φ(z) by tanh."""
    if approximate != "tanh":
        raise ValueError(f"gelu with approximate={approximate!r}; expected 'none' or 'tanh'")
    return 0.5 * z * (1 + torch.tanh(sqrt(2 / pi) * (z + 0.044715 * z**3)))


def mish(z: Tensor, inplace: bool = False) -> Tensor:
    """z tanh(log(1 + exp z))."""
    return z * torch.tanh(functional.softplus(z))


def softmax(z: Tensor, dim: int, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Tensor:
    """exp z / Σ exp z."""
    # The same shift for all entries changes nothing, but keeps exp from overflowing.
    weights = torch.exp(z - z.detach().amax(dim, keepdim=True))
    return weights / weights.sum(dim, keepdim=True)


def layer_norm(
    z: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(z - mean) / √(variance + ε) over the last dimensions, scaled and shifted."""
    dims = tuple(range(-len(normalized_shape), 0))
    centred = z - z.mean(dims, keepdim=True)
    result = centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + eps)
    if weight is not None:
        result = result * weight
    return result if bias is None else result + bias


def addcmul(offset: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    """offset + value a b."""
    return offset + value * (a * b)


COMPOSITES: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {function.__name__: function for function in (gelu, mish, softmax, layer_norm, addcmul)}
)
"""By the name that torch gives the function."""
