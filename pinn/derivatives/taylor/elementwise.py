"""Elementwise functions with all their derivatives, made of the few tensors that are costly to compute."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count, cycle, repeat
from math import pi, sqrt
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pinn.derivatives.taylor.riccati import Riccati

Basis = tuple[Tensor, ...]

TANH, TAN = Riccati(1.0, 0.0, -1.0), Riccati(1.0, 0.0, 1.0)
SIGMOID, RECIPROCAL = Riccati(0.0, 1.0, -1.0), Riccati(0.0, 0.0, -1.0)


def tanh(z: Tensor) -> Tensor:
    """tanh z = (exp 2z - 1) / (exp 2z + 1), to 1.5 units in the last place.

    On a CPU torch.tanh takes twice as long, and a tenth of a whole step.
    """
    if z.device.type != "cpu":
        return torch.tanh(z)
    # At 30 the quotient has been 1 for long; far beyond it would be ∞ / ∞.
    e = z.clamp(max=30).mul_(2).expm1_()
    return e / (e + 2)


class Elementwise(NamedTuple):
    """A function f of one real variable.

    Attributes:
        basis: z to a tuple that starts with f(z), of all that the derivatives are made of.
        derivatives: z and its basis to f'(z), f''(z), ... without end.
        riccati: the differential equation that f solves, if it is of this kind.
    """

    basis: Callable[[Tensor], Basis]
    derivatives: Callable[[Tensor, Basis], Iterator[Tensor]]
    riccati: Riccati | None = None


def power(exponent: float) -> Elementwise:
    """zᵖ for a constant p."""

    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        factor = 1.0
        for k in count(1):
            factor *= exponent - k + 1
            # Beyond the degree of a polynomial z⁻¹ would turn 0 × ∞ into NaN at z = 0.
            yield factor * z ** (exponent - k) if factor else torch.zeros_like(z)

    return Elementwise(lambda z: (z**exponent,), derivatives)


def softplus(beta: float, threshold: float) -> Elementwise:
    """log(1 + exp βz) / β, and z itself where torch takes it for that: βz > threshold."""

    def basis(z: Tensor) -> Basis:
        return functional.softplus(z, beta, threshold), torch.where(beta * z > threshold, 1.0, torch.sigmoid(beta * z))

    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        yield basis[1]
        for k, slope in enumerate(SIGMOID.derivatives(basis[1]), start=1):
            yield slope if beta == 1.0 else beta**k * slope

    return Elementwise(basis, derivatives)


def _oscillation(basis: Basis, signs: tuple[int, ...]) -> Iterator[Tensor]:
    """The derivatives of f with f'' = ± f from f and f', which take turns with these signs."""
    f, slope = basis
    for y, sign in zip(cycle((slope, f)), cycle(signs), strict=False):
        yield y if sign > 0 else -y


def _logarithm(slope: Tensor) -> Iterator[Tensor]:
    """The derivatives of f with f' = 1 / w, w' = 1."""
    yield slope
    yield from RECIPROCAL.derivatives(slope)


def _piecewise_linear(slope: Tensor) -> Iterator[Tensor]:
    yield slope
    while True:
        yield torch.zeros_like(slope)


def _times_argument(z: Tensor, factor: Iterator[Tensor]) -> Iterator[Tensor]:
    """(z g)', (z g)'', ... = g + z g', 2 g' + z g'', ... from g, g', ..."""
    lower = next(factor)
    for k, higher in enumerate(factor, start=1):
        yield torch.addcmul(lower if k == 1 else k * lower, z, higher)
        lower = higher


def _silu_derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
    def sigmoid() -> Iterator[Tensor]:
        yield basis[1]
        yield from SIGMOID.derivatives(basis[1])

    return _times_argument(z, sigmoid())


def _normal(z: Tensor) -> Basis:
    """Φ(z) = ∫ φ and the density φ(z) of the normal distribution."""
    return torch.special.ndtr(z), torch.exp(-0.5 * z * z) / sqrt(2 * pi)


def _density_derivatives(z: Tensor, density: Tensor) -> Iterator[Tensor]:
    """φ, φ', φ'', ... for φ' = -z φ."""
    lower, higher = density, -z * density
    yield lower
    for k in count(1):
        yield higher
        lower, higher = higher, torch.addcmul(-k * lower, z, higher, value=-1)


def _gelu_derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
    def distribution() -> Iterator[Tensor]:
        yield basis[1]
        yield from _density_derivatives(z, basis[2])

    return _times_argument(z, distribution())


ELEMENTWISE: Mapping[str, Elementwise] = MappingProxyType(
    {
        "tanh": Elementwise(lambda z: (tanh(z),), lambda z, basis: TANH.derivatives(basis[0]), TANH),
        "tan": Elementwise(lambda z: (torch.tan(z),), lambda z, basis: TAN.derivatives(basis[0]), TAN),
        "sigmoid": Elementwise(lambda z: (torch.sigmoid(z),), lambda z, basis: SIGMOID.derivatives(basis[0]), SIGMOID),
        "reciprocal": Elementwise(
            lambda z: (torch.reciprocal(z),), lambda z, basis: RECIPROCAL.derivatives(basis[0]), RECIPROCAL
        ),
        "exp": Elementwise(lambda z: (torch.exp(z),), lambda z, basis: repeat(basis[0])),
        "log": Elementwise(lambda z: (torch.log(z), torch.reciprocal(z)), lambda z, basis: _logarithm(basis[1])),
        "log1p": Elementwise(
            lambda z: (torch.log1p(z), torch.reciprocal(1 + z)), lambda z, basis: _logarithm(basis[1])
        ),
        "sin": Elementwise(
            lambda z: (torch.sin(z), torch.cos(z)), lambda z, basis: _oscillation(basis, (1, -1, -1, 1))
        ),
        "cos": Elementwise(
            lambda z: (torch.cos(z), torch.sin(z)), lambda z, basis: _oscillation(basis, (-1, -1, 1, 1))
        ),
        "sinh": Elementwise(lambda z: (torch.sinh(z), torch.cosh(z)), lambda z, basis: _oscillation(basis, (1,))),
        "cosh": Elementwise(lambda z: (torch.cosh(z), torch.sinh(z)), lambda z, basis: _oscillation(basis, (1,))),
        "sqrt": power(0.5),
        "rsqrt": power(-0.5),
        "square": power(2.0),
        "silu": Elementwise(lambda z: (functional.silu(z), torch.sigmoid(z)), _silu_derivatives),
        "gelu": Elementwise(lambda z: (functional.gelu(z), *_normal(z)), _gelu_derivatives),
        "relu": Elementwise(lambda z: (torch.relu(z),), lambda z, basis: _piecewise_linear((z > 0).to(z.dtype))),
        "abs": Elementwise(lambda z: (torch.abs(z),), lambda z, basis: _piecewise_linear(torch.sign(z))),
    }
)
"""By the name that torch gives the function; parameters of a call are read elsewhere."""
