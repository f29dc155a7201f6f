"""The autograd graph as evidence: did a field, in which a coordinate does not occur, use the same data by another way?

A value of the graph is a pair of a node and the number of one of its outputs. Autograd finds a coordinate only if that very value
lies below the field. A second slice ``xy[:, 0]`` is another value, and autograd would call the field independent of it.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

from pinn.derivatives.errors import CoordinateError

Value = tuple[Node, int]


def refuse_copies(fields: Sequence[Tensor], unused: Sequence[Tensor], among: Sequence[Tensor]) -> None:
    """Raise unless the fields are independent of the coordinates that autograd did not find below them.

    Args:
        fields: what was differentiated.
        unused: the coordinates that autograd did not find.
        among: all coordinates that were named together; what lies below those is not the field's own.

    Raises:
        CoordinateError: a field and an unused coordinate were computed from the same entries of the same tensor.
    """
    derived = [coordinate for coordinate in unused if not coordinate.is_leaf]  # a leaf has no origin to share
    if not derived:
        return
    below_fields = _below([_value(field) for field in fields], stop={_value(coordinate) for coordinate in among})
    for coordinate in derived:
        if _overlap(below_fields, _below([_value(coordinate)], stop=set())):
            raise CoordinateError(
                f"the field was not computed from this coordinate of shape {tuple(coordinate.shape)}, but from data that both "
                "share: the coordinate is a copy, a slice or a function of what the field used; differentiate with respect "
                "to the very tensor that entered the field (slice or unbind once, before the field is computed)"
            )


def _value(tensor: Tensor) -> Value:
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _below(roots: Sequence[Value], stop: set[Value]) -> dict[Value, list[Value | None]]:
    """Every value that the roots were computed from, themselves included, with its users; None is the world above a root."""
    users: dict[Value, list[Value | None]] = {root: [None] for root in roots if root not in stop}
    pending = list(users)
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


def _overlap(one: dict[Value, list[Value | None]], other: dict[Value, list[Value | None]]) -> bool:
    """Is there a value below both of which each uses, in a way of its own, the same entries?"""
    return any(
        not _disjoint(user, other_user)
        for shared in one.keys() & other.keys()
        for user in one[shared]
        for other_user in other[shared]
        if user not in other and other_user not in one
    )


def _disjoint(one: Value | None, other: Value | None) -> bool:
    """Are both selections along the same dimension, such as two columns of a tensor, without a common index?"""
    taken, other_taken = _taken(one), _taken(other)
    if taken is None or other_taken is None:
        return False
    return taken[0] == other_taken[0] and not set(taken[1]) & set(other_taken[1])


def _taken(value: Value | None) -> tuple[int, range] | None:
    """The dimension along which an operation selects and the indices that it takes; None for any other operation."""
    if value is None:
        return None
    node, output = value
    kind = node.name()
    if kind not in (
        "SelectBackward0",
        "SliceBackward0",
        "UnbindBackward0",
        "SplitBackward0",
        "SplitWithSizesBackward0",
    ):
        return None
    saved: dict[str, Any] = {name: getattr(node, name) for name in dir(node) if name.startswith("_saved_")}
    selected = tuple(node._input_metadata[output].shape)
    rank = len(selected) + (kind in ("SelectBackward0", "UnbindBackward0"))
    dim = _signed(saved["_saved_dim"]) % rank
    if kind == "UnbindBackward0":
        return dim, range(output, output + 1)
    size = saved["_saved_self_sym_sizes"][dim]
    if kind == "SelectBackward0":
        index = _signed(saved["_saved_index"]) % size
        return dim, range(index, index + 1)
    if kind == "SliceBackward0":
        start, end = _signed(saved["_saved_start"]), _signed(saved["_saved_end"])
        return dim, range(size)[start : end : saved["_saved_step"]]
    if kind == "SplitBackward0":
        start = output * saved["_saved_split_size"]
    else:
        start = sum(saved["_saved_split_sizes"][:output])
    return dim, range(start, start + selected[dim])


def _signed(number: int) -> int:
    """Torch shows a negative saved integer as a 64-bit unsigned one."""
    return number - 2**64 if number >= 2**63 else number
