"""A whole step - residuals, loss and gradient by the parameters - as one graph of plain tensor operations.

torch.compile refuses a function that differentiates with `create_graph=True`. Below autograd there is nothing to
refuse: the operations that a step executes are recorded as they reach the dispatcher, its backward passes among them.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.func import functional_call
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten

from pinn.domains import Points
from pinn.model import Model
from pinn.objective import Gradient

State = dict[str, Tensor]


def capture(model: Model, state: State, points: Mapping[str, Points], scales: Points) -> GraphModule:
    """Return the graph of (state, points, scales) -> (loss, terms, gradients), without its common subexpressions.

    Everything that changes from step to step is an input: parameters, buffers, points and the scale of each residual.
    Tensors without values run through the step, so capturing costs no arithmetic, and a residual that looks at
    numbers (`item()`, `numpy()`, `if x > 0`) raises instead of being recorded with the numbers of one step.

    Args:
        model: the problem and the network.
        state: parameters and buffers of the model by name; those of its parameters that require grad are trained.
        points: of every constraint, by its name.
        scales: √(w/N) of every residual, by its name, () each.

    Raises:
        Exception: whatever the residuals raise when they meet an operation that cannot be captured.
    """
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    def step(state: State, points: Mapping[str, Points], scales: Points) -> Gradient:
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_(name in trained) for name, value in state.items()}
            rows: Points = {}
            for name, quantities in points.items():
                at = {
                    key: value.detach().requires_grad_(key in model.problem.coordinates)
                    for key, value in quantities.items()
                }
                rows |= functional_call(model, leaves, (name, at))
            scaled = {name: row * scales[name] for name, row in rows.items()}
            vector = torch.cat(list(scaled.values()))
            loss = vector.dot(vector) / 2
            by = [leaves[name] for name in leaves if name in trained]
            gradients = torch.autograd.grad(loss, by, materialize_grads=True)
        terms = {name: row.detach().square().sum() for name, row in scaled.items()}
        return Gradient(loss.detach(), terms, gradients)

    graph = make_fx(step, tracing_mode="fake", _allow_non_fake_inputs=True)(state, points, scales)
    simplify(graph.graph)
    graph.recompile()
    return graph


def simplify(graph: Graph) -> None:
    """Leave out what nothing uses, and compute once what is computed twice from the same operands.

    Differentiating a derivative repeats the first derivative: of the operations of a Navier-Stokes step every sixth is
    a repetition. What is left is executed in the same order, so results keep every bit. A graph that writes into
    its tensors keeps its repetitions, because equal operands may then hold different numbers.
    """
    graph.eliminate_dead_code()
    if any(_writes(node) for node in graph.nodes):
        return
    results = set(graph.output_node().all_input_nodes)
    first: dict[Any, Node] = {}
    for node in list(graph.nodes):
        # Each result is a tensor of its own: an optimizer may write into a gradient.
        if node.op != "call_function" or node in results or _random(node):
            continue
        operands, structure = tree_flatten((node.args, node.kwargs))
        # 1, 1.0 and True are equal, and are not the same operand.
        key = node.target, structure, tuple((type(operand), operand) for operand in operands)
        if key in first:
            node.replace_all_uses_with(first[key])
            graph.erase_node(node)
        else:
            first[key] = node


def _writes(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def _random(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
