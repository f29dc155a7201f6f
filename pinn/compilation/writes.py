"""Graphs that write into tensors, rewritten so that every operation makes a tensor of its own.

What runs operation by operation saves memory and time by writing: into a running sum, or into one slot of a buffer that
holds all derivatives. A compiler decides itself what is stored, and writes are in its way: of a write into one of S
slots it makes a selection that is evaluated in all of them. A Poisson step with the taylor engine takes 18 ms
compiled with its writes and 11 ms without.
"""

import operator
from typing import Any, NamedTuple, cast

import torch
from torch._ops import OpOverload
from torch.fx import Graph, Node
from torch.fx.node import map_arg

aten = torch.ops.aten


class Place(NamedTuple):
    """Where a tensor lies: in a whole tensor that the graph has made, or in a slot of it, `owner[slot]`."""

    owner: Node
    slot: int | None


def without_writes(graph: Graph) -> None:
    """Replace each write into a tensor that the graph has made, or into slots of it, by a new value.

    A tensor that is seen in another way before it is written to, reshaped or transposed, keeps its writes, and so do
    inputs: results are the same in any case.
    """
    places = _places(graph)
    owners = {place.owner for place in places.values()}
    in_pieces = {storage(owner) for owner in owners if storage(owner) is not owner}
    free = {owner for owner in owners - in_pieces if _is_free(graph, places, owner)}
    places = {node: place for node, place in places.items() if place.owner in free}
    values: dict[Place, Node] = {}

    def read(node: Node) -> Node:
        place = places.get(node)
        if place is None:
            return node
        slots = [Place(node, index) for index in range(len(_value(node)))] if node is place.owner and node.meta else []
        if place.slot is None and any(slot in values for slot in slots):
            parts = [values.get(slot) or graph.call_function(aten.select.int, (node, 0, slot.slot)) for slot in slots]
            return graph.call_function(aten.stack.default, (parts,))
        return values.get(place, node)

    for node in list(graph.nodes):
        target = written(node)
        place = None if target is None else places.get(target)
        with graph.inserting_before(node):
            if place is None:
                if not _makes_slots(node, places):
                    node.args, node.kwargs = map_arg(node.args, read), map_arg(node.kwargs, read)
                continue
            others = {name: value for name, value in node.kwargs.items() if value is not target}
            made = graph.call_function(
                cast(OpOverload, _functional(node.target)), map_arg(node.args, read), map_arg(others, read)
            )
        made.meta = node.meta
        values[place] = made
        places[made] = place
        node.replace_all_uses_with(made)
        graph.erase_node(node)
    graph.eliminate_dead_code()


def written(node: Node) -> Node | None:
    """Return the tensor that an operation writes into; None where it writes into none."""
    if not isinstance(node.target, OpOverload) or not node.target._schema.is_mutable:
        return None
    target = node.kwargs.get("out", node.args[0] if node.args else None)
    return target if isinstance(target, Node) else None


def storage(node: Node) -> Node:
    """Return the tensor whose numbers a node shows: itself, what it is a view of, or what it has written into."""
    while True:
        target = written(node)
        is_view = isinstance(node.target, OpOverload) and node.target.is_view
        if target is None and not is_view and node.target is not operator.getitem:
            return node
        node = target or node.all_input_nodes[0]


def _makes_slots(node: Node, places: dict[Node, Place]) -> bool:
    """Whether a node is a slot, or `unbind` of a tensor that is written by slots."""
    place = places.get(node)
    return (
        any(user in places for user in node.users)
        if node.target is aten.unbind.int
        else (place is not None and place.slot is not None)
    )


def _value(node: Node) -> torch.Tensor:
    """Return a tensor without numbers that is like the result of a node."""
    return node.meta["val"]


def _places(graph: Graph) -> dict[Node, Place]:
    """Return the place of every tensor that is written into, of its slots, and of what the writes return."""
    slots: dict[Node, Place] = {}
    for node in graph.nodes:
        if node.target is operator.getitem and node.args[0].target is aten.unbind.int and not node.args[0].args[1:]:
            slots[node] = Place(node.args[0].args[0], node.args[1])
        elif node.target is aten.select.int and node.args[1] == 0 and node.args[2] >= 0:
            slots[node] = Place(node.args[0], node.args[2])
    places: dict[Node, Place] = {}
    for node in graph.nodes:
        target = written(node)
        if target is not None:
            places[node] = places.get(target) or slots.get(target) or Place(target, None)
    owners = {place.owner for place in places.values()}
    places |= {owner: Place(owner, None) for owner in owners}
    return places | {slot: place for slot, place in slots.items() if place.owner in owners}


def _is_free(graph: Graph, places: dict[Node, Place], owner: Node) -> bool:
    """Whether a tensor is made by the graph, written as a whole or else by slots, and not seen otherwise before."""
    if not isinstance(owner.target, OpOverload) or owner.target.is_view or written(owner) is not None:
        return False
    order = {node: number for number, node in enumerate(graph.nodes)}
    seen = [node for node, place in places.items() if place.owner is owner]
    writes = [node for node in seen if written(node) is not None]
    last = max(order[node] for node in writes)
    whole = {places[node].slot is None for node in writes}
    if len(whole) > 1 or not all(_has_functional(node) for node in writes):
        return False
    for node in seen:
        for user in node.users:
            is_view = not isinstance(user.target, OpOverload) or user.target.is_view
            if is_view and order[user] < last and not (whole == {False} and _makes_slots(user, places)):
                return False
    return True


def _has_functional(node: Node) -> bool:
    """Whether the same numbers come from an operation that writes into nothing."""
    operands = [_value(node), *(_value(operand) for operand in node.all_input_nodes)]
    return len({operand.dtype for operand in operands}) == 1 and _functional(node.target) is not None


def _functional(operation: Any) -> OpOverload | None:
    """Return `add` for `add_` and for `add.out`, of the same arguments; None where there is none."""
    name = operation.overloadpacket.__name__
    packet = getattr(aten, name.removesuffix("_"), None)
    wanted = [(a.name, str(a.type)) for a in operation._schema.arguments if a.name != "out"]
    for overload in packet.overloads() if packet is not None else ():
        found: OpOverload = getattr(packet, overload)
        if [(a.name, str(a.type)) for a in found._schema.arguments] == wanted and not found._schema.is_mutable:
            return found
    return None
