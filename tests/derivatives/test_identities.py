"""Identities of vector calculus, in every system: they hold whatever the operators are made of."""

import pytest
import torch
from geometry import CARTESIAN, CYLINDRICAL, GEOMETRIES, POLAR, SPHERICAL, Geometry, coordinates, flat
from hypothesis import given, settings, strategies
from polynomials import derivatives, evaluate, fields, polynomials, size
from torch import Tensor

from pinn.derivatives import curl, directional, divergence, gradient, hessian, jacobian, laplacian, material, partial

quickly = settings(derandomize=True, deadline=None, max_examples=5)
seeds = strategies.integers(0, 100)
everywhere = pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
in_space = pytest.mark.parametrize("geometry", [CARTESIAN, CYLINDRICAL, SPHERICAL], ids=lambda g: g.system.__name__)

# Terms that cancel leave the round-off of the terms: some 100 roundings of 1e-16 each, and metric factors of at most 4.
ROUNDOFF = 1e-12


def assert_zero(values: Tensor | tuple[Tensor, ...], terms: Tensor) -> None:
    for value in flat(values):
        assert (value.abs() <= ROUNDOFF * terms).all()


def minus(one, other):
    return tuple(a - b for a, b in zip(flat(one), flat(other), strict=True))


def terms(polynomial, order: int, q) -> Tensor:
    """The size of all derivatives up to an order, times 1 + 1/r and its powers, where r is at least 1/2."""
    return 4**order * (1 + size(derivatives(polynomial, order), q))


@in_space
@quickly
@given(u=polynomials(3), seed=seeds)
def test_the_curl_of_a_gradient_is_zero(geometry: Geometry, u, seed):
    q = coordinates(3, points=3, seed=seed)
    field = gradient(evaluate(u, q), q, system=geometry.system)
    assert_zero(curl(field, q, system=geometry.system), terms(u, 2, q))


@pytest.mark.parametrize("geometry", [CARTESIAN, POLAR], ids=lambda g: g.system.__name__)
@quickly
@given(u=polynomials(2), seed=seeds)
def test_the_curl_of_a_gradient_is_zero_in_the_plane(geometry: Geometry, u, seed):
    q = coordinates(2, points=3, seed=seed)
    field = gradient(evaluate(u, q), q, system=geometry.system)
    assert_zero(curl(field, q, system=geometry.system), terms(u, 2, q))


@in_space
@quickly
@given(f=fields(1, 3, 3), seed=seeds)
def test_the_divergence_of_a_curl_is_zero(geometry: Geometry, f, seed):
    q = coordinates(3, points=3, seed=seed)
    rotation = curl(evaluate(f, q), q, system=geometry.system)
    assert_zero(divergence(rotation, q, system=geometry.system), terms(f, 2, q))


@in_space
@quickly
@given(f=fields(1, 3, 3), seed=seeds)
def test_the_laplacian_of_a_vector_is_grad_div_minus_curl_curl(geometry: Geometry, f, seed):
    q, system = coordinates(3, points=3, seed=seed), {"system": geometry.system}
    field = evaluate(f, q)
    grad_div = gradient(divergence(field, q, **system), q, **system)
    curl_curl = curl(curl(field, q, **system), q, **system)
    assert_zero(minus(laplacian(field, q, **system), minus(grad_div, curl_curl)), terms(f, 2, q))


@everywhere
@quickly
@given(data=strategies.data(), seed=seeds)
def test_traces_are_divergences(geometry: Geometry, data, seed):
    n = geometry.dimensions[-1]
    q, system = coordinates(n, points=3, seed=seed), {"system": geometry.system}
    u, f = data.draw(polynomials(n)), data.draw(fields(1, n, n))
    rows = hessian(evaluate(u, q), q, **system)
    assert_zero(laplacian(evaluate(u, q), q, **system) - sum(rows[i][i] for i in range(n)), terms(u, 2, q))
    rows = jacobian(evaluate(f, q), q, **system)
    assert_zero(divergence(evaluate(f, q), q, **system) - sum(rows[i][i] for i in range(n)), terms(f, 1, q))


