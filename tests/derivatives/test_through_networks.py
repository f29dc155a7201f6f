"""Derivatives of networks, however their parameters are held."""

import torch
from geometry import coordinates
from torch import Tensor

from pinn.derivatives import laplacian, partial


def network(inputs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(inputs, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()


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
