"""Finding out, once and at set-up, which derivatives a residual takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from pinn.derivatives.linked import VALUE, Index, Slot, Source, link
from pinn.derivatives.taylor.engine import Engine, Reverse
from pinn.derivatives.taylor.errors import TooManyDerivativesError
from pinn.derivatives.taylor.inputs import Coordinates, Network, as_tuple, axes, side_by_side


def discover(evaluate: Callable[[Engine], object], limit: int = 4096) -> frozenset[Slot]:
    """The derivatives that a residual takes, also those that the product and chain rules ask for.

    Args:
        evaluate: evaluates the residual with the engine that it is given, at a few points. It must ask for the same
            derivatives at every call, whatever the points.
        limit: the largest number of different derivatives. A Hessian in 90 dimensions has so many, and reverse mode,
            linear in the dimension, is cheaper long before.

    Raises:
        TooManyDerivativesError: there are more.

    Example:
        ``discover(lambda engine: residual(*engine(network, (x, y)), x, y))``
    """
    recorder = Recorder(limit)
    evaluate(recorder)
    return frozenset(recorder.needs)


class Recorder:
    """Reverse mode that notes every derivative that it is asked for, as `needs`, up to a number of them."""

    def __init__(self, limit: int) -> None:
        self.needs: set[Slot] = set()
        self.limit = limit

    def __call__(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """The outputs, linked to their derivatives; see `Engine`."""
        tensors = as_tuple(coordinates)
        # They come from a graph apart, so that the residual can reach them through the links alone.
        inputs = side_by_side(tensors).detach().requires_grad_()
        with torch.enable_grad():
            outputs = Reverse()(network, inputs)
        return tuple(link(Source(tensors, axes(tensors), self._reader(output, inputs))) for output in outputs)

    def _reader(self, output: Tensor, inputs: Tensor) -> Callable[[Slot], Tensor]:
        gradients: dict[Index, Tensor] = {}

        def derivative(index: Index) -> Tensor:
            if not index:
                return output
            before, axis = index[:-1], index[-1]
            if before not in gradients:
                gradients[before] = _gradient(derivative(before), inputs)
            return gradients[before][:, axis]

        def coefficient(slot: Slot) -> Tensor:
            if slot != VALUE:
                self.needs.add(slot)
            if len(self.needs) > self.limit:
                raise TooManyDerivativesError(self.limit)
            return torch.stack([derivative(index) for index in slot]).sum(0)

        return coefficient


def _gradient(u: Tensor, inputs: Tensor) -> Tensor:
    if not u.requires_grad:
        return torch.zeros_like(inputs)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(u, inputs, torch.ones_like(u), create_graph=True, materialize_grads=True)
    return found
