"""From the derivatives that a residual needs to the slots that jets must have."""

from collections.abc import Iterable
from typing import NamedTuple

from pinn.derivatives.linked import Index, Slot
from pinn.derivatives.taylor.indices import downward_closed


class Plan(NamedTuple):
    """What to propagate.

    Attributes:
        slots: derivatives over the inputs of the network.
        read: the positions of the slots that are read from the jet of the outputs; a Laplacian needs first derivatives
            on the way that nobody reads.
        row: for every derivative that is read, which of these it is.
        free: the inputs that a Laplacian is taken over along directions of its own, in slots that follow these.
    """

    slots: tuple[Slot, ...]
    read: tuple[int, ...]
    row: dict[Slot, int]
    free: tuple[int, ...]


def plan(needs: Iterable[Slot], *, estimate: bool = False) -> Plan:
    """The fewest slots from which all needed derivatives follow.

    Args:
        needs: derivatives over the inputs.
        estimate: whether the Laplacian is to be estimated, so that directions of its own are needed in any case.

    Raises:
        ValueError: more than one Laplacian is to be estimated.
    """
    needed = sorted(set(needs))
    laplacians = [slot for slot in needed if _is_laplacian(slot)]
    indices = downward_closed(index for slot in needed if not _is_laplacian(slot) for index in slot)
    if not estimate:
        # The sum of second derivatives that are propagated one by one anyway needs no slot.
        laplacians = [slot for slot in laplacians if not indices.issuperset(slot)]
    elif len(laplacians) > 1:
        raise ValueError(f"the residual takes {len(laplacians)} different Laplacians; only one can be estimated")
    wanted = {(index,) for index in indices} | set(laplacians)
    free: tuple[int, ...] = ()
    if len(laplacians) == 1:
        inputs = tuple(index[0] for index in laplacians[0])
        # Where first derivatives along most inputs are needed too, these serve the Laplacian as well.
        if estimate or 2 * sum((i,) in indices for i in inputs) < len(inputs):
            free = inputs
    if not free:
        indices |= {index[:1] for slot in laplacians for index in slot}
    slots: list[Slot] = [(index,) for index in sorted(indices, key=_by_order)]
    read = [(at, slot) for at, slot in enumerate(slots + laplacians) if slot in wanted]
    return Plan(
        tuple(slots if free else slots + laplacians),
        tuple(at for at, _ in read),
        {slot: row for row, (_, slot) in enumerate(read)},
        free,
    )


def free_slots(count: int) -> tuple[Slot, ...]:
    """The Laplacian along directions of its own, numbered below zero, and the first derivatives along each of these."""
    directions = range(-1, -1 - count, -1)
    return tuple((k, k) for k in directions), *(((k,),) for k in directions)


def _is_laplacian(slot: Slot) -> bool:
    return len(slot) > 1 and len(set(slot)) == len(slot) and all(len(i) == 2 and i[0] == i[1] for i in slot)


def _by_order(index: Index) -> tuple[int, Index]:
    return len(index), index
