"""A captured or compiled step is the step itself."""

import math
import operator
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from helpers.compiler import counted_captures, needs_a_compiler
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from helpers.small import Decay, Peeking, Ring, model_of, points_of
from torch import Tensor, nn
from torch._inductor import config as inductor
from torch.fx import Graph, GraphModule
from torch.utils._python_dispatch import _disable_current_modes

from pinn.compilation import CompiledStep
from pinn.compilation import step as step_module
from pinn.compilation.capture import capture, simplify
from pinn.compilation.choice import WAYS, Count, Step, choose
from pinn.compilation.writes import without_writes, written
from pinn.engines import choose_engines
from pinn.errors import InputError
from pinn.networks import RandomFeatures
from pinn.objective import Objective
from pinn.problems import Burgers, Poisson
from pinn.sampling import Collocation, Sobol
from pinn.training import Stage, Training
from pinn.weighting import Fixed

PROBLEMS = {**{name: shipped.problem for name, shipped in SHIPPED.items()}, "decay": Decay, "ring": Ring}
# Its 46,000 operations, the same for each of 100 coordinates, take half a minute to capture; poisson_5d is alike.
del PROBLEMS["poisson_100d"]


@pytest.fixture
def no_modes() -> Iterator[None]:
    """Dynamo leaves code alone while a dispatch mode is active, such as the one that guards every test."""
    with _disable_current_modes():
        yield


def stepper(way: str) -> CompiledStep:
    step = CompiledStep(compile=True, say=fail)
    step.settle(way)
    return step


def fail(line: str) -> None:
    raise AssertionError(line)


def results(objective: Objective) -> list[Tensor]:
    loss = objective()
    return [loss, *objective.terms.values(), *(parameter.grad for parameter in objective.parameters)]


def assert_same_bits(step: CompiledStep, objective: Objective) -> None:
    expected = results(objective)
    names = list(objective.terms)
    objective.step = step
    found = results(objective)
    assert list(objective.terms) == names
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not any(value.requires_grad for value in found)


@pytest.mark.parametrize("engine", ["reverse", "taylor"])
@pytest.mark.parametrize("name", sampled(PROBLEMS, 2))
def test_captured_steps_have_the_bits_of_the_others(name: str, engine: str) -> None:
    problem = PROBLEMS[name]()
    model, points = model_of(problem), points_of(problem)
    model.engines = choose_engines(engine, model, points).by_constraint
    assert_same_bits(stepper("captured"), Objective(model, points, Fixed()))


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_compiled_has_the_same_bits_and_no_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the taylor engine, which writes a lot; and without Inductor, which takes half a minute for each."""
    graphs: list[GraphModule] = []

    def compile_(graph: GraphModule, **_: Any) -> GraphModule:
        graphs.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", compile_)
    problem = PROBLEMS[name]()
    model, points = model_of(problem), points_of(problem)
    model.engines = choose_engines("taylor", model, points).by_constraint
    assert_same_bits(stepper("compiled"), Objective(model, points, Fixed()))
    [graph] = graphs
    # The seeds of the jets are written once, entry by entry.
    assert {str(node.target) for node in graph.graph.nodes if written(node)} <= {
        "aten.fill_.Tensor",
        "aten.index_put_.default",
    }


def test_what_is_held_fixed_may_change() -> None:
    problem, step = Decay(), stepper("captured")
    model = model_of(problem)
    first = next(model.network.parameters())
    for trained in (True, False, True):
        first.requires_grad_(trained)
        assert_same_bits(step, Objective(model, points_of(problem), Fixed()))


@pytest.mark.usefixtures("no_modes")
@pytest.mark.parametrize("way", ["captured", pytest.param("compiled", marks=needs_a_compiler)])
def test_whatever_changes_between_steps_is_an_input(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points, parameters, weights and frozen features are new in a second step, which uses the graph of the first."""
    captures = counted_captures(monkeypatch, step_module)
    problem, step = Peeking(torch.exp), stepper(way)
    model = model_of(problem, lambda inputs, outputs: RandomFeatures(inputs, outputs, features=4))
    weighting = Fixed()
    generator = torch.Generator().manual_seed(1)
    for scale in (1.0, 0.5):
        points = {
            name: {key: scale * value for key, value in group.items()} for name, group in points_of(problem).items()
        }
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor += 0.1 * torch.rand(tensor.shape, dtype=tensor.dtype, generator=generator)
        weighting.factors = {"equation": 1 + scale}
        objective = Objective(model, points, weighting)
        expected = results(objective)
        objective.step = step
        for a, b in zip(results(objective), expected, strict=True):
            # Sums of at most 12 products in another order, and functions that Inductor evaluates to 1 ulp or so.
            torch.testing.assert_close(a, b, rtol=1e-13 if way == "compiled" else 0, atol=0)
    assert captures == [1]


