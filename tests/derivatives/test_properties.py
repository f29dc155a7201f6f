"""What holds for every operator on a field that is no polynomial: the same record expands into every property."""

from typing import Any

import pytest
import torch
from geometry import coordinates, flat, in_one_tensor
from operators import DIRECTION, OPERATORS, Operator
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from pinn.derivatives import biharmonic, gradient_of, laplacian_of, polar, spherical

ALL = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
TWO_FORMS = pytest.mark.parametrize(
    "operator", [operator for operator in OPERATORS if not operator.plain], ids=lambda operator: operator.name
)


def waves(rank: int, components: int, x: tuple[Tensor, ...], phase: float = 0.0) -> Any:
    """Fields of which no derivative of any order vanishes."""
    if rank == 0:
        return torch.sin(phase + sum((i + 1) * v / 2 for i, v in enumerate(x))) * torch.exp(x[-1] / 3)
    return tuple(waves(rank - 1, components, x, phase + 0.7 * (i + 1)) for i in range(components))


def dimension(operator: Operator) -> int:
    return next(n for n in operator.dimensions if n > 1)


def result(operator: Operator, *x: Tensor) -> list[Tensor]:
    """The components of the operator on waves of the coordinates, of which the last may be the time."""
    n = dimension(operator)
    return flat(operator.apply(waves(operator.rank, n, x), x[:n], DIRECTION[:n], *x[n:]))


def variables(operator: Operator) -> int:
    return dimension(operator) + operator.timed


@ALL
def test_gradients_of_the_result_are_its_derivatives(operator):
    x = coordinates(variables(operator), points=2, seed=1)

    def function(*x: Tensor) -> tuple[Tensor, ...]:
        return tuple(result(operator, *x))

    # Both compare with differences of exact values, with the step and the tolerances that torch has for float64.
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


@ALL
def test_a_point_knows_nothing_of_the_others(operator):
    x = coordinates(variables(operator), points=5, seed=2)
    moved = [v.detach().clone() for v in x]
    for v in moved:
        v[3] += 0.1
    for before, after in zip(result(operator, *x), result(operator, *(v.requires_grad_() for v in moved)), strict=True):
        others = [0, 1, 2, 4]
        assert torch.equal(before[others], after[others])
        assert before[3] != after[3]


@ALL
@pytest.mark.parametrize("points", [0, 1])
def test_no_point_and_one_point(operator, points):
    x = coordinates(variables(operator), points=3, seed=3)
    few = [v.detach()[:points].clone().requires_grad_() for v in x]
    for part, whole in zip(result(operator, *few), result(operator, *x), strict=True):
        assert part.shape == (points,)
        # Vectorised and single evaluations of sin and exp may differ in their last bits.
        torch.testing.assert_close(part, whole[:points], rtol=1e-13, atol=1e-14)


@ALL
def test_strided_coordinates(operator):
    x = coordinates(variables(operator), points=4, seed=4)
    strided = [torch.stack((v, v), -1).detach()[:, 0].requires_grad_() for v in x]
    assert not any(v.is_contiguous() for v in strided)
    for one, other in zip(result(operator, *x), result(operator, *strided), strict=True):
        # Vectorised and strided evaluations of sin and exp may differ in their last bits.
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-14)


@ALL
def test_single_precision(operator):
    x = coordinates(variables(operator), points=4, seed=5)
    single = [v.detach().float().requires_grad_() for v in x]
    exact = result(operator, *(v.detach().double().requires_grad_() for v in single))
    for one, other in zip(result(operator, *single), exact, strict=True):
        assert one.dtype == torch.float32
        # 2⁻²⁴ for each of some 50 roundings in terms that are at most 30.
        torch.testing.assert_close(one.double(), other, rtol=3e-6, atol=1e-4 if operator.order > 2 else 1e-5)


@ALL
def test_the_transform_of_a_function_is_the_operator_on_its_values(operator):
    n, x = dimension(operator), coordinates(variables(operator), points=4, seed=6)
    transformed = operator.transform(lambda *x: waves(operator.rank, n, x), DIRECTION[:n])
    for given in (x, [v.detach() for v in x]):
        for one, other in zip(flat(transformed(*given)), result(operator, *x), strict=True):
            assert torch.equal(one, other)


def system(n: int, curvilinear: bool) -> dict[str, Any]:
    return {"system": {2: polar, 3: spherical}[n]} if curvilinear else {}


