"""Sums, products, quotients and powers of jets, also with constants."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, cast

import torch
from torch import Tensor

from pinn.derivatives.taylor.elementwise import ELEMENTWISE, power
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.derivatives.taylor.functions import apply
from pinn.derivatives.taylor.jet import Jet
from pinn.derivatives.taylor.multiplication import multiply

Operand = Jet | Tensor | float


def each(function: Callable[..., Tensor], z: Jet, *args: Any, **kwargs: Any) -> Jet:
    """A function that is linear in z and acts on every entry by itself, such as the negative."""
    return z.with_parts(function(z.value, *args, **kwargs), function(z.derivatives, *args, **kwargs))


def add(a: Operand, b: Operand, *, alpha: float = 1) -> Jet:
    """a + alpha b."""
    if isinstance(a, Jet) and isinstance(b, Jet):
        a.require_same(b)
        derivatives = torch.add(a.derivatives, b.derivatives, alpha=alpha)
        return a.with_parts(torch.add(a.value, b.value, alpha=alpha), derivatives)
    scaled = b if alpha == 1 else mul(b, alpha) if isinstance(b, Jet) else alpha * b
    return _shift(a, scaled) if isinstance(a, Jet) else _shift(cast(Jet, scaled), a)


def sub(a: Operand, b: Operand, *, alpha: float = 1) -> Jet:
    """a - alpha b."""
    return add(a, b, alpha=-alpha)


def rsub(a: Operand, b: Operand, *, alpha: float = 1) -> Jet:
    """b - alpha a."""
    return add(b, a, alpha=-alpha)


def mul(a: Operand, b: Operand) -> Jet:
    """ab."""
    if isinstance(a, Jet) and isinstance(b, Jet):
        a.require_same(b)
        return a.with_parts(*multiply(a.value, a.derivatives, b.value, b.derivatives, a.slots))
    return _scale(torch.mul, a, b) if isinstance(a, Jet) else mul(b, a)


def div(a: Operand, b: Operand, *, rounding_mode: None = None) -> Jet:
    """a / b."""
    if rounding_mode is not None:
        raise UnsupportedOperationError(f"division with rounding_mode={rounding_mode!r}")
    if isinstance(b, Jet):
        return mul(a, apply(ELEMENTWISE["reciprocal"], b))
    return _scale(torch.div, cast(Jet, a), b)


def rdiv(a: Jet, b: Operand) -> Jet:
    """b / a."""
    return div(b, a)


def pow(base: Operand, exponent: Operand) -> Jet:
    """base to the exponent, one of which is a number."""
    if isinstance(base, Jet) and isinstance(exponent, Real):
        return apply(power(float(exponent)), base)
    if isinstance(exponent, Jet) and isinstance(base, Real):
        if base <= 0:
            raise UnsupportedOperationError(f"a power with the base {base}, which is not positive")
        return apply(ELEMENTWISE["exp"], mul(exponent, math.log(base)))
    raise UnsupportedOperationError("a power of which neither base nor exponent is a number")


def rpow(exponent: Jet, base: Operand) -> Jet:
    """base to the exponent."""
    return pow(base, exponent)


def _shift(z: Jet, constant: Tensor | float) -> Jet:
    value = z.value + constant
    z.require_rank(value.ndim, z.value.ndim)
    return z.with_parts(value, z.derivatives.to(value.dtype).expand(-1, -1, *value.shape[1:]))


def _scale(function: Callable[..., Tensor], z: Jet, constant: Tensor | float) -> Jet:
    value = function(z.value, constant)
    if isinstance(constant, Tensor) and constant.ndim == z.value.ndim:
        constant = constant.unsqueeze(0)
    return z.with_parts(value, function(z.derivatives, constant))