@everywhere
@quickly
@given(data=strategies.data(), seed=seeds)
def test_the_hessian_is_symmetric(geometry: Geometry, data, seed):
    n = geometry.dimensions[-1]
    q, u = coordinates(n, points=3, seed=seed), data.draw(polynomials(n))
    rows = hessian(evaluate(u, q), q, system=geometry.system)
    assert_zero(minus(rows, tuple(zip(*rows, strict=True))), terms(u, 2, q))


@everywhere
@quickly
@given(data=strategies.data(), seed=seeds)
def test_product_rules(geometry: Geometry, data, seed):
    n = geometry.dimensions[-1]
    q, system = coordinates(n, points=3, seed=seed), {"system": geometry.system}
    p, f = data.draw(polynomials(n)), data.draw(fields(1, n, n))
    u, field = evaluate(p, q), evaluate(f, q)
    scale = terms(p, 2, q) * terms(f, 2, q)

    scaled = divergence(tuple(u * c for c in field), q, **system)
    assert_zero(scaled - u * divergence(field, q, **system) - directional(u, q, field, **system), scale)

    v = field[0]
    cross = directional(u, q, gradient(v, q, **system), **system)
    products = u * laplacian(v, q, **system) + 2 * cross + v * laplacian(u, q, **system)
    assert_zero(laplacian(u * v, q, **system) - products, scale)

    dyad = tuple(tuple(a * b for b in field) for a in field)
    advection = directional(field, q, field, **system)
    flux = tuple(c * divergence(field, q, **system) + a for c, a in zip(field, advection, strict=True))
    assert_zero(minus(divergence(dyad, q, **system), flux), terms(f, 1, q) ** 2)


@everywhere
@quickly
@given(data=strategies.data(), seed=seeds)
def test_the_material_derivative_adds_the_rate_of_change(geometry: Geometry, data, seed):
    n = geometry.dimensions[-1]
    *q, t = coordinates(n + 1, points=3, seed=seed)
    f = data.draw(fields(1, n, n + 1))
    field = evaluate(f, (*q, t))
    advection = directional(field, q, field, system=geometry.system)
    expected = [partial(c, t) + a for c, a in zip(field, advection, strict=True)]
    assert_zero(minus(material(field, field, q, t, system=geometry.system), expected), terms(f, 1, (*q, t)) ** 2)


@pytest.mark.parametrize("dimension", [2, 3, 4])
@quickly
@given(data=strategies.data(), seed=seeds)
def test_rotations_turn_vectors_and_leave_scalars(dimension: int, data, seed):
    p, f = data.draw(polynomials(dimension)), data.draw(fields(1, dimension, dimension))
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(dimension, dimension, generator=generator, dtype=torch.float64))[0]
    x = torch.stack(coordinates(dimension, points=3, seed=seed), -1).detach().requires_grad_()
    y = (x.detach() @ rotation.T).requires_grad_()
    scale = dimension**2 * (1 + size(derivatives(p, 2), y.unbind(-1)) + size(derivatives(f, 2), y.unbind(-1)))

    turned = evaluate(p, (x @ rotation.T).unbind(-1))
    straight = evaluate(p, y.unbind(-1))
    assert_zero(laplacian(turned, x) - laplacian(straight, y), scale)
    assert_zero(minus(gradient(turned, x) @ rotation.T, gradient(straight, y)), scale)
    assert_zero(minus(rotation @ hessian(turned, x) @ rotation.T, hessian(straight, y)), scale)

    turned = torch.stack(evaluate(f, (x @ rotation.T).unbind(-1)), -1) @ rotation
    straight = torch.stack(evaluate(f, y.unbind(-1)), -1)
    assert_zero(divergence(turned, x) - divergence(straight, y), scale)
    assert_zero(minus(laplacian(turned, x) @ rotation.T, laplacian(straight, y)), scale)
