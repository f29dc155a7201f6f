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

SIGMOID, RECIPROCAL = Riccati(0.0, 1.0, -1.0), Riccati(0.0, 0.0, -1.0)


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


def softplus(beta: float = 1.0, threshold: float = 20.0) -> Elementwise:
    """log(1 + exp βz) / β, and z itself where torch takes it for that: βz > threshold."""

    def basis(z: Tensor) -> Basis:
        return functional.softplus(z, beta, threshold), torch.where(beta * z > threshold, 1.0, torch.sigmoid(beta * z))

    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        yield basis[1]
        for k, slope in enumerate(SIGMOID.derivatives(basis[1]), start=1):
            yield slope if beta == 1.0 else beta**k * slope

    return Elementwise(basis, derivatives)


def _solves(riccati: Riccati, f: Callable[[Tensor], Tensor]) -> Elementwise:
    return Elementwise(lambda z: (f(z),), lambda z, basis: riccati.derivatives(basis[0]), riccati)


def _integral(f: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]) -> Elementwise:
    """f with f' = 1 / w, w' = 1, as the logarithm has."""

    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        yield basis[1]
        yield from RECIPROCAL.derivatives(basis[1])

    return Elementwise(lambda z: (f(z), slope(z)), derivatives)


def _oscillation(
    f: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor], signs: tuple[int, ...]
) -> Elementwise:
    """f with f'' = ± f; `signs` are those with which f' and f take turns as the derivatives of f."""

    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        for y, sign in zip(cycle((basis[1], basis[0])), cycle(signs), strict=False):
            yield y if sign > 0 else -y

    return Elementwise(lambda z: (f(z), slope(z)), derivatives)


def _piecewise_linear(f: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]) -> Elementwise:
    def derivatives(z: Tensor, basis: Basis) -> Iterator[Tensor]:
        yield slope(z).to(z.dtype)
        while True:
            yield torch.zeros_like(z)

    return Elementwise(lambda z: (f(z),), derivatives)


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
        "tanh": _solves(Riccati(1.0, 0.0, -1.0), torch.tanh),
        "sigmoid": _solves(SIGMOID, torch.sigmoid),
        "tan": _solves(Riccati(1.0, 0.0, 1.0), torch.tan),
        "exp": Elementwise(lambda z: (torch.exp(z),), lambda z, basis: repeat(basis[0])),
        "reciprocal": _solves(RECIPROCAL, torch.reciprocal),
        "log": _integral(torch.log, torch.reciprocal),
        "log1p": _integral(torch.log1p, lambda z: torch.reciprocal(1 + z)),
        "sin": _oscillation(torch.sin, torch.cos, (1, -1, -1, 1)),
        "cos": _oscillation(torch.cos, torch.sin, (-1, -1, 1, 1)),
        "sinh": _oscillation(torch.sinh, torch.cosh, (1,)),
        "cosh": _oscillation(torch.cosh, torch.sinh, (1,)),
        "sqrt": power(0.5),
        "rsqrt": power(-0.5),
        "square": power(2.0),
        "silu": Elementwise(lambda z: (functional.silu(z), torch.sigmoid(z)), _silu_derivatives),
        "gelu": Elementwise(lambda z: (functional.gelu(z), *_normal(z)), _gelu_derivatives),
        "relu": _piecewise_linear(torch.relu, lambda z: z > 0),
        "abs": _piecewise_linear(torch.abs, torch.sign),
    }
)
"""By the name that torch gives the function; parameters of a call are read elsewhere."""
