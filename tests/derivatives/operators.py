"""One record for each operator: what it is in this library, and what the textbook says in Cartesian coordinates."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from pinn import derivatives as d

DIRECTION = (2.0, -3.0, 1.0, -2.0)  # of the derivatives along a direction, as many as there are coordinates


class Operator(NamedTuple):
    """An operator on the fields of one rank.

    Attributes:
        rank: of the field: scalar, vector or tensor.
        results: the rank of the result.
        order: how often the field is differentiated.
        apply: the result from (field, coordinates, direction, **options), with the time after these if there is one.
        transform: the transform of a (function, direction, **options) that does the same.
        exact: the textbook result from (polynomials, symbols, direction).
        dimensions: the numbers of coordinates in which it is defined, time not counted, at most 4 with time.
        timed: whether it knows the time.
        plain: whether it takes separate Cartesian coordinates only.
    """

    name: str
    rank: int
    results: int
    order: int
    apply: Callable[..., Any]
    transform: Callable[..., Any]
    exact: Callable[..., Any]
    dimensions: Sequence[int] = (1, 2, 3, 4)
    timed: bool = False
    plain: bool = False


def mixed(order: int, dimension: int) -> list[int]:
    """The coordinates x, xy, xyz, xyzx …, as far as the dimension allows."""
    return [k % dimension for k in range(order)]


def _partial(order: int) -> Operator:
    def exact(u, x, _):
        for i in mixed(order, len(x)):
            u = u.diff(x[i])
        return u

    def apply(u: Tensor, x: Sequence[Tensor], _: Any) -> Tensor:
        return d.partial(u, *(x[i] for i in mixed(order, len(x))))

    def transform(f: Callable[..., Tensor], _: Any) -> Callable[..., Tensor]:
        return lambda *x: d.partial_of(f, *mixed(order, len(x)))(*x)

    return Operator(f"partial_{order}", 0, 0, order, apply, transform, exact, plain=True)


def _of_field(operator: Callable[..., Any]) -> Callable[..., Any]:
    return lambda u, x, _, **options: operator(u, x, **options)


def _of_function(transform: Callable[..., Any]) -> Callable[..., Any]:
    return lambda f, _, **options: transform(f, **options)


def _gradient(u, x):
    return [u.diff(s) for s in x]


def _divergence(row, x):
    return sum((c.diff(s) for c, s in zip(row, x, strict=True)), start=row[0] * 0)


def _laplacian(u, x):
    return _divergence(_gradient(u, x), x)


def _along(u, x, v):
    return sum((c * u.diff(s) for c, s in zip(v, x, strict=True)), start=u * 0)


def _curl(u, x):
    return [
        u[2].diff(x[1]) - u[1].diff(x[2]),
        u[0].diff(x[2]) - u[2].diff(x[0]),
        u[1].diff(x[0]) - u[0].diff(x[1]),
    ]


def _field_operator(name, rank, results, order, operator, transform, exact, **more):
    of_field, of_function = _of_field(operator), _of_function(transform)
    return Operator(name, rank, results, order, of_field, of_function, lambda u, x, _: exact(u, x), **more)


OPERATORS = [
    *(_partial(order) for order in (1, 2, 3, 4)),
    _field_operator("gradient", 0, 1, 1, d.gradient, d.gradient_of, _gradient),
    _field_operator("jacobian", 1, 2, 1, d.jacobian, d.jacobian_of, lambda u, x: [_gradient(c, x) for c in u]),
    _field_operator("divergence", 1, 0, 1, d.divergence, d.divergence_of, _divergence),
    _field_operator(
        "tensor_divergence", 2, 1, 1, d.divergence, d.divergence_of, lambda u, x: [_divergence(row, x) for row in u]
    ),
    _field_operator(
        "curl_2d", 1, 0, 1, d.curl, d.curl_of, lambda u, x: u[1].diff(x[0]) - u[0].diff(x[1]), dimensions=(2,)
    ),
    _field_operator("curl_3d", 1, 1, 1, d.curl, d.curl_of, _curl, dimensions=(3,)),
    _field_operator(
        "hessian", 0, 2, 2, d.hessian, d.hessian_of, lambda u, x: [_gradient(c, x) for c in _gradient(u, x)]
    ),
    _field_operator("laplacian", 0, 0, 2, d.laplacian, d.laplacian_of, _laplacian),
    _field_operator(
        "vector_laplacian", 1, 1, 2, d.laplacian, d.laplacian_of, lambda u, x: [_laplacian(c, x) for c in u]
    ),
    _field_operator("biharmonic", 0, 0, 4, d.biharmonic, d.biharmonic_of, lambda u, x: _laplacian(_laplacian(u, x), x)),
    _field_operator(
        "vector_biharmonic",
        1,
        1,
        4,
        d.biharmonic,
        d.biharmonic_of,
        lambda u, x: [_laplacian(_laplacian(c, x), x) for c in u],
        dimensions=(1, 2),
    ),
    Operator("directional", 0, 0, 1, d.directional, d.directional_of, _along),
    Operator(
        "vector_directional", 1, 1, 1, d.directional, d.directional_of, lambda u, x, v: [_along(c, x, v) for c in u]
    ),
    Operator("normal", 0, 0, 1, d.normal, d.normal_of, _along),
    Operator("vector_normal", 1, 1, 1, d.normal, d.normal_of, lambda u, x, v: [_along(c, x, v) for c in u]),
    Operator(
        "material",
        0,
        0,
        1,
        lambda u, x, v, t, **options: d.material(u, v, x, t, **options),
        d.material_of,
        lambda u, x, v: _along(u, x, (*v, 1)),
        dimensions=(1, 2, 3),
        timed=True,
    ),
    Operator(
        "vector_material",
        1,
        1,
        1,
        lambda u, x, v, t, **options: d.material(u, v, x, t, **options),
        d.material_of,
        lambda u, x, v: [_along(c, x, (*v, 1)) for c in u],
        dimensions=(1, 2, 3),
        timed=True,
    ),
]
