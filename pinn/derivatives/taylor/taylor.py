"""The engine that propagates jets through the network and links the fields to them."""

from collections.abc import Callable, Iterable, Sequence

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
            activation, as they are the same at all points; but who intercepts `product`, in order to tell what each
            point contributed, needs them apart.

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
        rows = [row.expand_as(outputs).unbind(-1) for row in read.unbind(0)]
        inputs = axes(tensors)
        return tuple(
            link(Source(tensors, inputs, self._reader(value, [row[field] for row in rows])))
            for field, value in enumerate(fields(outputs, len(tensors[0])))
        )

    def _propagate(self, network: Network, inputs: Tensor) -> Jet:
        slots, seeds = self._seeds(inputs)
        if not slots:
            outputs = network(inputs)
            return Jet(outputs, outputs.new_zeros(0, 1, *outputs.shape[1:]), slots, directions=None)
        if self.each_point:
            seeds = seeds.expand(-1, len(inputs), -1)
        try:
            return propagate(network, Jet(inputs, seeds, slots, directions=seeds))
        except MixedDirectionsError:
            return propagate(network, Jet(inputs, seeds, slots, directions=None))

    def _seeds(self, inputs: Tensor) -> tuple[tuple[Slot, ...], Tensor]:
        """The slots, and the derivatives of the inputs in these, (slots, points or 1, inputs)."""
        slots, free = self.plan.slots, self.plan.free
        units = torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device).unsqueeze(1)
        along = _take(units, free)
        if free and self.directions is not None:
            along = _embed(self.directions(inputs[:, list(free)]), free, inputs.shape[1])
        first = _take(units, tuple(index[0] for index, *_ in slots if len(index) == 1)).expand(-1, along.shape[1], -1)
        if free:
            slots += free_slots(len(along))
        higher = first.new_zeros(len(slots) - len(first) - len(along), *first.shape[1:])
        return slots, torch.cat((first, higher, along))

    def _reader(self, value: Tensor, known: Sequence[Tensor]) -> Callable[[Slot], Tensor]:
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


def _take(rows: Tensor, positions: tuple[int, ...]) -> Tensor:
    """Some of the rows; no copies where they are the first ones."""
    return rows[: len(positions)] if positions == tuple(range(len(positions))) else rows[list(positions)]


def _embed(directions: Tensor, inputs: tuple[int, ...], dim: int) -> Tensor:
    """Directions over some of the inputs as directions over all of them."""
    result = directions.new_zeros(*directions.shape[:-1], dim)
    result[..., list(inputs)] = directions
    return result
