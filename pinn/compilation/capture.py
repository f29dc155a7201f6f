"""Functions that differentiate, as graphs of plain tensor operations.

torch.compile refuses a function that differentiates with `create_graph=True`. Below autograd there is nothing to
refuse: the operations that a call executes are recorded as they reach the dispatcher, its backward passes among them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.func import functional_call
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten

from pinn.compilation.writes import storage, written
from pinn.domains import Points
from pinn.model import Model
from pinn.objective import Gradient


def capture(function: Callable[..., Any], *inputs: Any) -> GraphModule:
    """Return the graph of a function, for inputs of these shapes, without its common subexpressions.

    Tensors without values run through the function, so capturing costs no arithmetic, and a function that looks at
    numbers (`numpy()`, `if x > 0`) raises instead of being recorded with the numbers of one call. Tensors that it
    finds elsewhere than in its inputs become constants.

    Args:
        function: returns tensors in lists, tuples and dictionaries, from such inputs.
        inputs: as the graph will be given.

    Raises:
        Exception: whatever the function raises when it meets an operation that cannot be captured.
    """
    graph = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    simplify(graph.graph)
    graph.recompile()
    return graph


def first_order_step(model: Model) -> Callable[[Points, Mapping[str, Points], Points], Gradient]:
    """Return (state, points, scales) -> (loss, terms, gradients): everything that changes between steps is an input.

    Those are parameters and buffers of the model by name, the points of every constraint, and √(w/N) of every residual,
    of shape ().
    """
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    coordinates = model.problem.coordinates

    def step(state: Points, points: Mapping[str, Points], scales: Points) -> Gradient:
        with torch.enable_grad():
            leaves = {name: leaf(value, name in trained) for name, value in state.items()}
            rows: Points = {}
            for name, quantities in points.items():
                at = {key: leaf(value, key in coordinates) for key, value in quantities.items()}
                rows |= functional_call(model, leaves, (name, at))
            scaled = {name: row * scales[name] for name, row in rows.items()}
            vector = torch.cat(list(scaled.values()))
            loss = vector.dot(vector) / 2
            gradients = torch.autograd.grad(loss, [leaves[name] for name in trained], materialize_grads=True)
        terms = {name: row.detach().square().sum() for name, row in scaled.items()}
        return Gradient(loss.detach(), terms, gradients)

    return step


def state_of(model: Model) -> Points:
    """Return parameters and buffers by name, without graphs."""
    return {name: value.detach() for name, value in (*model.named_parameters(), *model.named_buffers())}


def leaf(value: Tensor, differentiable: bool) -> Tensor:
    """Return the same numbers as an input of what is differentiated, or as a constant."""
    return value.detach().requires_grad_(differentiable)


def simplify(graph: Graph) -> None:
    """Leave out what nothing uses, and compute once what is computed twice from the same operands.

    Differentiating a derivative repeats the first derivative: of the operations of a Navier-Stokes step every sixth is
    a repetition. What is left is executed in the same order, so results keep every bit.
    """
    graph.eliminate_dead_code()
    # Equal operands hold different numbers before and after somebody writes into them.
    changing = {storage(node) for node in graph.nodes if written(node) is not None}
    # Each result is a tensor of its own: an optimizer may write into a gradient.
    results = set(graph.output_node().all_input_nodes)
    first: dict[Any, Node] = {}
    for node in list(graph.nodes):
        changes = any(storage(seen) in changing for seen in (node, *node.all_input_nodes))
        if node.op != "call_function" or node in results or changes or _is_random(node):
            continue
        operands, structure = tree_flatten((node.args, node.kwargs))
        # 1, 1.0 and True are equal, and are not the same operand.
        key = node.target, structure, tuple((type(operand), operand) for operand in operands)
        if key in first:
            node.replace_all_uses_with(first[key])
            graph.erase_node(node)
        else:
            first[key] = node


def _is_random(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
