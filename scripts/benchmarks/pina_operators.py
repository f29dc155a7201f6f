"""The residuals of `derivatives.py` by the operators of PINA, on its tensors with labels."""

from collections.abc import Callable

import pina.operator
import torch
from pina import LabelTensor
from torch import Tensor


def laplacian(network: torch.nn.Module, x: Tensor) -> Callable[[], list[Tensor]]:
    """Δu over all columns of x, (points, dim)."""
    inputs = _labelled(x, [f"x{i}" for i in range(x.shape[1])])

    def residuals() -> list[Tensor]:
        u = LabelTensor(network(inputs), ["u"])
        return [_plain(pina.operator.laplacian(u, inputs))]

    return residuals


def navier_stokes(network: torch.nn.Module, x: Tensor, viscosity: float) -> Callable[[], list[Tensor]]:
    """Steady flow: ∇·u = 0 and u·∇u + ∇p = νΔu over the two columns of x."""
    inputs = _labelled(x, ["x", "y"])

    def residuals() -> list[Tensor]:
        fields = LabelTensor(network(inputs), ["u", "v", "p"])
        u, v, _ = _plain(fields).unbind(1)
        u_x, u_y, v_x, v_y, p_x, p_y = _plain(pina.operator.grad(fields, inputs)).unbind(1)
        laplacian_u, laplacian_v = _plain(pina.operator.laplacian(fields, inputs, components=["u", "v"])).unbind(1)
        return [
            u_x + v_y,
            u * u_x + v * u_y + p_x - viscosity * laplacian_u,
            u * v_x + v * v_y + p_y - viscosity * laplacian_v,
        ]

    return residuals


def _labelled(x: Tensor, labels: list[str]) -> LabelTensor:
    return LabelTensor(x.detach(), labels).requires_grad_()


def _plain(x: LabelTensor) -> Tensor:
    return x.as_subclass(Tensor)
