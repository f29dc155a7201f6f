"""`seconds` is a promise: nothing runs past it, whatever is going on when they are over.

The clock of these tests moves by the work that is done, so that they say the same on any machine.
"""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.runs import ENDED, configuration, end_of, train
from helpers.sampled import sampled

from pinn import run, solve
from pinn.errors import InputError, OutOfTime
from pinn.objective import Objective
from pinn.optimizers import least_squares, levenberg_marquardt
from pinn.optimizers.least_squares import solve_work
from pinn.problems import Poisson
from pinn.training.budget import CERTAIN, Budget, measure_speed
from pinn.training.callbacks import Checkpoints

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


@pytest.mark.parametrize("seconds", sampled([5, 2, 20], 3))
@pytest.mark.parametrize(
    "training", ["adam", "lbfgs", "adam_lbfgs", "ssbroyden", "levenberg_marquardt", "refinement", "lstsq"]
)
def test_no_training_runs_past_its_seconds(
    training: str, seconds: float, tmp_path: Path, clock: SimpleNamespace
) -> None:
    """By one evaluation at most, here 0.15 s; and those that could go on for ever use what they have."""
    assert train(tmp_path / "run", "problem=burgers", *words_for(training), f"seconds={seconds}", "points=20") in ENDED
    metrics = metrics_of(tmp_path / "run")
    assert metrics["wall_seconds"]["train"] <= seconds + 0.15
    if training not in ("refinement", "lstsq"):
        assert metrics["wall_seconds"]["train"] >= 0.7 * seconds
        assert metrics["steps"] > 0
        assert re.search("time is up|s are left", metrics["stopped"][-1])


@pytest.mark.parametrize(
    "training", ["lbfgs", *(pytest.param(t, marks=pytest.mark.slow) for t in ("adam", "levenberg_marquardt"))]
)
def test_a_training_that_ran_out_of_time_goes_on_to_the_same_bits(
    training: str, tmp_path: Path, clock: SimpleNamespace
) -> None:
    """Wherever its time ended, also in the middle of an iteration that was left."""
    words = ("problem=burgers", *words_for(training), "points=20")
    assert train(tmp_path / "whole", *words, steps=8) in ENDED
    ends = set()
    for tenths in range(1, 40, 4):
        folder = tmp_path / f"after {tenths}"
        assert train(folder, *words, f"seconds={tenths / 10}", steps=8) in ENDED
        ends.add(metrics_of(folder)["steps"])
        assert run.resume(folder, {"seconds": None}) in ENDED
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
    assert train(tmp_path / "run", *words, "points=400", "seconds=4") in ENDED
    metrics = metrics_of(tmp_path / "run")
    assert metrics["steps"] == 0
    assert metrics["wall_seconds"]["train"] < 2
    assert metrics["stopped"] == ["lstsq: what comes next takes about 10 s, and 4 s are left"]
    assert run.resume(tmp_path / "run", {"seconds": 20}) in ENDED
    metrics = metrics_of(tmp_path / "run")
    assert metrics["stopped"] == ["lstsq: the residuals are what linear ones would be after 1 step"]
    assert metrics["relative_l2"]["u"] < 1e-3


@pytest.mark.parametrize("seconds", [4, 10, 40])
def test_the_plan_has_as_many_features_and_trials_as_there_is_time_for(seconds: float, clock: SimpleNamespace) -> None:
    solution = solve(Poisson(), points=300, boundary_points=60, seconds=seconds, grid=5, estimate=False, progress=False)
    assert solution.metrics["wall_seconds"]["train"] <= seconds + 0.3
    assert solution.metrics["stopped"] == ["lstsq: the residuals are what linear ones would be after 1 step"]
    features = solution.model.network.network.output.in_features
    assert features == {4: 22, 10: 45, 40: 120}[seconds]


class Watched(Budget):
    """A budget whose clock moves when it is told to; decompositions do 1e9 operations a second."""

    def __init__(self, seconds: float | None = 10.0) -> None:
        self.now = 100.0
        super().__init__(seconds, clock=lambda: self.now, speed=CERTAIN)
        self.start()
        self.begin_stage(1.0)

    def iterate(self, seconds: float) -> bool:
        """Take an iteration of so many seconds, and tell whether it was allowed to begin."""
        if self():
            return False
        self.now += seconds
        return True


