"""What a run, `pinn.solve` and an evaluation say at their end: words, numbers, an exit code, and a warning."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.verdict_cases import CONTRADICTORY, NOT_DETERMINED
from helpers.runs import configuration, cut_after, script, train
from helpers.small import Decay, model_of, points_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

import pinn
from pinn import checkpoint, review, run
from pinn.derivatives import partial as derivative
from pinn.errors import InputError
from pinn.networks import RandomFeatures
from pinn.objective import Objective
from pinn.optimizers import LeastSquares
from pinn.problems import Constraint, Heat, Poisson, Problem
from pinn.verdict import NO_SOLUTION, Verdict, exit_code
from pinn.weighting import Fixed

GOOD = ("problem=poisson", "training=lstsq", "+network.features=60", "network.scale=2", "points=200")
SOLVE = ("network=random_features", "~network.width", "~network.depth")


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "run"
    values = configuration(*GOOD, *SOLVE, "estimate=true", "logger=tensorboard")
    assert run.train(values, folder) == 0
    return folder


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("poor") / "run"
    assert train(folder, "problem=poisson", "training=adam", "estimate=true", steps=3) == NO_SOLUTION
    return folder


def test_a_good_run_is_called_a_solution(good: Path) -> None:
    metrics = metrics_of(good)
    verdict = metrics["verdict"]
    assert (metrics["schema"], metrics["status"], verdict["status"]) == (2, "solved", "solved")
    assert metrics["relative_l2"]["u"] / 30 < verdict["error"]["u"] < 30 * metrics["relative_l2"]["u"]
    assert set(verdict["residuals"]) == set(metrics["residual_rms"]) == {"equation", "boundary"}
    assert 0 < verdict["seconds"] == metrics["wall_seconds"]["verdict"]
    assert sum(metrics["wall_seconds"][part] for part in ("setup", "train", "verdict")) == pytest.approx(
        metrics["wall_seconds"]["total"]
    )


def test_tensorboard_has_it_in_words(good: Path) -> None:
    events = EventAccumulator(str(good / "tensorboard"))
    events.Reload()
    [text] = events.Tensors("verdict/text_summary")
    said = text.tensor_proto.string_val[0].decode()
    assert said.startswith("**solved** to about")
    assert "estimated error of u" in said


def test_a_poor_run_is_none_and_says_why(poor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = metrics_of(poor)
    assert metrics["status"] == "not solved"
    assert metrics["verdict"]["reason"].startswith(("the fields are off by about", "the fields are off by at least"))
    assert "Give it more seconds" in metrics["verdict"]["reason"]
    # It can go on all the same.
    assert run.resume(poor, {"estimate": False}) == NO_SOLUTION
    assert metrics_of(poor)["verdict"]["error"] == {}
    assert "not solved:" in capsys.readouterr().out


def test_an_evaluation_judges_anew(good: Path, poor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = script("evaluate").main
    assert main([f"run={good}", "grid=7"]) == 0
    assert "verdict solved to about" in capsys.readouterr().out
    assert main([f"run={poor}", "grid=7"]) == NO_SOLUTION
    assert "verdict not solved: the fields are off" in capsys.readouterr().out
    assert main([f"run={good}", "grid=7", "estimate=false"]) == 0
    assert "solved as far as residuals tell" in capsys.readouterr().out
    result = review.evaluate(good, grid=7)
    assert result["verdict"]["error"]["u"] == pytest.approx(metrics_of(good)["verdict"]["error"]["u"], rel=0.01)


def test_an_interrupted_run_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_after(monkeypatch, 2)
    assert train(tmp_path / "run", "training=adam", "estimate=true", steps=9) == 128 + signal.SIGTERM
    verdict = metrics_of(tmp_path / "run")["verdict"]
    assert (verdict["status"], verdict["error"]) == ("interrupted", {})
    assert "after 2 steps" in verdict["reason"]


def test_codes_say_what_a_run_has_come_to() -> None:
    assert [exit_code(status) for status in ("solved", "diverged", "not solved", "not determined")] == [0, 3, 5, 5]
    assert exit_code("contradictory") == 5


QUICK: dict[str, Any] = {"points": 200, "boundary_points": 40, "grid": 11, "progress": False}
QUICK["network"] = partial(RandomFeatures, features=60, scale=2.0)


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (NOT_DETERMINED["heat without an initial value"], "not determined"),
        (CONTRADICTORY["0 and 1 on one side"], "contradictory"),
    ],
)
def test_solve_warns_of_what_is_no_solution(problem: Problem, status: str) -> None:
    with pytest.warns(UserWarning, match=f"^{status}: "):
        solution = pinn.solve(problem, stages="lstsq", **QUICK)
    assert solution.verdict is not None
    assert (solution.verdict.status, solution.metrics["status"]) == (status, status)


def test_a_verdict_is_kept_with_the_solution(tmp_path: Path) -> None:
    solution = pinn.solve(Poisson(), stages="lstsq", **QUICK)
    assert solution.verdict is not None
    assert solution.verdict.solved
    solution.save(tmp_path / "poisson.pt")
    assert pinn.load(tmp_path / "poisson.pt").verdict == solution.verdict
    content = checkpoint.read(tmp_path / "poisson.pt")
    content["metrics"]["verdict"]["error"] = {"u": "small"}
    checkpoint.save(tmp_path / "altered.pt", content)
    with pytest.raises(InputError, match=r"verdict\.error\.u is 'small'"):
        _ = pinn.load(tmp_path / "altered.pt").verdict


def test_a_checkpoint_of_a_run_holds_none(poor: Path) -> None:
    assert pinn.load(poor).verdict is None


def test_a_verdict_in_words() -> None:
    assert str(Verdict("solved", "to about 1e-09")) == "solved to about 1e-09"
    assert str(Verdict("not solved", "it is off")) == "not solved: it is off"
    assert Verdict("not solved", "by [x]").told() == r"[bold]verdict[/bold] [red]not solved[/]: by \[x]"
    assert Verdict.of({}) is None


class Bent(Problem):
    """u'' + u³ = f with u = sin πx, which a probe might take for linear."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = pinn.Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "ends": Constraint(self.domain.boundary(), lambda u: u),
        }

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        source = -(torch.pi**2) * torch.sin(torch.pi * x) + torch.sin(torch.pi * x) ** 3
        return derivative(u, x, x) + u**3 - source

    def reference(self) -> pinn.Exact:
        return pinn.Exact(lambda x: {"u": torch.sin(torch.pi * x)})


def test_what_is_taken_for_linear_is_solved_all_the_same() -> None:
    """The residuals after a step are compared with what linear ones would be, and Newton's method goes on."""
    solution = pinn.solve(Bent(), stages="lstsq", **QUICK)
    assert 3 <= solution.metrics["steps"] <= 8
    # 60 sines come so near.
    assert solution.metrics["relative_l2"]["u"] < 1e-5


def test_what_is_linear_takes_one_step() -> None:
    solution = pinn.solve(Heat(), points=600, grid=11, progress=False, estimate=False)
    assert solution.metrics["steps"] == 1
    assert solution.metrics["stopped"] == ["lstsq: the residuals are what linear ones would be after 1 step"]


def test_a_residual_that_bends_takes_further_steps() -> None:
    """The first step is not what a linear one would be, and the next ones come nearer."""
    objective = Objective(model_of(Decay()), points_of(Decay(), 60), Fixed())
    optimizer = LeastSquares(objective.parameters)
    losses = []
    for _ in range(3):
        assert optimizer.run(objective, 1).reason is None
        losses.append(objective.loss().item())
    assert losses[0] > losses[1] > losses[2]
