"""A number that is none ends a training: residual, point and step are named, and the best state stays."""

import math
import re
from functools import partial as bind
from typing import Any

import pytest
import torch
from helpers.small import Decay, model_of, points_of
from torch import Tensor

import pinn
from pinn import Box, Constraint, Stage
from pinn.derivatives import partial
from pinn.finite import where_not_finite
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.problems import Problem
from pinn.sampling import ResidualAdaptive
from pinn.training.divergence import why_diverged
from pinn.weighting import Fixed


class Ramp(Problem):
    """u' = 2, u(0) = 0 on (0, 1), and a term without a value where u > 1: at the far end first, in any training."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "start": Constraint(self.domain.face(x=0), lambda u: u),
        }

    def equation(self, u: Tensor, x: Tensor) -> dict[str, Tensor]:
        return {"slope": partial(u, x) - 2, "term": u - 2 * x + 0 * torch.log(1 - u)}


QUICK: dict[str, Any] = {
    "network": "mlp",
    "points": 60,
    "grid": 5,
    "seconds": None,
    "estimate": False,
    "progress": False,
    "compile": False,
}
STAGES = {
    "adam": Stage(bind(torch.optim.Adam, lr=0.05), steps=300, block=20),
    "levenberg_marquardt": Stage(LevenbergMarquardt, steps=40, block=5),
}


@pytest.mark.parametrize("sampler", ["sobol", "rad"])
@pytest.mark.parametrize("name", STAGES)
def test_residual_point_and_step_are_named(name: str, sampler: str) -> None:
    solution = pinn.solve(Ramp(), stages={name: STAGES[name]}, sampler=sampler, **QUICK)
    assert solution.metrics["status"] == "diverged"
    [reason] = solution.metrics["stopped"]
    assert reason.startswith(f"{name}: residual equation.term is nan at x = 0.")
    assert f"after step {solution.metrics['steps']}" in reason
    assert 0.5 < float(reason.split("x = ")[1].split()[0]) < 1
    assert all(torch.isfinite(value).all() for value in solution.model.state_dict().values())
    assert all(math.isfinite(value) for value in solution.metrics["residual_rms"].values())


def test_a_derivative_that_is_infinite_is_found_before_it_is_solved_with() -> None:
    class Root(Decay):
        def equation(self, u: Tensor, t: Tensor) -> Tensor:
            return partial(u, t) - self.rate * torch.sqrt(u * (t > 1))

    solution = pinn.solve(Root(), stages={"lm": STAGES["levenberg_marquardt"]}, **QUICK)
    assert solution.metrics["status"] == "diverged"
    assert solution.metrics["stopped"][0].endswith("in its derivatives after step 0")
    problem = Root()
    objective = Objective(model_of(problem), points_of(problem, 60), Fixed())
    for kind in (LeastSquares, LevenbergMarquardt):
        before = [parameter.clone() for parameter in objective.parameters]
        progress = kind(objective.parameters).run(objective, 3)
        assert progress.taken == 0
        assert re.match(r"residual equation is nan at t = .* in its derivatives", progress.diverged or "")
        assert all(map(torch.equal, before, objective.parameters))


def test_points_without_a_value_are_drawn() -> None:
    """They are what must be seen; without them a residual that has none in a corner would look fine."""
    residual = torch.rand(1000, dtype=torch.float64)
    residual[[17, 500]] = torch.tensor([torch.nan, torch.inf], dtype=torch.float64)
    for seed in range(5):
        chosen = ResidualAdaptive().choose(residual, 10, torch.Generator().manual_seed(seed)).tolist()
        assert len(set(chosen)) == 10
        assert {17, 500} <= set(chosen)
    assert len(ResidualAdaptive().choose(torch.full((50,), torch.nan), 10, torch.Generator())) == 10


def objectives() -> tuple[Objective, Objective]:
    problem = Ramp()
    model = model_of(problem)
    return Objective(model, points_of(problem, 9), Fixed()), Objective(model, points_of(problem, 7), Fixed())


FINE, BAD = {"loss": 1.0, "validation": 1.0}, {"loss": math.nan, "validation": math.inf}


def test_a_step_that_was_taken_back_is_no_divergence() -> None:
    """A line search tries steps of any length; what counts is where the parameters are."""
    held_out, trained = objectives()
    assert why_diverged(FINE, held_out, trained) is None
    assert why_diverged({"loss": math.nan, "validation": 1.0}, held_out, trained) is None


def test_what_cannot_be_squared_and_what_is_no_parameter_are_told() -> None:
    held_out, trained = objectives()
    terms = {"residual/equation.slope": math.inf, "residual/start": 1.0}
    assert why_diverged(BAD | terms, held_out, trained) == "residual equation.slope is too large to be squared"
    held_out.parameters[0].data.fill_(torch.nan)
    assert "the parameters are infinite or no numbers" in (why_diverged(BAD | terms, held_out, trained) or "")


def test_the_first_point_is_told_and_how_many_there_are() -> None:
    x = torch.linspace(0, 1, 5)
    rows = {"a": x, "b": torch.tensor([1, torch.inf, 2, torch.nan, 3])}
    assert where_not_finite({"a": x}, {"x": x, "n_x": x}, ["x"]) is None
    assert where_not_finite(rows, {"x": x, "n_x": x}, ["x"]) == "b is inf at x = 0.25 (2 of 5 points)"
    matrix = torch.ones(5, 3)
    matrix[2, 1] = -torch.inf
    assert where_not_finite({"m": matrix}, {"x": x}, ["x"]) == "m is -inf at x = 0.5 (1 of 5 points)"
