"""Rows and Jacobians from graphs are those that are computed operation by operation."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.compiler import counted_captures, needs_a_compiler
from helpers.networks import NETWORKS, UNFOLLOWED
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from helpers.small import Decay, Peeking, Ring, model_of, points_of
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from pinn.compilation import CompiledStep
from pinn.compilation import rows as rows_module
from pinn.compilation.choice import repays
from pinn.compilation.rows import RowGraphs
from pinn.engines import choose_engines
from pinn.model import Model
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt
from pinn.problems import Burgers, Problem
from pinn.weighting import Fixed

PROBLEMS = {**{name: shipped.problem for name, shipped in SHIPPED.items()}, "decay": Decay, "ring": Ring}
# 46,000 operations, the same for each of 100 coordinates.
del PROBLEMS["poisson_100d"]


def step_of(way: Any, say: Callable[[str], object] = pytest.fail, patient: bool = False) -> CompiledStep:
    step = CompiledStep(compile=False)
    step.jacobians = step.evaluations = RowGraphs(way, patient, say)
    return step


def results(model: Model, problem: Problem, step: CompiledStep | None, count: int = 12) -> list[Tensor]:
    objective = Objective(model, points_of(problem, count), Fixed(), step)
    with torch.no_grad():
        vector = objective.vector()
    return [*objective.jacobian(), vector, *objective.terms.values()]


def assert_same_bits(model: Model, problem: Problem, step: CompiledStep, count: int = 12) -> None:
    expected, found = results(model, problem, None, count), results(model, problem, step, count)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not any(value.requires_grad for value in found)


@pytest.mark.parametrize("name", sampled(PROBLEMS, 3))
def test_every_problem(name: str) -> None:
    problem = PROBLEMS[name]()
    model = model_of(problem)
    model.engines = choose_engines("auto", model, points_of(problem)).by_constraint
    assert_same_bits(model, problem, step_of("captured"))


@pytest.mark.parametrize("name", ["mlp", "gated", "tied", "frozen", "normalised", "tokens in front", "attention"])
def test_every_way_to_use_a_weight(name: str) -> None:
    problem = Decay()
    assert_same_bits(model_of(problem, NETWORKS[name]), problem, step_of("captured"))


@pytest.mark.filterwarnings("ignore:the Jacobian is computed row by row")
def test_one_row_after_another_makes_no_graph() -> None:
    """It would be as long as there are points."""
    problem, lines = Decay(), []
    assert_same_bits(model_of(problem, UNFOLLOWED["filled"]), problem, step_of("captured", lines.append))
    assert lines == ["residuals cannot be captured, so they are eager: one row after another makes too long a graph"]


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many graphs have been captured."""
    return counted_captures(monkeypatch, rows_module)


def test_parameters_are_inputs_and_numbers_of_points_are_not(captures: list[int]) -> None:
    problem, step = Peeking(torch.exp), step_of("captured")
    for count, graphs in ((12, 2), (9, 4), (12, 4)):
        model = model_of(problem)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.1 * count * graphs)
        assert_same_bits(model, problem, step, count)
        assert captures == [graphs]  # one of the rows, one of their derivatives


def test_what_is_held_fixed_may_change(captures: list[int]) -> None:
    problem, step = Peeking(torch.exp), step_of("captured")
    model = model_of(problem)
    for trained, graphs in ((True, 2), (False, 4), (True, 4)):
        next(model.network.parameters()).requires_grad_(trained)
        assert_same_bits(model, problem, step)
        assert captures == [graphs]


def test_blocks_of_a_jacobian_share_a_graph(captures: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinn.objective.POINTS_PER_BLOCK", 5)
    problem = Peeking(torch.exp)
    objective = Objective(model_of(problem), points_of(problem, 13), Fixed(), step_of("captured"))
    objective.jacobian()
    assert captures == [1]


def test_what_looks_at_numbers_is_computed_operation_by_operation() -> None:
    lines: list[str] = []
    problem, step = Peeking(lambda x: 1 if x[0] > 0.5 else 2), step_of("captured", lines.append)
    assert_same_bits(model_of(problem), problem, step)
    [line] = lines
    assert line.startswith("residuals cannot be captured, so they are eager: ")


def test_a_graph_is_made_when_it_would_have_repaid(captures: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, float]] = []

    def repays_at_last(operations: int, seconds: float) -> bool:
        asked.append((operations, seconds))
        return len(asked) == 3

    monkeypatch.setattr(rows_module, "repays", repays_at_last)
    problem, step = Burgers(), step_of("captured", patient=True)
    interior = points_of(problem)["equation"]
    objective = Objective(model_of(problem), {"equation": interior}, Fixed(), step)
    made = []
    for _ in range(6):
        objective.jacobian()
        made.append(captures[0])
    # In the first call operations are counted, in the next ones time adds up.
    assert made == [0, 0, 0, 1, 1, 1]
    assert len({operations for operations, _ in asked}) == 1
    assert asked[0][0] > 100
    seconds = [seconds for _, seconds in asked]
    assert seconds[0] == 0 < seconds[1] < seconds[2]


def test_what_repays() -> None:
    # Capturing 600 operations takes 0.6 s, and saves a fifth of the time.
    assert not repays(600, 2.9)
    assert repays(600, 3.1)


@pytest.mark.parametrize(
    ("compile", "way", "patient"), [(True, "compiled", False), (False, "eager", False), ("auto", "captured", True)]
)
def test_what_compile_means(compile: Any, way: str, patient: bool) -> None:
    step = CompiledStep(compile)
    assert (step.jacobians.way, step.jacobians.patient) == (way, patient)
    # Compiled rows would differ by round-off and be no faster.
    assert (step.evaluations.way, step.evaluations.patient) == ("captured" if compile else "eager", True)


def test_a_captured_training_is_the_training() -> None:
    def trained(step: CompiledStep | None) -> list[Tensor]:
        problem = Burgers()
        model = model_of(problem)
        optimizer = LevenbergMarquardt(model.parameters())
        for _ in range(3):
            optimizer.run(Objective(model, points_of(problem), Fixed(), step), 1)
        return [parameter.detach() for parameter in model.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(trained(step_of("captured")), trained(None), strict=True))


@needs_a_compiler
def test_compiled_jacobians_differ_by_round_off() -> None:
    problem = Peeking(torch.exp)
    model, points = model_of(problem), points_of(problem)
    expected = Objective(model, points, Fixed()).jacobian()
    with _disable_current_modes():  # Dynamo leaves code alone while a mode is active
        found = Objective(model, points, Fixed(), step_of("compiled")).jacobian()
    for a, b in zip(found, expected, strict=True):
        # Sums of some products in another order, and functions that Inductor evaluates to 1 ulp or so.
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15 * b.abs().max().item())