def test_no_iteration_begins_that_would_end_too_late() -> None:
    """Judged by the last one: after three of 3 s there is no room for a fourth, though 1 s is left."""
    budget = Watched()
    assert [budget.iterate(3.0) for _ in range(4)] == [True, True, True, False]
    assert budget.is_over()
    assert not budget.is_spent()
    assert budget.why_over() == "time is up after 9 s"


def test_without_a_limit_nothing_is_over() -> None:
    budget = Watched(None)
    assert all(budget.iterate(2.0) for _ in range(100))
    assert budget.fits(1e30)


def test_time_that_stands_is_not_spent() -> None:
    budget = Watched()
    budget.now += 4
    budget.halt()
    budget.now += 1000
    assert budget.spent == budget.elapsed() == 4
    budget.start()
    budget.now += 5
    assert budget.left() == 1
    other = Watched(20)
    other.restore(budget.state_to_save() | {"spent": 9.0})
    other.start()
    assert (other.left(), other.before) == (11, 9)


def test_a_stage_ends_with_its_share_and_a_solve_may_take_twice_as_much() -> None:
    budget = Watched()
    budget.now += 2
    budget.begin_stage(0.25)
    assert budget.left() == 2
    assert budget.fits(4e9)
    budget.now += 1
    assert not budget.fits(3.1e9)
    assert budget.is_over()
    assert budget.why_over() == "what comes next takes about 3 s, and 1 s are left"
    budget.begin_stage(1.0)
    assert not budget.is_over()
    assert budget.fits(7e9)
    assert not budget.fits(7.1e9)


def test_a_stage_leaves_time_for_what_must_follow_it_but_half_of_its_own() -> None:
    for operations, left in ((1e9, 6.0), (3e9, 6.0), (5e9, 5.0), (6e9, 4.0), (8e9, 3.0), (1e12, 3.0)):
        budget = Watched()
        budget.begin_stage(0.6, reserve=operations)
        assert budget.left() == left


def test_what_comes_once_is_not_expected_again() -> None:
    """Compiling took seven of the ten seconds, a step takes one."""
    budget = Watched()
    assert not budget()
    with budget.apart():
        budget.now += 7
    budget.now += 1
    assert not budget()
    assert budget.iteration == 1


def test_a_run_pauses_so_that_its_state_can_be_saved() -> None:
    budget = Watched(1000)
    budget.begin_run()
    assert [budget.iterate(4.0) for _ in range(4)] == [True, True, True, False]
    assert not budget.is_over()
    budget.begin_run()
    assert budget.iterate(4.0)


def test_a_signal_ends_a_run_and_leaves_an_iteration_in_which_something_is_made() -> None:
    budget = Watched(None)
    budget.leave()  # nothing goes on
    assert not budget()
    budget.leave()
    with budget.apart(), pytest.raises(OutOfTime):
        budget.leave()
    budget.end_iteration()
    with budget.apart():
        budget.leave()  # in no iteration there is nothing to leave
    budget.interrupted = lambda: True
    assert budget()


def test_the_machine_is_measured_only_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr("pinn.training.budget.measure_speed", lambda like: measured.append(like) or 2e9)
    budget = Budget(10)
    budget.start()
    budget.begin_stage(1.0)
    assert budget.fits(5e9)
    assert not measured
    assert budget.fits(15e9)
    assert not budget.fits(25e9)
    assert len(measured) == 1


def test_a_machine_has_a_speed() -> None:
    assert 1e7 < measure_speed(torch.zeros(0, dtype=torch.float64)) < 1e15


@pytest.mark.parametrize("seconds", [0, -1, True, "long"])
def test_other_seconds_are_refused(seconds: Any) -> None:
    with pytest.raises(InputError, match="seconds must be a positive number or null"):
        Budget(seconds)


def test_checkpoints_are_written_in_the_middle_of_a_block(tmp_path: Path, clock: SimpleNamespace) -> None:
    """A block of a thousand steps of 0.15 s; what is saved on the way is what the run would go on from."""
    words = ("problem=burgers", *words_for("adam"), "points=20")
    values = configuration(*words, steps=1000, block=1000)
    saved = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinn.training.callbacks.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        write = Checkpoints.write
        patch.setattr(Checkpoints, "write", lambda self, training: (saved.append(training.step), write(self, training)))
        values["seconds"] = 35
        assert run.train(values, tmp_path / "run") in ENDED
    # At the beginning, at three pauses, when time is up, and at the end.
    assert saved[0] == 0
    assert len(saved) == 6
    assert all(35 <= after - before <= 70 for before, after in pairwise(saved[:4]))
