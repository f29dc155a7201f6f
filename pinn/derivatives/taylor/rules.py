"""Which rule replaces which torch function, by the name under which torch calls it."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch

from pinn.derivatives.taylor import arithmetic, functions, linear, shapes
from pinn.derivatives.taylor.elementwise import ELEMENTWISE


def _by_name(*rules: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {rule.__name__: rule for rule in rules}


RULES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: partial(functions.apply, f) for name, f in ELEMENTWISE.items()}
    | _by_name(functions.silu, functions.relu, functions.gelu, functions.softplus)
    | {
        name: partial(arithmetic.each, getattr(torch.Tensor, name))
        for name in ("neg", "clone", "contiguous", "to", "float", "double")
    }
    | _by_name(arithmetic.add, arithmetic.sub, arithmetic.mul, arithmetic.div, arithmetic.pow)
    | _by_name(arithmetic.rsub, arithmetic.rdiv, arithmetic.rpow)
    | {"radd": arithmetic.add, "rmul": arithmetic.mul, "truediv": arithmetic.div, "rtruediv": arithmetic.rdiv}
    | {"subtract": arithmetic.sub, "multiply": arithmetic.mul, "divide": arithmetic.div, "true_divide": arithmetic.div}
    | _by_name(linear.linear, linear.matmul, linear.addmm)
    | {"mm": linear.matmul}
    | _by_name(shapes.reshape, shapes.flatten, shapes.unflatten, shapes.unsqueeze, shapes.squeeze, shapes.transpose)
    | _by_name(shapes.getitem, shapes.select, shapes.narrow, shapes.unbind, shapes.split, shapes.chunk)
    | _by_name(shapes.sum, shapes.mean, shapes.cat, shapes.stack)
    | {"view": shapes.reshape, "concat": shapes.cat}
)
"""The rules take what the functions take, with jets in the place of some tensors. One may return NotImplemented."""

CONSTANT = frozenset(
    (
        "detach",
        "sign",
        "floor",
        "ceil",
        "round",
        "trunc",
        "isfinite",
        "isnan",
        "isinf",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "rand_like",
        "randn_like",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
        "new_tensor",
    )
)
"""Functions whose results have no derivatives: they see the values alone."""
