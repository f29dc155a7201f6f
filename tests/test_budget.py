"""`seconds` is a promise: nothing runs past it, whatever is going on when they are over.

The clock of these tests moves by the work that is done, so that they say the same on any machine.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.runs import end_of, train

from pinn import run, solve
from pinn.objective import Objective
from pinn.optimizers import least_squares, levenberg_marquardt
from pinn.optimizers.least_squares import solve_work
from pinn.problems import Poisson

pytestmark = pytest.mark.usefixtures("no_figures")

SPEED = 1e6
"""Of the decompositions of a very slow machine, so that small ones take seconds."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Moves by 0.1 s with an evaluation, by 0.15 s with a gradient or Jacobian, and with decompositions."""
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)

    def costly(owner: Any, name: str, seconds: float | Callable[..., float]) -> None:
        plain = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            clock.now += seconds(*arguments) if callable(seconds) else seconds
            return plain(*arguments, **keywords)

        monkeypatch.setattr(owner, name, timed)

    costly(Objective, "vector", 0.1)
    costly(Objective, "gradient", 0.05)  # it has a vector inside
    costly(Objective, "jacobian", 0.15)
    costly(least_squares, "solve", lambda matrix, right: solve_work(*matrix.shape) / SPEED)
    costly(levenberg_marquardt._Linearisation, "solve", 0.05)
    monkeypatch.setattr("pinn.training.budget.time", clock)
    monkeypatch.setattr("pinn.training.budget.measure_speed", lambda like: SPEED)
    monkeypatch.setattr("pinn.training.budget.CERTAIN", SPEED / 100)
    return clock


def words_for(training: str) -> list[str]:
    small = {
        "lstsq": ["network=random_features", "network.features=30", "~network.width", "~network.depth"],
        "refinement": ["network=refined", "+network.features=30", "network.width=3", "network.depth=1"],
    }
    return [f"training={training}", *small.get(training, ["network.width=3", "network.depth=1"])]


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("seconds", [2, 5, 20])
@pytest.mark.parametrize(
    "training", ["adam", "lbfgs", "adam_lbfgs", "ssbroyden", "levenberg_marquardt", "refinement", "lstsq"]
)
def test_no_training_runs_past_its_seconds(
    training: str, seconds: float, tmp_path: Path, clock: SimpleNamespace
) -> None:
    """By one evaluation at most, here 0.15 s; and those that could go on for ever use what they have."""
    assert train(tmp_path / "run", "problem=burgers", *words_for(training), f"seconds={seconds}", "points=20") == 0
    metrics = metrics_of(tmp_path / "run")
    assert metrics["wall_seconds"]["train"] <= seconds + 0.15
    if training not in ("refinement", "lstsq"):
        assert metrics["wall_seconds"]["train"] >= 0.7 * seconds
        assert metrics["steps"] > 0
        assert metrics["status"] == "budget"


@pytest.mark.parametrize("training", ["adam", "lbfgs", "levenberg_marquardt"])
def test_a_training_that_ran_out_of_time_goes_on_to_the_same_bits(
    training: str, tmp_path: Path, clock: SimpleNamespace
) -> None:
    """Wherever its time ended, also in the middle of an iteration that was left."""
    words = ("problem=burgers", *words_for(training), "points=20")
    assert train(tmp_path / "whole", *words, steps=8) == 0
    ends = set()
    for tenths in range(1, 40, 4):
        folder = tmp_path / f"after {tenths}"
        assert train(folder, *words, f"seconds={tenths / 10}", steps=8) == 0
        ends.add(metrics_of(folder)["steps"])
        assert run.resume(folder, {"seconds": None}) == 0
        assert end_of(folder) == end_of(tmp_path / "whole")
    assert len(ends) > 2


def test_raised_seconds_are_remembered(tmp_path: Path, clock: SimpleNamespace) -> None:
    """What was said last holds, also when the run is resumed without a word."""
    folder = tmp_path / "run"
    train(folder, "problem=burgers", *words_for("adam"), "seconds=2", "points=20")
    reached = [metrics_of(folder)["wall_seconds"]["train"]]
    for changes in ({"seconds": 6}, {}, {"target_error": 1e-9}, {"seconds": 8}):
        run.resume(folder, changes)
        reached.append(metrics_of(folder)["wall_seconds"]["train"])
    assert reached == pytest.approx([2, 6, 6, 6, 8], abs=0.4)
    assert run.read_config(folder)["seconds"] == 8
    assert run.read_config(folder)["target_error"] == 1e-9
    assert run.read_config(folder)["trust"] == []


def test_a_solve_that_does_not_fit_is_left_out(tmp_path: Path, clock: SimpleNamespace) -> None:
    """80 sines on 460 rows are 6e6 operations, which take 6 s here; with more time the run goes on and solves."""
    words = [*words_for("lstsq")[:2], "network.features=80", "network.scale=2", "~network.width", "~network.depth"]
    assert train(tmp_path / "run", *words, "points=400", "seconds=4") == 0
    metrics = metrics_of(tmp_path / "run")
    assert metrics["steps"] == 0
    assert metrics["wall_seconds"]["train"] < 2
    assert metrics["stopped"] == ["lstsq: what comes next takes about 10 s, and 4 s are left"]
    assert run.resume(tmp_path / "run", {"seconds": 20}) == 0
    metrics = metrics_of(tmp_path / "run")
    assert metrics["stopped"] == ["lstsq: all steps are taken after 1 step"]
    assert metrics["relative_l2"]["u"] < 1e-3


@pytest.mark.parametrize("seconds", [4, 10, 40])
def test_the_plan_has_as_many_features_and_trials_as_there_is_time_for(seconds: float, clock: SimpleNamespace) -> None:
    solution = solve(Poisson(), points=300, boundary_points=60, seconds=seconds, grid=5, progress=False)
    assert solution.metrics["wall_seconds"]["train"] <= seconds + 0.3
    assert solution.metrics["stopped"] == ["lstsq: all steps are taken after 1 step"]
    features = solution.model.network.network.output.in_features
    assert features == {4: 22, 10: 45, 40: 120}[seconds]
