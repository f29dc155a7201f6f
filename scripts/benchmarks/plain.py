"""The same work written plainly in torch, as in a tutorial: nested calls of autograd.grad and nothing else."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacrev, vmap


def derivative(u: Tensor, x: Tensor) -> Tensor:
    """∂u/∂x, with a graph of its own."""
    return torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]


def poisson_loss(network: nn.Module, inside: Tensor, boundary: Tensor) -> Tensor:
    """½ mean (u_xx + u_yy + f)² + ½ mean u², with f = 2π² sin πx sin πy."""
    x, y = (column.clone().requires_grad_() for column in inside.unbind(1))
    u = network(torch.stack([x, y], dim=1)).squeeze(1)
    forcing = 2 * torch.pi**2 * torch.sin(torch.pi * x) * torch.sin(torch.pi * y)
    equation = derivative(derivative(u, x), x) + derivative(derivative(u, y), y) + forcing
    return (equation.square().mean() + network(boundary).square().mean()) / 2


def navier_stokes_loss(network: nn.Module, points: Tensor, viscosity: float) -> Tensor:
    """½ Σ mean r² over both momentum equations and continuity of a steady flow."""
    x, y = (column.clone().requires_grad_() for column in points.unbind(1))
    u, v, p = network(torch.stack([x, y], dim=1)).unbind(1)
    u_x, u_y, v_x, v_y = derivative(u, x), derivative(u, y), derivative(v, x), derivative(v, y)
    momentum_x = u * u_x + v * u_y + derivative(p, x) - viscosity * (derivative(u_x, x) + derivative(u_y, y))
    momentum_y = u * v_x + v * v_y + derivative(p, y) - viscosity * (derivative(v_x, x) + derivative(v_y, y))
    return sum((row.square().mean() for row in (momentum_x, momentum_y, u_x + v_y)), torch.zeros(())) / 2


def laplacian_loss(network: nn.Module, points: Tensor) -> Tensor:
    """½ mean (Δu)²."""
    coordinates = [column.clone().requires_grad_() for column in points.unbind(1)]
    u = network(torch.stack(coordinates, dim=1)).squeeze(1)
    found = sum((derivative(derivative(u, x), x) for x in coordinates), torch.zeros(()))
    return found.square().mean() / 2


def jacobian(network: nn.Module, points: Tensor) -> Tensor:
    """The derivatives of Δu at each point by the parameters, (points, parameters), by vmap(jacrev)."""

    def residual(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return hessian(lambda at: functional_call(network, parameters, (at,)).squeeze())(x).trace()

    parameters = {name: value.detach() for name, value in network.named_parameters()}
    blocks = vmap(jacrev(residual), in_dims=(None, 0))(parameters, points)
    return torch.cat([block.flatten(1) for block in blocks.values()], dim=1)