def test_points_in_other_numbers_need_another_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    captures = counted_captures(monkeypatch, step_module)
    problem, step = Decay(), stepper("captured")
    model = model_of(problem)
    for count in (12, 9, 12):
        assert_same_bits(step, Objective(model, points_of(problem, count), Fixed()))
    assert captures == [2]


@pytest.mark.parametrize(
    "look",
    [
        lambda x: torch.from_numpy(x.detach().numpy()),
        lambda x: torch.tensor(x.tolist(), dtype=x.dtype),
        lambda x: 1 if x[0] > 0.5 else 2,
    ],
)
def test_what_looks_at_numbers_is_computed_operation_by_operation(look: Callable[[Tensor], Any]) -> None:
    lines: list[str] = []
    problem = Peeking(look)
    objective = Objective(model_of(problem), points_of(problem), Fixed())
    step = CompiledStep(compile=True, say=lines.append)
    step.settle("captured")
    assert_same_bits(step, objective)
    assert len(lines) == 1
    assert lines[0].startswith("steps cannot be captured, so they are eager: ")
    assert step.way == "eager"


@pytest.mark.usefixtures("no_modes")
def test_without_a_compiler_steps_are_captured() -> None:
    lines: list[str] = []
    problem = Decay()
    # Other numbers of points than in the other tests, so that nothing comes from Inductor's cache.
    objective = Objective(model_of(problem), points_of(problem, 7), Fixed())
    step = CompiledStep(compile=True, say=lines.append)
    with inductor.patch({"cpp.cxx": (None, "/no/compiler")}):
        assert_same_bits(step, objective)
    assert step.way == "captured"
    assert len(lines) == 1
    assert lines[0].startswith("steps cannot be compiled, so they are captured: InvalidCxxCompiler")


def graph_of(*calls: tuple[Any, Any]) -> Graph:
    """The graph of one input x and calls of functions with (x, second operand), all of them results."""
    graph = Graph()
    x = graph.placeholder("x")
    made = [graph.call_function(function, (x, *arguments)) for function, arguments in calls]
    graph.output(graph.call_function(torch.ops.aten.stack.default, (made,)))
    return graph


@pytest.mark.parametrize(
    ("calls", "left"),
    [
        ([(torch.ops.aten.mul.Scalar, (2,))] * 3, 1),
        ([(operator.mul, (2,))] * 2, 1),
        ([(torch.ops.aten.mul.Scalar, (2,)), (torch.ops.aten.mul.Scalar, (3,))], 2),
        # Equal numbers of two types.
        ([(torch.ops.aten.mul.Scalar, (1,)), (torch.ops.aten.mul.Scalar, (1.0,))], 2),
        # Random numbers, drawn twice.
        ([(torch.ops.aten.rand_like.default, ())] * 2, 2),
        # Somebody writes into x between the two.
        ([(torch.ops.aten.mul.Scalar, (2,)), (torch.ops.aten.add_.Scalar, (1,)), (torch.ops.aten.mul.Scalar, (2,))], 3),
    ],
)
def test_only_repetitions_are_left_out(calls: list[tuple[Any, Any]], left: int) -> None:
    graph = graph_of(*calls)
    simplify(graph)
    assert len([node for node in graph.nodes if node.op == "call_function"]) == left + 1


def writes_of(function: Callable[[Tensor], Tensor]) -> int:
    """Capture, rewrite, compare, and count the writes that are left."""
    x = torch.linspace(0.1, 1.2, 12).reshape(3, 4)
    expected = function(x.clone())
    graph = capture(function, x)
    without_writes(graph.graph)
    simplify(graph.graph)
    graph.recompile()
    assert torch.equal(graph(x.clone()), expected)
    return sum(written(node) is not None for node in graph.graph.nodes)


def slots(x: Tensor) -> Tensor:
    result = torch.empty_like(x)
    for row, out in zip(x, result, strict=True):
        torch.mul(row, row, out=out)
    result[1].addcmul_(x[0], result[2], value=2.0)
    result[2].add_(result[1])
    return result + x


def one_slot(x: Tensor) -> Tensor:
    result = x.exp()
    result[1].mul_(result[0])
    return result.sum(0)


def running_sum(x: Tensor) -> Tensor:
    total = x * x
    before = total + 1
    total.add_(x).mul_(before)
    return (total.t() @ before).add_(total.sum())


def transposed_before(x: Tensor) -> Tensor:
    total = x * x
    seen = total.t()
    total.add_(x)
    return seen + 1


def written_by_pieces_and_as_a_whole(x: Tensor) -> Tensor:
    total = x * x
    total[0].add_(1)
    total.mul_(2)
    return total + x


def piece_of_a_slot(x: Tensor) -> Tensor:
    total = x * x
    total[0].mul_(3)
    total[0][1:].add_(1)
    return total[0] + total


def written_input(x: Tensor) -> Tensor:
    x.add_(1)
    return x * x


