"""Every operator, in every system and both forms, on random polynomials whose derivatives SymPy knows."""

from typing import Any

import pytest
import torch
from geometry import CARTESIAN, GEOMETRIES, PARABOLIC, Geometry, along_axes, coordinates, flat, in_one_tensor
from helpers.sampled import sampled
from hypothesis import given, settings, strategies
from operators import DIRECTION, OPERATORS, Operator
from polynomials import derivatives, evaluate, fields, polynomials, size, symbols
from torch import Tensor

from pinn.derivatives import cartesian, partial

quickly = settings(derandomize=True, deadline=None, max_examples=5)

# A term of a derivative costs about 50 roundings of 1e-16, in curvilinear coordinates some hundreds.
ROUNDOFF = 1e-12


CASES = [
    pytest.param(operator, geometry, dimension, id=f"{operator.name}-{name}-{dimension}")
    for operator in OPERATORS
    for name, geometry in GEOMETRIES.items()
    for dimension in sorted(set(operator.dimensions) & set(geometry.dimensions))
    if geometry is CARTESIAN or not operator.plain
    if geometry is not PARABOLIC or operator.name != "vector_biharmonic"  # takes seconds where both scale factors vary
]


@pytest.mark.parametrize(("operator", "geometry", "dimension"), sampled(CASES, 2))
@quickly
@given(data=strategies.data())
def test_equals_the_textbook_in_both_forms(operator: Operator, geometry: Geometry, dimension: int, data):
    variables = dimension + operator.timed
    polynomial = data.draw(fields(operator.rank, dimension, variables))
    q = coordinates(variables, points=3, seed=data.draw(strategies.integers(0, 100)))
    expected, tolerance = textbook(operator, geometry, polynomial, q)

    for one_tensor in (False, True)[: 1 if operator.plain else 2]:
        result = flat(applied(operator, geometry, polynomial, q, one_tensor))
        assert len(result) == len(flat(expected))
        for value, truth in zip(result, flat(expected), strict=True):
            assert ((value - truth).abs() <= tolerance).all()


def textbook(operator: Operator, geometry: Geometry, polynomial: Any, q: tuple[Tensor, ...]) -> tuple[Any, Tensor]:
    """The result along the unit vectors at the points, and how much round-off it may have."""
    space, time = split(operator, q)
    here = [*geometry.position(*space), *time]
    exact = operator.exact(polynomial, symbols(len(q)), [int(c) for c in DIRECTION[: len(space)]])
    value = along_axes(evaluate(exact, here), operator.results, geometry.axes(*space))
    # In Cartesian coordinates only the terms of the result itself occur; elsewhere all derivatives do, and may cancel.
    terms = exact if geometry is CARTESIAN else derivatives(polynomial, operator.order)
    return value, ROUNDOFF * size(terms, here)


def applied(operator: Operator, geometry: Geometry, polynomial: Any, q: tuple[Tensor, ...], one_tensor: bool) -> Any:
    """The operator on the field that has these values, everything given in one form or the other."""
    space, time = split(operator, q)
    given: Any = space
    if one_tensor:
        given = torch.stack(space, 1).detach().requires_grad_()
        space = given.unbind(1)
    axes = geometry.axes(*space)
    field = along_axes(evaluate(polynomial, [*geometry.position(*space), *time]), operator.rank, axes)
    constant = [c * torch.ones_like(space[0]) for c in DIRECTION[: len(space)]]
    direction = along_axes(constant, 1, axes)
    if one_tensor:
        field, direction = in_one_tensor(field, operator.rank), in_one_tensor(direction, 1)
    options = {} if geometry.system is cartesian else {"system": geometry.system}
    return operator.apply(field, given, direction, *time, **options)


def split(operator: Operator, q: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    return (q[:-1], q[-1:]) if operator.timed else (q, ())


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@quickly
@given(data=strategies.data())
def test_partial_in_any_order_of_any_coordinates(dimension, order, data):
    polynomial = data.draw(polynomials(dimension))
    indices = data.draw(strategies.lists(strategies.integers(0, dimension - 1), min_size=order, max_size=order))
    x = coordinates(dimension, points=3, seed=data.draw(strategies.integers(0, 100)))
    exact = polynomial
    for i in indices:
        exact = exact.diff(symbols(dimension)[i])
    error = partial(evaluate(polynomial, x), *(x[i] for i in indices)) - evaluate(exact, x)
    assert (error.abs() <= ROUNDOFF * size(exact, x)).all()
