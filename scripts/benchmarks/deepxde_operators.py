"""The residuals of `derivatives.py` by the operators of DeepXDE. Its caches are cleared each step, as its loop does."""

import os
from collections.abc import Callable

import torch
from torch import Tensor

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde


def laplacian(network: torch.nn.Module, x: Tensor) -> Callable[[], list[Tensor]]:
    """Δu over all columns of x, (points, dim)."""

    def residuals() -> list[Tensor]:
        dde.grad.clear()
        u = network(x)
        return [torch.cat([dde.grad.hessian(u, x, i=i, j=i) for i in range(x.shape[1])], 1).sum(1)]

    return residuals


def navier_stokes(network: torch.nn.Module, x: Tensor, viscosity: float) -> Callable[[], list[Tensor]]:
    """Steady flow: ∇·u = 0 and u·∇u + ∇p = νΔu over the two columns of x."""

    def residuals() -> list[Tensor]:
        dde.grad.clear()
        fields = network(x)
        u, v = fields[:, :1], fields[:, 1:2]
        u_x, u_y, v_x, v_y, p_x, p_y = (dde.grad.jacobian(fields, x, i=i, j=j) for i in range(3) for j in range(2))
        u_xx, u_yy, v_xx, v_yy = (
            dde.grad.hessian(fields, x, component=i, i=j, j=j) for i in range(2) for j in range(2)
        )
        return [
            u_x + v_y,
            u * u_x + v * u_y + p_x - viscosity * (u_xx + u_yy),
            u * v_x + v * v_y + p_y - viscosity * (v_xx + v_yy),
        ]

    return residuals
