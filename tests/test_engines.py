"""Engines in trainings: the same residuals, gradients and Jacobians by both, and the choice between them."""

from functools import partial
from typing import Any

import pytest
import torch
from helpers.networks import NETWORKS as SHAPES
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from helpers.small import Decay, Ring, model_of, points_of
from rich.console import Console
from torch import Tensor, nn

import pinn
from pinn.derivatives.taylor import Reverse, Taylor
from pinn.engines import choose_engines
from pinn.errors import InputError
from pinn.model import Model
from pinn.networks import MLP, RandomFeatures
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt, SelfScaledBroyden
from pinn.problems import Advection, Burgers, Kovasznay, Problem
from pinn.training import Stage
from pinn.weighting import Fixed

PROBLEMS = {**{name: shipped.problem for name, shipped in SHIPPED.items()}, "decay": Decay, "ring": Ring}
NETWORKS = {
    "tanh": partial(MLP, width=5, depth=2),
    "sine": partial(MLP, width=5, depth=2, activation="sine"),
    "features": partial(RandomFeatures, features=9, scale=2.0),
    "tokens": SHAPES["tokens behind"],
}


def by_taylor(model: Model, problem: Problem) -> Model:
    model.engines = choose_engines("taylor", model, points_of(problem)).by_constraint
    assert all(isinstance(engine, Taylor) for engine in model.engines.values())
    return model


def everything(model: Model, problem: Problem) -> dict[str, Tensor]:
    objective = Objective(model, points_of(problem), Fixed())
    if isinstance(model.network.network, RandomFeatures):
        nn.init.normal_(model.network.network.output.weight, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        trial = objective.vector()
    matrix, rows = objective.jacobian()
    objective()
    gradient = torch.cat([parameter.grad.flatten() for parameter in objective.parameters])
    return {"trial": trial, "jacobian": matrix, "rows": rows, "gradient": gradient}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", sampled(PROBLEMS, 2))
def test_both_engines_give_every_optimizer_the_same(name: str, network: str) -> None:
    problem = PROBLEMS[name]()
    expected = everything(model_of(problem, NETWORKS[network]), problem)
    found = everything(by_taylor(model_of(problem, NETWORKS[network]), problem), problem)
    for key, tensor in expected.items():
        # Sums of some hundred products in another order: round-off beside the largest entry.
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-13 * max(1.0, tensor.abs().max().item()))


def test_auto_counts_for_each_constraint_and_says_so_in_one_line() -> None:
    problem = Kovasznay()
    model = model_of(problem, partial(MLP, width=20, depth=3))
    engines, reason = choose_engines("auto", model, points_of(problem, 64))
    assert {name: type(engine) for name, engine in engines.items()} == {
        "equation": Taylor,
        "sides": Reverse,
        "gauge": Reverse,
    }
    first, second = reason.split("; ")
    assert first.startswith("equation by taylor (")
    assert " million operations with taylor, " in first
    assert second == "sides, gauge by reverse (no derivatives)"


def test_auto_takes_reverse_where_it_has_less_to_do() -> None:
    problem = Advection()
    engines, _ = choose_engines("auto", model_of(problem, partial(MLP, width=20, depth=3)), points_of(problem, 64))
    assert isinstance(engines["equation"], Reverse)


def test_auto_counts_what_the_optimizer_takes() -> None:
    """For Burgers' equation taylor has less to do for a gradient, and reverse mode for the Jacobian."""
    problem = Burgers()
    model, points = model_of(problem, partial(MLP, width=50, depth=4)), points_of(problem, 64)
    for_gradient, _ = choose_engines("auto", model, points)
    for_jacobian, _ = choose_engines("auto", model, points, jacobian=True)
    assert isinstance(for_gradient["equation"], Taylor)
    assert isinstance(for_jacobian["equation"], Reverse)


@pytest.mark.parametrize(
    ("optimizer", "engine"),
    sampled(
        [
            (SelfScaledBroyden, Taylor),
            (partial(torch.optim.Adam, lr=1e-3), Taylor),
            (LevenbergMarquardt, Reverse),
            (partial(LevenbergMarquardt), Reverse),
        ],
        2,
    ),
)
def test_a_training_counts_what_its_optimizer_takes(optimizer: Any, engine: type) -> None:
    stages = {"only": Stage(optimizer, steps=1, block=1)}
    network = partial(MLP, width=50, depth=4)
    solution = pinn.solve(
        Burgers(), network=network, stages=stages, points=8, boundary_points=8, grid=5, estimate=False, progress=False
    )
    assert isinstance(solution.model.engines["equation"], engine)


def test_an_operation_without_a_rule_falls_back_and_is_named() -> None:
    def network(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, 4), nn.ELU(), nn.Linear(4, outputs))

    problem = Burgers()
    with pytest.warns(UserWarning, match=r"^engine=reverse: aten\.elu\.default has no rule for taylor$"):
        engines, reason = choose_engines("taylor", model_of(problem, network), points_of(problem))
    assert isinstance(engines["equation"], Reverse)
    assert reason.startswith("equation by reverse (aten.elu.default has no rule for taylor)")


def test_an_unknown_engine() -> None:
    with pytest.raises(InputError, match="engine must be one of auto, reverse, taylor; it was given 'jets'"):
        pinn.solve(Burgers(), engine="jets", estimate=False, progress=False)


def test_a_training_uses_the_engine_that_was_asked_for() -> None:
    def solve(engine: str) -> tuple[pinn.Solution, list[float]]:
        solution = pinn.solve(
            Kovasznay(),
            network=partial(MLP, width=5, depth=1),
            stages={"lm": Stage(LevenbergMarquardt, steps=3, block=1)},
            points=20,
            boundary_points=8,
            seconds=None,
            engine=engine,
            grid=5,
            estimate=False,
            progress=False,
        )
        return solution, [row["validation"] for row in solution.history]

    (forward, losses), (backward, expected) = solve("taylor"), solve("reverse")
    assert isinstance(forward.model.engines["equation"], Taylor)
    assert isinstance(backward.model.engines["equation"], Reverse)
    # Three steps, each the solution of a damped linear system with a condition of some 1e4.
    assert losses == pytest.approx(expected, rel=1e-9)


def test_the_line_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinn.solver.Console", partial(Console, width=500))
    pinn.solve(
        Kovasznay(),
        network=partial(MLP, width=20, depth=2),
        stages={"lm": Stage(LevenbergMarquardt, steps=1, block=1)},
        points=20,
        boundary_points=8,
        grid=5,
    )
    assert "engine equation by taylor (" in capsys.readouterr().err
