"""Engines: ways to evaluate a network whose fields are differentiated by the coordinates. All give the same numbers."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pinn.derivatives.taylor.composites import layer_norm
from pinn.derivatives.taylor.inputs import Coordinates, Network, as_tuple, fields, side_by_side


class Engine(Protocol):
    """A way to evaluate a network."""

    def __call__(self, network: Network, coordinates: Coordinates, /) -> tuple[Tensor, ...]:
        """The fields, one tensor (points,) for each output of the network.

        Args:
            network: maps (points, inputs) to (points, outputs), each point for itself.
            coordinates: one tensor, or several; (points,) or (points, dim) each. Side by side they are the inputs.
        """
        ...


class Reverse:
    """Nested reverse mode: autograd differentiates the graph of the network, and then the graph of that derivative."""

    def __call__(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """The outputs as they are; see `Engine`."""
        inputs = side_by_side(as_tuple(coordinates))
        with _Differentiable():
            return fields(network(inputs), len(inputs))


class _Differentiable(TorchFunctionMode):
    """While active, layer norm is taken apart: torch's own has wrong third derivatives and says nothing.

    A residual of second order is differentiated a third time, by the parameters (pytorch issue 175754).
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.layer_norm, torch.nn.functional.layer_norm):
            func = layer_norm
        return func(*args, **(kwargs or {}))
