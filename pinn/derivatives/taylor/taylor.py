"""The engine that propagates jets through the network and links the fields to them."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from pinn.derivatives.linked import VALUE, Slot, Source, link
from pinn.derivatives.taylor.errors import MixedDirectionsError, NotPropagatedError
from pinn.derivatives.taylor.estimators import Directions
from pinn.derivatives.taylor.inputs import Coordinates, Network, as_tuple, axes, fields, side_by_side
from pinn.derivatives.taylor.jet import Jet
from pinn.derivatives.taylor.plan import free_slots, plan
from pinn.derivatives.taylor.propagation import propagate


class Taylor:
    """Forward mode to any order: derivatives by the coordinates travel through the network together with its values.

    The fields are ordinary tensors, and ``torch.autograd.grad(u, x, ..., create_graph=True)`` finds what was
    propagated. Take gradients by parameters by name, as ``torch.autograd.grad(loss, parameters)`` or
    ``loss.backward(inputs=parameters)``: a bare ``loss.backward()`` asks for those by the coordinates too, and raises.

    Args:
        needs: the derivatives that will be asked for, as `discover` finds them.
        directions: along which to estimate the Laplacian, such as `Hutchinson`; by default it is exact.
        each_point: give every point derivatives of its own from the start. By default they are shared until the first
            activation, as they are the same at all points; but who intercepts products with weights, in order to tell
            what each point contributed, needs them apart.

    Raises:
        UnsupportedOperationError: when it is called, the network uses an operation without a rule.
        NotPropagatedError: when the fields are differentiated, for a derivative that does not follow from the needs.
        ValueError: more than one Laplacian is to be estimated.
    """

    def __init__(
        self, needs: Iterable[Slot], directions: Directions | None = None, *, each_point: bool = False
    ) -> None:
        self.needs, self.directions, self.each_point = frozenset(needs), directions, each_point
        self.plan = plan(self.needs, estimate=directions is not None)

    def __call__(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """The outputs, linked to their derivatives; see `Engine`."""
        tensors = as_tuple(coordinates)
        jet = self._propagate(network, side_by_side(tensors).detach())
        outputs, read = jet.read(self.plan.read)
        values = fields(outputs, len(tensors[0]))
        derivatives = read.expand(-1, *outputs.shape).permute(2, 0, 1).unbind(0)
        return tuple(
            link(Source(tensors, axes(tensors), self._reader(value, known.unbind(0))))
            for value, known in zip(values, derivatives, strict=True)
        )

    def _propagate(self, network: Network, inputs: Tensor) -> Jet:
        (points, dim), free = inputs.shape, list(self.plan.free)
        along = self._along(inputs[:, free])
        slots = self.plan.slots + (free_slots(len(along)) if free else ())
        if not slots:
            outputs = network(inputs)
            return Jet(outputs, outputs.new_zeros(0, 1, *outputs.shape[1:]), slots, directions=None)
        rows = points if self.each_point else along.shape[1]
        seeds = inputs.new_zeros(len(slots), rows, dim)
        for at, (index, *_) in enumerate(self.plan.slots):
            if len(index) == 1:
                seeds[at, :, index[0]] = 1
        if free:
            seeds[-len(along) :, :, free] = along
        try:
            return propagate(network, Jet(inputs, seeds, slots, directions=seeds))
        except MixedDirectionsError:
            return propagate(network, Jet(inputs, seeds, slots, directions=None))

    def _along(self, inputs: Tensor) -> Tensor:
        """The free directions, (count, points or 1, dim)."""
        if self.directions is not None:
            return self.directions(inputs)
        return torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device).unsqueeze(1)

    def _reader(self, value: Tensor, known: tuple[Tensor, ...]) -> Callable[[Slot], Tensor]:
        row = self.plan.row

        def coefficient(slot: Slot) -> Tensor:
            if slot == VALUE:
                return value
            if slot in row:
                return known[row[slot]]
            missing = [index for index in slot if (index,) not in row]
            if missing:
                raise NotPropagatedError(missing[0])
            return torch.stack([known[row[index,]] for index in slot]).sum(0)

        return coefficient