def other_precision(x: Tensor) -> Tensor:
    return (x * x).add_(torch.linspace(0, 1, 4, dtype=torch.float64)) + 1


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (slots, 0),
        (one_slot, 0),
        (running_sum, 0),
        (transposed_before, 1),
        (written_by_pieces_and_as_a_whole, 2),
        (piece_of_a_slot, 2),
        (written_input, 1),
        (other_precision, 1),
    ],
)
def test_writes_become_values_where_nobody_else_sees_them(function: Callable[[Tensor], Tensor], left: int) -> None:
    assert writes_of(function) == left


def test_results_stay_tensors_of_their_own() -> None:
    graph = Graph()
    x = graph.placeholder("x")
    graph.output([graph.call_function(torch.ops.aten.mul.Scalar, (x, 2)) for _ in range(2)])
    simplify(graph)
    assert len(set(graph.output_node().all_input_nodes)) == 2


def test_unused_operations_are_left_out() -> None:
    graph = Graph()
    x = graph.placeholder("x")
    graph.call_function(torch.ops.aten.mul.Scalar, (x, 2))
    graph.output(x)
    simplify(graph)
    assert [node.op for node in graph.nodes] == ["placeholder", "output"]


STEP = Step(seconds=0.02, operations=600)


@pytest.mark.parametrize(
    ("step", "steps", "seconds", "way"),
    [
        (STEP, 10, math.inf, "eager"),  # 0.2 s
        (STEP, 2000, math.inf, "captured"),  # 40 s, or 0.6 + 32, or 45 + 25
        (STEP, 20000, math.inf, "compiled"),  # 400 s, or 45 + 250
        (STEP, 20000, 50.0, "captured"),  # compiling takes most of it
        (STEP, 20000, 130.0, "captured"),  # and may take three times as long as expected
        (STEP, 20000, 600.0, "compiled"),
        (STEP, 20000, 2.0, "eager"),
        (Step(seconds=0.02, operations=40000), 2000, math.inf, "eager"),  # capturing alone takes as long as all steps
    ],
)
def test_what_repays(step: Step, steps: int, seconds: float, way: str) -> None:
    assert choose(step, steps, seconds) == way


def test_what_is_spent_stays_spent() -> None:
    assert choose(STEP, 10, present="captured") == "captured"
    assert choose(STEP, 20000, present="captured") == "compiled"
    assert [way.gain for way in WAYS] == sorted(way.gain for way in WAYS)


def test_auto_measures_then_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from pinn.compilation import step as module

    asked: list[Any] = []

    def chosen(*arguments: Any) -> str:
        asked.append(arguments)
        return "captured"

    monkeypatch.setattr(module, "choose", chosen)
    lines: list[str] = []
    problem = Burgers()
    objective = Objective(model_of(problem), points_of(problem), Fixed(), step := CompiledStep(say=lines.append))
    step.expect(70)
    ways = []
    for _ in range(6):
        objective()
        ways.append(step.way)
    assert ways == [*["eager"] * 3, *["captured"] * 3]
    [(measured, steps, seconds, present)] = asked
    assert measured.seconds > 0
    with Count() as count:
        objective.gradient()
    assert measured.operations == count.operations > 100
    assert (steps, seconds, present) == (70, math.inf, "eager")
    assert len(lines) == 1
    assert "steps are captured" in lines[0]
    step.expect(80)
    assert asked[1][1:] == (80, math.inf, "captured")
    assert len(lines) == 1


@pytest.mark.parametrize("optimizer", [partial(torch.optim.Adam, lr=1e-2), torch.optim.LBFGS])
def test_a_captured_training_is_the_training(optimizer: Any) -> None:
    def trained(way: str) -> list[Tensor]:
        problem = Poisson()
        stages = {"only": Stage(optimizer, steps=7, block=4)}
        training = Training(
            model_of(problem), Collocation(problem, Sobol(), 30, 10), Fixed(), stages, step=stepper(way)
        )
        for _ in range(7):
            training.stage_optimizers[0].run(training._objective(training.current), 1)
            training.step_in_stage += 1
            training.step += 1
        return [parameter.detach() for parameter in training.model.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(trained("captured"), trained("eager"), strict=True))


def test_optimizers_may_write_into_gradients() -> None:
    """A step on the same graph does not find what was written into the gradients of the one before."""
    problem = Decay()
    objective = Objective(model_of(problem), points_of(problem), Fixed(), stepper("captured"))
    before = [value.clone() for value in results(objective)]
    nn.utils.clip_grad_norm_(objective.parameters, 1e-3)
    assert all(torch.equal(a, b) for a, b in zip(results(objective), before, strict=True))


@pytest.mark.parametrize("value", ["yes", None, 1])
def test_other_words_for_compile_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="compile must be auto, true or false"):
        CompiledStep(value)
