"""The contract of the derivatives, clause by clause."""

import re

import pytest
import torch
from geometry import coordinates
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pinn import derivatives
from pinn.derivatives import (
    DerivativeError,
    DetachedError,
    DtypeError,
    FreedGraphError,
    GradModeError,
    ShapeError,
    curl,
    cylindrical,
    directional,
    divergence,
    gradient,
    hessian,
    jacobian,
    laplacian,
    laplacian_of,
    material,
    partial,
    partial_of,
    polar,
    vjp,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def network(inputs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(inputs, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()


# ---------------------------------------------------------------------------------------------------- zeros, any order


def test_a_linear_field_has_zero_derivatives_of_any_higher_order():
    x, y = coordinates(2, points=4, seed=0)
    u = 3 * x - 2 * y + 1
    assert torch.equal(partial(u, x), torch.full_like(x, 3))
    for order in (2, 3, 4):
        assert torch.equal(partial(u, *[x] * order), torch.zeros_like(x))
    assert torch.equal(partial(u, x, y), torch.zeros_like(x))
    assert torch.equal(laplacian(u, (x, y)), torch.zeros_like(x))


def test_a_zero_can_be_used_and_differentiated_like_any_field():
    x, y = coordinates(2, points=4, seed=0)
    zero = partial(3 * x, x, x)
    assert torch.equal(partial(zero * x + x**2, x), 2 * x)
    assert torch.equal(partial(partial(y**2, x) + y * x, x), y)


def test_a_coordinate_that_the_field_does_not_use():
    x, y = coordinates(2, points=4, seed=0)
    u_x, u_y = gradient(x**2, (x, y))
    assert torch.equal(u_x, 2 * x)
    assert torch.equal(u_y, torch.zeros_like(y))
    assert torch.equal(partial(u_y, y), torch.zeros_like(y))
    assert torch.equal(partial(u_y, x), torch.zeros_like(y))


def test_zero_is_exact_where_coordinates_are_not_finite():
    x = torch.tensor([torch.inf, -torch.inf, torch.nan], requires_grad=True)
    assert torch.equal(partial(3 * x, x), torch.full((3,), 3.0))
    assert torch.equal(partial(3 * x, x, x), torch.zeros(3))


def test_a_linear_network_keeps_the_graph_of_its_parameters():
    x, y = coordinates(2, points=4, seed=0)
    linear = torch.nn.Linear(2, 1).double()
    u_x = partial(linear(torch.stack((x, y), -1)).squeeze(-1), x)
    (weight,) = torch.autograd.grad(u_x.sum(), linear.weight, retain_graph=True)
    assert torch.equal(weight, torch.tensor([[4.0, 0.0]], dtype=torch.float64))
    assert torch.equal(partial(u_x, x), torch.zeros_like(x))
    assert torch.equal(partial(u_x, y), torch.zeros_like(x))


def test_a_zero_does_not_hide_the_loss_from_the_parameters():
    x, y = coordinates(2, points=4, seed=0)
    u = network(1)(x.unsqueeze(-1)).squeeze(-1)
    loss = (laplacian(u, (x, y)) ** 2).sum()
    (expected,) = torch.autograd.grad((partial(u, x, x) ** 2).sum(), x, retain_graph=True)
    (found,) = torch.autograd.grad(loss, x)
    assert torch.equal(found, expected)


# ---------------------------------------------------------------------------------------------------- what a result is


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_dtype_device_and_shape_are_kept(dtype, device, power):
    x = torch.linspace(0, 1, 6, dtype=dtype, device=device, requires_grad=True)
    y = torch.linspace(0, 1, 6, dtype=dtype, device=device, requires_grad=True)
    u = x**power * 2
    for value in (partial(u, x), *gradient(u, (x, y)), laplacian(u, (x, y))):
        assert (value.dtype, value.device, value.shape) == (x.dtype, x.device, x.shape)
        assert value.requires_grad


def test_coordinates_of_both_kinds_in_one_gradient():
    t = coordinates(1, points=4, seed=0)[0]
    x = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    u = t * (x**2).sum(-1)
    u_x, u_t = gradient(u, (x, t))
    assert torch.equal(u_x, 2 * t.unsqueeze(-1).expand(4, 3) * x)
    assert torch.equal(u_t, (x**2).sum(-1))
    # Sums of four numbers of order 1, in another order: a few roundings of 1e-16.
    torch.testing.assert_close(laplacian(u, (x, t)), 6 * t, rtol=1e-15, atol=0)
    assert len(hessian(u, (x, t))) == 4


def test_the_gradient_takes_one_backward_pass():
    x, y, z = coordinates(3, points=4, seed=0)
    product, passes = x * y * z, []
    product.register_hook(lambda _: passes.append(1))
    gradient(product.sin(), (x, y, z))
    assert len(passes) == 1
    material(product.sin(), (1.0, 2.0), (x, y), z)
    assert len(passes) == 2


class Recorder(TorchDispatchMode):
    """The tensor operations that run, in order."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.operations.append(str(function))
        return function(*args, **(kwargs or {}))


def test_a_derivative_costs_no_tensor_operation_more_than_autograd():
    (x,) = coordinates(1, points=4, seed=0)
    u = network(1)(x.unsqueeze(-1)).squeeze(-1)
    with Recorder() as ours:
        partial(u, x)
    with Recorder() as bare:
        torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)
    assert ours.operations == bare.operations


# ------------------------------------------------------------------------------------------------------------- weights


def test_grad_outputs_weigh_the_derivatives():
    x, y = coordinates(2, points=4, seed=0)
    u, w = x**3 * y, torch.tensor([1.0, 2.0, 3.0, -1.0], dtype=torch.float64)
    # Products of the same factors in another order: two roundings.
    close = {"rtol": 1e-15, "atol": 0}
    torch.testing.assert_close(partial(u, x, grad_outputs=w), w * 3 * x**2 * y, **close)
    torch.testing.assert_close(partial(u, x, x, grad_outputs=w), w * 6 * x * y, **close)
    for value, expected in zip(gradient(u, (x, y), grad_outputs=w), gradient(u, (x, y)), strict=True):
        torch.testing.assert_close(value, w * expected, **close)
    for value, expected in zip(
        gradient(u, (x, y), grad_outputs=w, system=polar), gradient(u, (x, y), system=polar), strict=True
    ):
        torch.testing.assert_close(value, w * expected, **close)


def test_weights_that_depend_on_a_coordinate_follow_the_product_rule():
    (x,) = coordinates(1, points=4, seed=0)
    # d/dx (x² · 3x²) = 12 x³: a few roundings.
    torch.testing.assert_close(partial(partial(x**3, x, grad_outputs=x**2), x), 12 * x**3, rtol=1e-15, atol=0)
    # The last pass has the weights: x² u_xx and not (x² u_x)_x.
    torch.testing.assert_close(partial(x**3, x, x, grad_outputs=x**2), 6 * x**3, rtol=1e-15, atol=0)


def test_vector_jacobian_product():
    x, y = coordinates(2, points=4, seed=0)
    u, v, w = x * y, x**2, y.sin()
    expected = [sum(c * row[j] for c, row in zip((w, y), jacobian((u, v), (x, y)), strict=True)) for j in range(2)]
    for value, truth in zip(vjp((u, v), (x, y), (w, y)), expected, strict=True):
        # Two products and a sum.
        torch.testing.assert_close(value, truth, rtol=1e-15, atol=0)
    xy = torch.stack((x, y), -1).detach().requires_grad_()
    fields = torch.stack((xy.prod(-1), xy[:, 0] ** 2), -1)
    torch.testing.assert_close(
        vjp(fields, xy, torch.stack((w, y), -1).detach()), torch.stack(expected, -1), rtol=1e-15, atol=0
    )


# -------------------------------------------------------------------------------------------------------------- errors


def field(points: int = 4) -> tuple[Tensor, Tensor]:
    x = torch.rand(points, dtype=torch.float64, requires_grad=True)
    return x, x**3


def raises(kind: type[DerivativeError], builtin: type[Exception], *words: str):
    """The one exception of the clause, which is also a builtin one, with all the words of its advice."""
    assert issubclass(kind, DerivativeError)
    assert issubclass(kind, builtin)
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{re.escape(word)})" for word in words))


def test_grad_mode_off():
    x, u = field()
    advice = raises(GradModeError, RuntimeError, "grad mode is off", "torch.enable_grad()")
    with torch.no_grad(), advice:
        partial(u, x)
    with torch.no_grad(), raises(GradModeError, RuntimeError, "grad mode is off"):
        laplacian_of(lambda x: x**3)(x)
    with torch.no_grad(), torch.enable_grad():
        assert partial(u, x) is not None


def test_inference_mode():
    x, u = field()
    with torch.inference_mode(), raises(GradModeError, RuntimeError, "inference mode", "inference_mode=False"):
        partial(u, x)
    with torch.inference_mode(), torch.enable_grad(), raises(GradModeError, RuntimeError, "inference mode"):
        partial(u, x)


def test_freed_graph():
    x, u = field()
    torch.autograd.grad(u.sum(), x)
    with raises(FreedGraphError, RuntimeError, "retain_graph=True", "evaluate the field again") as caught:
        partial(u, x)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_our_passes_do_not_free_the_graph():
    x, u = field()
    assert torch.equal(partial(u, x), partial(u, x))


def test_derivative_without_graph():
    x, u = field()
    (u_x,) = torch.autograd.grad(u.sum(), x)
    with raises(DetachedError, RuntimeError, "create_graph=True"):
        partial(u_x, x)


def test_detached_field():
    x, u = field()
    with raises(DetachedError, RuntimeError, "the field has no graph", "detached", "evaluate it again"):
        partial(u.detach(), x)
    with raises(DetachedError, RuntimeError, "the field has no graph"):
        vjp((u, u.detach()), (x,), (u, u))


def test_coordinate_without_grad():
    x, u = field()
    with raises(DetachedError, RuntimeError, "the coordinate does not require grad", "x.requires_grad_()"):
        partial(u, x.detach())


def test_other_errors_of_autograd_are_left_as_they_are():
    x, _ = field()
    v = x.exp()
    u = v**2
    v += 1
    with pytest.raises(RuntimeError, match="inplace operation") as caught:
        partial(u, x)
    assert not isinstance(caught.value, DerivativeError)


X, U = field()
ROWS = torch.rand(4, 2, dtype=torch.float64, requires_grad=True)
WRONG_SHAPES = {
    "column field": (lambda: partial(U.unsqueeze(-1), X), "the field has shape (4, 1), expected (4,)", "u.squeeze(-1)"),
    "two fields": (lambda: gradient(ROWS * 2, (X,)), "(4, 2), expected (4,)", "u.unbind(-1)"),
    "fewer points": (lambda: partial(U[:3], X), "(3,), expected (4,)"),
    "scalar field": (lambda: partial(U.sum(), X), "(), expected (4,)"),
    "column coordinate": (lambda: partial(U, X.unsqueeze(-1)), "(4, 1), expected (points,)", "x.squeeze(-1)"),
    "rows as one coordinate": (lambda: partial(ROWS.sum(-1), ROWS), "(4, 2), expected (points,)", "x.unbind(-1)"),
    "mesh": (
        lambda: gradient(U, (ROWS.unsqueeze(-1),)),
        "(4, 2, 1), expected (points,) or (points, dim)",
        "x.reshape(-1)",
    ),
    "number": (lambda: partial(U.sum(), X.sum()), "the coordinate has shape (), expected (points,)"),
    "number in a gradient": (lambda: gradient(U.sum(), (X.sum(),)), "the coordinate has shape ()"),
    "different points": (lambda: gradient(U, (X, X[:3])), "the coordinate has shape (3,)", "as many"),
    "no tuple": (lambda: laplacian(U, X), "(4,), expected (points, dim)", "(x,) for one"),
    "no coordinate": (lambda: partial(U), "no coordinate was given", "partial(u, x)"),
    "no coordinates": (lambda: gradient(U, ()), "no coordinate was given"),
    "no columns": (lambda: laplacian(U, ROWS[:, :0]), "no coordinate was given"),
    "no coordinates of a Laplacian": (lambda: laplacian(U, ()), "no coordinate was given"),
    "no direction": (lambda: directional(U, (), ()), "no coordinate was given"),
    "no argument": (lambda: partial_of(lambda x: x)(X), "no coordinate was given"),
    "no fields": (lambda: divergence((), (X,)), "the field has no components"),
    "weights": (lambda: partial(U, X, grad_outputs=U[:2]), "grad_outputs has shapes [(2,)], expected [(4,)]"),
    "weights of a gradient": (lambda: gradient(U, (X,), grad_outputs=ROWS), "[(4, 2)], expected [(4,)]"),
    "fewer weights": (lambda: vjp((U, U), (X,), (U,)), "[(4,)], expected [(4,), (4,)]"),
    "fewer components": (lambda: divergence((U,), (X, X)), "1 components, expected 2"),
    "scalar to a divergence": (lambda: divergence(U, (X,)), "expected a vector field", "one tensor of shape (4,)"),
    "rank three": (lambda: divergence(((ROWS * 2,),), (X,)), "rows of tensors (points,)", "a sequence of 1 parts"),
    "short rows": (lambda: divergence(((U,), (U,)), (X, X)), "1 components, expected 2"),
    "rows of a system": (lambda: divergence(((U, U),), (X, X), system=polar), "has 1 rows, expected 2"),
    "curl in four dimensions": (lambda: curl((U,) * 4, (X,) * 4), "got 4 coordinates, expected 2 or 3"),
    "curl of two components in space": (lambda: curl((U,) * 2, (X,) * 3), "2 components, expected 3"),
    "jacobian of a scalar": (lambda: jacobian(U, (X,)), "expected a vector field"),
    "jacobian in a system": (lambda: jacobian((U,), (X, X), system=polar), "1 components, expected 2"),
    "laplacian in a system": (lambda: laplacian((U,), (X, X), system=polar), "1 components, expected 2"),
    "polar in space": (lambda: laplacian(U, (X, X, X), system=polar), "got 3 coordinates, expected", "r, theta"),
    "cylindrical in a plane": (lambda: gradient(U, (X, X), system=cylindrical), "got 2 coordinates", "r, theta, z"),
    "short direction": (lambda: directional(U, (X, X), (1.0,)), "1 components, expected 2"),
    "direction in rows": (lambda: directional(U, ROWS, (U, ROWS)), "(4, 2), expected (4,)", "a number"),
    "direction in a system": (lambda: directional((U,), (X, X), (U, U), system=polar), "1 components, expected 2"),
    "time in rows": (lambda: material(U, (1.0,), (X,), ROWS), "(4, 2), expected (points,)"),
    "velocity": (lambda: material(U, (1.0, 2.0), (X,), X), "2 components, expected 1"),
}


@pytest.mark.parametrize("case", WRONG_SHAPES)
def test_wrong_shapes(case):
    call, *words = WRONG_SHAPES[case]
    with raises(ShapeError, ValueError, *words):
        call()


INTEGERS, COMPLEX = torch.arange(4), torch.rand(4, dtype=torch.complex128, requires_grad=True)
WRONG_TYPES = {
    "integer field": (lambda: partial(INTEGERS, X), "the field is torch.int64, expected floating point", "x.to("),
    "integer coordinate": (lambda: partial(U, INTEGERS), "the coordinate is torch.int64", "x.to("),
    "complex field": (lambda: partial(COMPLEX * X, X), "the field is torch.complex128", "real and imaginary"),
    "complex coordinate": (lambda: partial(U, COMPLEX), "the coordinate is torch.complex128", "real and imaginary"),
    "integer argument": (lambda: laplacian_of(lambda x: x**2)(INTEGERS), "the coordinate is torch.int64"),
    "number for a field": (lambda: partial(2.0, X), "the field is a float, expected a tensor"),
    "number for a coordinate": (lambda: gradient(U, (2.0,)), "the coordinate is a float, expected a tensor"),
    "tuple for a coordinate": (lambda: partial(U, (X, X)), "the coordinate is a tuple, expected a tensor"),
    "name for a coordinate": (lambda: partial(U, "x"), "the coordinate is a str, expected a tensor"),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types(case):
    call, *words = WRONG_TYPES[case]
    with raises(DtypeError, TypeError, *words):
        call()


# ------------------------------------------------------------------------------------------------------------ networks


def test_parameters_that_do_not_require_grad():
    x, y = coordinates(2, points=4, seed=0)
    net = network(2)
    expected = laplacian(net(torch.stack((x, y), -1)).squeeze(-1), (x, y))
    net.requires_grad_(False)
    assert torch.equal(laplacian(net(torch.stack((x, y), -1)).squeeze(-1), (x, y)), expected)


def test_functional_call_with_parameters_of_every_kind():
    x, y = coordinates(2, points=4, seed=0)
    net = network(2)
    expected = laplacian(net(torch.stack((x, y), -1)).squeeze(-1), (x, y))
    for trainable in (True, False):
        values = {name: p.detach().clone().requires_grad_(trainable) for name, p in net.named_parameters()}
        rows = torch.func.functional_call(net, values, (torch.stack((x, y), -1),))
        assert torch.equal(laplacian(rows.squeeze(-1), (x, y)), expected)


def test_a_copy_of_the_parameters_for_every_point():
    x, y = coordinates(2, points=4, seed=0)
    net = network(2)
    copies = {name: p.detach().expand(4, *p.shape).clone().requires_grad_() for name, p in net.named_parameters()}

    def single(values: dict[str, Tensor], row: Tensor) -> Tensor:
        return torch.func.functional_call(net, values, (row.unsqueeze(0),)).squeeze()

    u = torch.func.vmap(single)(copies, torch.stack((x, y), -1))
    u_xx = partial(u, x, x)
    expected = partial(net(torch.stack((x, y), -1)).squeeze(-1), x, x)
    # Batched and plain matrix products sum in another order: a few roundings.
    torch.testing.assert_close(u_xx, expected, rtol=1e-12, atol=1e-15)
    (rows,) = torch.autograd.grad(u_xx.sum(), copies["0.weight"])
    (whole,) = torch.autograd.grad(expected.sum(), net[0].weight)
    torch.testing.assert_close(rows.sum(0), whole, rtol=1e-12, atol=1e-15)


def test_a_traced_step_gives_the_same_numbers():
    x, y = (v.detach() for v in coordinates(2, points=4, seed=0))
    net = network(2)

    def step(x: Tensor, y: Tensor) -> Tensor:
        x, y = x.requires_grad_(), y.requires_grad_()
        return laplacian(net(torch.stack((x, y), -1)).squeeze(-1) + x, (x, y)) + partial(3 * x, x, x)

    traced = torch.fx.experimental.proxy_tensor.make_fx(step)(x, y)
    assert torch.equal(traced(x, y), step(x, y))


def test_every_public_name_exists():
    assert set(derivatives.__all__) <= set(dir(derivatives))