@TWO_FORMS
@pytest.mark.parametrize("curvilinear", [False, True])
def test_the_transform_of_a_function_of_one_tensor(operator, curvilinear):
    n, x = dimension(operator), coordinates(variables(operator), points=4, seed=7)
    one_tensor = torch.stack(x[:n], -1).detach()

    def function(rows: Tensor, *time: Tensor) -> Any:
        return waves(operator.rank, n, (*rows.unbind(-1), *time))

    transformed = operator.transform(function, DIRECTION[:n], **system(n, curvilinear))(one_tensor, *x[n:])
    rows = one_tensor.requires_grad_()
    expected = operator.apply(function(rows, *x[n:]), rows, DIRECTION[:n], *x[n:], **system(n, curvilinear))
    assert nested_shape(transformed) == nested_shape(expected)
    for one, other in zip(flat(transformed), flat(expected), strict=True):
        assert torch.equal(one, other)


def test_transforms_of_transforms_and_what_flows_through_them():
    x, y = coordinates(2, points=4, seed=9)
    twice = laplacian_of(laplacian_of(lambda x, y: waves(0, 1, (x, y))))
    expected = biharmonic(waves(0, 1, (x, y)), (x, y))
    assert torch.equal(twice(x, y), expected)
    assert torch.equal(*(torch.autograd.grad(u.sum(), x, retain_graph=True)[0] for u in (twice(x, y), expected)))


def test_arguments_of_a_function_are_variables_of_their_own():
    (x,) = coordinates(1, points=4, seed=9)
    u_1, u_2 = gradient_of(lambda x, y: x**2 * y)(x, x)
    # Two roundings.
    torch.testing.assert_close(u_1, 2 * x**2, rtol=1e-15, atol=0)
    torch.testing.assert_close(u_2, x**2, rtol=1e-15, atol=0)
    assert isinstance(gradient_of(lambda x: x**2)(x), tuple)


@TWO_FORMS
@pytest.mark.parametrize("curvilinear", [False, True])
@pytest.mark.parametrize("fields_in_one", [False, True])
@pytest.mark.parametrize("coordinates_in_one", [False, True])
def test_shapes(operator, fields_in_one, coordinates_in_one, curvilinear):
    n, x = dimension(operator), coordinates(variables(operator), points=4, seed=8)
    given: Any = x[:n]
    if coordinates_in_one:
        given = torch.stack(given, -1).detach().requires_grad_()
        x = (*given.unbind(-1), *x[n:])
    field = waves(operator.rank, n, x)
    if fields_in_one:
        field = in_one_tensor(field, operator.rank)
    value = operator.apply(field, given, DIRECTION[:n], *x[n:], **system(n, curvilinear))

    both_ranks = operator.results == 2 or operator.name == "gradient"
    in_one = (both_ranks and coordinates_in_one) or (operator.rank > 0 and fields_in_one)
    shape = (4,) + (n,) * operator.results
    assert nested_shape(value) == (shape if in_one or not operator.results else shape[1:] + shape[:1])
    assert isinstance(value, Tensor) == (in_one or not operator.results)


def nested_shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else (len(value), *nested_shape(value[0]))


PASSES = {
    **{f"partial_{order}": lambda n, m, order=order: order for order in (1, 2, 3, 4)},
    "gradient": lambda n, m: 1,
    "jacobian": lambda n, m: m,
    "divergence": lambda n, m: n,
    "tensor_divergence": lambda n, m: m * n,
    "curl_2d": lambda n, m: 2,
    "curl_3d": lambda n, m: 3,
    "hessian": lambda n, m: 1 + n,
    "laplacian": lambda n, m: 1 + n,
    "vector_laplacian": lambda n, m: m * (1 + n),
    "biharmonic": lambda n, m: 2 * (1 + n),
    "vector_biharmonic": lambda n, m: 2 * m * (1 + n),
    **{name: lambda n, m: 1 for name in ("directional", "normal", "material")},
    **{name: lambda n, m: m for name in ("vector_directional", "vector_normal", "vector_material")},
}


@ALL
def test_the_number_of_backward_passes(operator, monkeypatch):
    n, x = dimension(operator), coordinates(variables(operator), points=2, seed=10)
    calls, grad = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *given, **more: calls.append(1) or grad(*given, **more))
    result(operator, *x)
    assert len(calls) == PASSES[operator.name](n, n)
