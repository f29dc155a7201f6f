"""What a derivative is: zeros with a graph, the type of its coordinate, one backward pass, weights."""

import pytest
import torch
from geometry import coordinates
from torch.utils._python_dispatch import TorchDispatchMode

from pinn.derivatives import (
    directional,
    divergence,
    gradient,
    hessian,
    jacobian,
    laplacian,
    material,
    partial,
    polar,
    vjp,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


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
    x = torch.linspace(0, 1, 12, dtype=torch.float64).reshape(4, 3).requires_grad_()
    u = t * (x**2).sum(-1)
    u_x, u_t = gradient(u, (x, t))
    assert torch.equal(u_x, 2 * t.unsqueeze(-1).expand(4, 3) * x)
    assert torch.equal(u_t, (x**2).sum(-1))
    # Sums of four numbers of order 1, in another order: a few roundings of 1e-16.
    torch.testing.assert_close(laplacian(u, (x, t)), 6 * t, rtol=1e-15, atol=0)
    assert len(hessian(u, (x, t))) == 4


def test_a_laplacian_costs_no_tensor_operation_more_than_nested_autograd():
    x, y = coordinates(2, points=4, seed=0)
    u = torch.tanh(x * y)
    with Recorder() as ours:
        laplacian(u, (x, y))
    with Recorder() as bare:
        ones = torch.ones_like(u)
        u_x, u_y = torch.autograd.grad(u, (x, y), ones, create_graph=True)
        u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u), create_graph=True)[0]
        u_xx + torch.autograd.grad(u_y, y, torch.ones_like(u), create_graph=True)[0]
    assert ours.operations == bare.operations


def test_more_fields_than_coordinates():
    x, y = coordinates(2, points=4, seed=0)
    field = (x * y, x**2, y**3)
    assert torch.equal(jacobian(field, (x, y))[2][1], 3 * y**2)
    assert torch.equal(laplacian(field, (x, y))[2], 6 * y)
    assert torch.equal(directional(field, (x, y), (0.0, 1.0))[2], 3 * y**2)
    assert torch.equal(material(field, (1.0,), (x,), y)[2], 3 * y**2)
    assert torch.equal(divergence(((x, y), (y, x), (y**2, y**2)), (x, y))[2], 2 * y)


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
    u = torch.tanh(x) * x
    with Recorder() as ours:
        partial(u, x)
    with Recorder() as bare:
        torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)
    assert ours.operations == bare.operations


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
