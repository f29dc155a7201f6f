"""Polynomials known twice: as SymPy objects that are differentiated by hand, and as torch functions of tensors."""

from collections.abc import Sequence
from functools import reduce
from operator import add, mul
from typing import Any

import sympy
from hypothesis import strategies
from torch import Tensor

DEGREE = 5
Nested = Any  # a polynomial, or nested lists of them


def symbols(dimension: int) -> tuple[sympy.Symbol, ...]:
    return sympy.symbols(f"x:{dimension}")


@strategies.composite
def polynomials(draw: strategies.DrawFn, dimension: int) -> sympy.Poly:
    """A few terms with small integer coefficients, among them constants, unused coordinates and the zero polynomial."""
    factors = strategies.lists(strategies.integers(0, dimension - 1), max_size=DEGREE)
    powers = factors.map(lambda chosen: tuple(chosen.count(variable) for variable in range(dimension)))
    coefficients = draw(strategies.dictionaries(powers, strategies.integers(-5, 5), max_size=4))
    return sympy.Poly.from_dict(coefficients, *symbols(dimension))


@strategies.composite
def fields(draw: strategies.DrawFn, rank: int, components: int, dimension: int) -> Nested:
    """A polynomial, a list of them or a list of lists, as the rank says."""
    if rank == 0:
        return draw(polynomials(dimension))
    return [draw(fields(rank - 1, components, dimension)) for _ in range(components)]


def evaluate(polynomial: Nested, x: Sequence[Tensor]) -> Any:
    """The values at the points; they have a graph even where the polynomial is constant."""
    if isinstance(polynomial, list):
        return tuple(evaluate(entry, x) for entry in polynomial)
    terms = [
        reduce(mul, (v**power for v, power in zip(x, powers, strict=True) if power), coefficient)
        for powers, coefficient in _terms(polynomial)
    ]
    return reduce(add, terms, 0 * x[0])


def size(polynomial: Nested, x: Sequence[Tensor]) -> Tensor:
    """The sum of the absolute values of all terms, in all entries: what round-off is relative to."""
    if isinstance(polynomial, list):
        return reduce(add, (size(entry, x) for entry in polynomial))
    absolute = {powers: abs(coefficient) for powers, coefficient in polynomial.as_dict().items()}
    return evaluate(sympy.Poly.from_dict(absolute, *polynomial.gens), [v.detach().abs() for v in x])


def _terms(polynomial: sympy.Poly) -> list[tuple[tuple[int, ...], float]]:
    return [(powers, float(coefficient)) for powers, coefficient in polynomial.as_dict().items()]


def derivatives(polynomial: Nested, order: int) -> list[sympy.Poly]:
    """All partial derivatives up to an order, of all entries."""
    if isinstance(polynomial, list):
        return [derivative for entry in polynomial for derivative in derivatives(entry, order)]
    found = [polynomial]
    if order:
        found += [d for symbol in polynomial.gens for d in derivatives(polynomial.diff(symbol), order - 1)]
    return found
