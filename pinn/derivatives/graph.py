"""The autograd graph as evidence: did a field that does not contain a coordinate use its data in another way?

A value in the graph is a node and the number of one of its outputs. Autograd finds a coordinate only where that very
value lies below the field. A second slice ``xy[:, 0]`` is another value, and autograd alone would call the field
independent of it; but both slices lie above the value ``xy``. Two columns do as well, and use different entries of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

from pinn.derivatives.errors import CoordinateError

Value = tuple[Node, int]
Users = Mapping[Value, Sequence[Value | None]]


def refuse_copies(fields: Sequence[Tensor], unused: Sequence[Tensor], among: Sequence[Tensor]) -> None:
    """Raise unless the fields are independent of the coordinates that autograd did not find below them.

    Args:
        fields: what was differentiated.
        unused: the coordinates that autograd did not find.
        among: all coordinates that were named together. What a field takes from one of them is not taken from an unused
            one, so that a function of r alone is independent of θ although both were computed from x and y.

    Raises:
        CoordinateError: a field and an unused coordinate were computed from the same entries of the same tensor, or the
            coordinate shows the very memory of another one that the field was computed from.
    """
    if leaves := [coordinate for coordinate in unused if coordinate.is_leaf]:
        used = {_memory(variable) for variable in _variables(_below(fields, stop=set()))}
        for coordinate in leaves:
            if _memory(coordinate) in used:
                raise CoordinateError(
                    f"the field was not computed from this coordinate of shape {tuple(coordinate.shape)}, but from "
                    "another one in the same memory: the coordinate is a detached copy; pass the tensor that entered "
                    "the field, or clone() it if it is meant to be a variable of its own"
                )
    for coordinate in unused:
        if coordinate.is_leaf:  # computed from nothing, so that nothing else can be shared
            continue
        below_coordinate = _below([coordinate], stop=set())
        named = {_value(other) for other in among}
        if _overlap(_below(fields, stop=named - below_coordinate.keys()), below_coordinate):
            raise CoordinateError(
                f"the field was not computed from this coordinate of shape {tuple(coordinate.shape)}, but from data "
                "that both share: the coordinate is a copy, a slice or a function of what the field used; pass the "
                "tensor that entered the field (slice once, and compute the field from the slices)"
            )


def _value(tensor: Tensor) -> Value:
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _variables(values: Users) -> list[Tensor]:
    """The tensors without a history among the values."""
    accumulators: list[Any] = [node for node, _ in values if node.name() == "torch::autograd::AccumulateGrad"]
    return [accumulator.variable for accumulator in accumulators]


def _memory(tensor: Tensor) -> tuple[int, int, torch.Size, tuple[int, ...]]:
    """What tells whether two tensors show the same entries of the same memory, without looking at them."""
    return tensor.untyped_storage()._cdata, int(tensor.storage_offset()), tensor.shape, tensor.stride()


def _below(tensors: Sequence[Tensor], stop: set[Value]) -> Users:
    """Every value that the tensors were computed from, themselves included, with the values that use it there.

    The tensors themselves are used by None, the world above. Nothing is followed through the values in ``stop``.
    """
    users: dict[Value, list[Value | None]] = {}
    for tensor in tensors:
        users[_value(tensor)] = [None]
    pending = [value for value in users if value not in stop]
    while pending:
        value = pending.pop()
        for node, output in value[0].next_functions:
            if node is None or (node, output) in stop:
                continue
            if (node, output) not in users:
                users[node, output] = []
                pending.append((node, output))
            users[node, output].append(value)
    return users


def _overlap(one: Users, other: Users) -> bool:
    """Is there a value below both of which both use the same entries, each in a way of its own?"""
    return any(
        not _disjoint(user, other_user)
        for value in one.keys() & other.keys()
        for user in one[value]
        if user not in other
        for other_user in other[value]
        if other_user not in one
    )


def _disjoint(one: Value | None, other: Value | None) -> bool:
    """Are both selections along one dimension, such as two columns, without a common index?"""
    taken, other_taken = _selection(one), _selection(other)
    if taken is None or other_taken is None or taken[0] != other_taken[0]:
        return False
    return not set(taken[1]) & set(other_taken[1])


def _selection(value: Value | None) -> tuple[int, range] | None:
    """The dimension along which an operation selects and the indices that it takes; None for any other operation."""
    if value is None:
        return None
    node: Any = value[0]  # which attributes a node has depends on its operation
    output, kind = value[1], node.name()
    outputs = [tuple(metadata.shape) for metadata in node._input_metadata]
    if kind == "UnbindBackward0":
        return _signed(node._saved_dim) % (len(outputs[output]) + 1), range(output, output + 1)
    if kind in ("SplitBackward0", "SplitWithSizesBackward0"):
        dim = _signed(node._saved_dim) % len(outputs[output])
        start = sum(shape[dim] for shape in outputs[:output])
        return dim, range(start, start + outputs[output][dim])
    if kind not in ("SelectBackward0", "SliceBackward0"):
        return None
    shape = node._saved_self_sym_sizes
    dim = _signed(node._saved_dim) % len(shape)
    every = range(shape[dim])
    if kind == "SelectBackward0":
        return dim, every[_signed(node._saved_index) :][:1]
    return dim, every[_signed(node._saved_start) : _signed(node._saved_end) : node._saved_step]


def _signed(number: int) -> int:
    """The number that torch saved as signed and shows as unsigned, in 64 bits."""
    return number - 2**64 if number >= 2**63 else number
