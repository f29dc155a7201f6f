"""A run from end to end: its files, its numbers, how it ends, and what evaluating it again says."""

import csv
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runs import ENDED, SMALL, configuration, cut_after, script, train
from rich.console import Console

import pinn
from pinn import config, review, run
from pinn.errors import InputError
from pinn.lock import locked

FILES = {
    *(".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", ".hydra/lock"),
    *("checkpoints/best.ckpt", "checkpoints/last.ckpt"),
    *("metrics.json", "history.csv", "solution.npz"),
    *("figures/solution.png", "figures/residual.png", "figures/convergence.png", "figures/profiles.png"),
    "tensorboard/hparams.yaml",
}

METRICS = {
    *(
        "schema",
        "status",
        "verdict",
        "stopped",
        "problem",
        "seed",
        "device",
        "dtype",
        "parameters",
        "steps",
        "best_step",
        "grid",
    ),
    *("relative_l2", "relative_l2_total", "max_error", "reference", "residual_rms", "unknowns"),
    *("wall_seconds", "peak_memory_mb", "versions"),
}


@pytest.fixture(scope="module")
def burgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of the Burgers equation with everything that a run writes."""
    folder = tmp_path_factory.mktemp("runs") / "burgers"
    words = [*SMALL, "problem=burgers", "training=adam", "training.adam.steps=20", "training.adam.block=10", "seed=3"]
    words += [
        "logger=tensorboard",
        "grid={x: 21, t: 11}",
        "weighting=fixed",
        "weights.walls=4",
        f"hydra.run.dir={folder}",
    ]
    assert script("train").main(words) in ENDED
    return folder


@pytest.fixture(scope="module")
def metrics(burgers: Path) -> dict[str, Any]:
    return json.loads((burgers / "metrics.json").read_text())


def test_a_run_leaves_these_files_and_no_others(burgers: Path) -> None:
    found = {str(path.relative_to(burgers)) for path in burgers.rglob("*") if path.is_file()}
    events = {path for path in found if path.startswith("tensorboard/events.out.tfevents.")}
    assert events
    assert found - events == FILES


def test_the_configuration_of_a_run_is_the_one_that_it_had(burgers: Path) -> None:
    written = run.read_config(burgers)
    assert written["seed"] == 3
    assert written["weights"] == {"walls": 4}
    assert written["training"]["adam"]["steps"] == 20
    assert list(written) == list(config.read([])[0])


def test_metrics_hold_these_keys(metrics: dict[str, Any]) -> None:
    assert set(metrics) == METRICS
    assert metrics["schema"] == 2
    assert metrics["status"] == metrics["verdict"]["status"] == "not solved"
    assert metrics["stopped"] == ["adam: all steps are taken after 20 steps"]
    assert (metrics["problem"], metrics["seed"], metrics["dtype"]) == ("Burgers", 3, "float64")
    assert metrics["parameters"] == 2 * 6 + 6 + 6 * 6 + 6 + 6 + 1
    assert metrics["steps"] == 20
    assert metrics["best_step"] in (0, 10, 20)
    assert metrics["grid"] == [21, 11]
    assert metrics["reference"] == {"kind": "exact", "error": 1e-13}
    assert set(metrics["residual_rms"]) == {"equation", "initial", "walls"}
    assert metrics["unknowns"] == {}
    assert set(metrics["wall_seconds"]) == {"setup", "train", "verdict", "total"}
    assert metrics["wall_seconds"]["total"] > metrics["wall_seconds"]["train"] > 0
    assert metrics["peak_memory_mb"] > 10
    assert metrics["versions"]["torch"] == torch.__version__


def test_the_solution_is_flat_arrays_by_name(burgers: Path, metrics: dict[str, Any]) -> None:
    with np.load(burgers / "solution.npz") as solution:
        arrays = dict(solution)
    assert set(arrays) == {"x", "t", "u", "u_reference"}
    assert {array.shape for array in arrays.values()} == {(21 * 11,)}
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float64)}
    grid = pinn.load(burgers).problem.domain.grid({"x": 21, "t": 11}, torch.float64)
    assert np.array_equal(arrays["x"], grid["x"].flatten().numpy())
    error = np.linalg.norm(arrays["u"] - arrays["u_reference"]) / np.linalg.norm(arrays["u_reference"])
    # numpy sums in another order than torch.
    assert error == pytest.approx(metrics["relative_l2"]["u"], rel=1e-12)
    assert np.abs(arrays["u"] - arrays["u_reference"]).max() == metrics["max_error"]["u"]


def test_the_history_has_a_row_for_each_look(burgers: Path) -> None:
    with (burgers / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 10, 20]
    assert list(rows[0]) == [
        *("step", "seconds", "stage", "loss", "validation"),
        *("residual/equation", "residual/initial", "residual/walls", "relative_l2/u"),
    ]
    for row in rows:
        parts = sum(float(row[f"residual/{name}"]) for name in ("equation", "initial", "walls"))
        assert parts == pytest.approx(2 * float(row["validation"]), rel=1e-12)


def test_the_residuals_of_the_table_are_unweighted(burgers: Path, metrics: dict[str, Any]) -> None:
    """The walls have weight 4, so the root mean square is half of what the weighted term of the history says."""
    with (burgers / "history.csv").open() as file:
        best = next(row for row in csv.DictReader(file) if int(row["step"]) == metrics["best_step"])
    walls, equation = metrics["residual_rms"]["walls"], metrics["residual_rms"]["equation"]
    assert walls == pytest.approx((float(best["residual/walls"]) / 4) ** 0.5, rel=1e-12)
    assert equation == pytest.approx(float(best["residual/equation"]) ** 0.5, rel=1e-12)


def test_evaluating_on_the_same_grid_gives_the_same_bits(burgers: Path, metrics: dict[str, Any]) -> None:
    result = review.evaluate(burgers)
    assert result["grid"] == metrics["grid"]
    for key in ("relative_l2", "relative_l2_total", "max_error"):
        assert result[key] == metrics[key]
    with np.load(burgers / "solution.npz") as solution:
        again = pinn.load(burgers)(x=solution["x"], t=solution["t"])["u"]
        assert np.array_equal(again.numpy(), solution["u"])


def test_evaluating_on_another_grid_writes_only_where_it_is_told(
    burgers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(burgers.rglob("*"))
    words = [f"run={burgers}", "grid.x=5", "grid.t=4", f"output={tmp_path / 'finer'}"]
    assert script("evaluate").main(words) in ENDED
    assert sorted(burgers.rglob("*")) == before
    result = json.loads((tmp_path / "finer" / "evaluation.json").read_text())
    assert result["grid"] == [5, 4]
    with np.load(tmp_path / "finer" / "solution.npz") as solution:
        assert solution["u"].shape == (20,)
    assert (tmp_path / "finer" / "solution.png").stat().st_size > 1000
    assert f"{result['relative_l2']['u']:.2e}" in capsys.readouterr().out


def test_a_run_whose_stages_the_plan_chose_is_drawn_anew_too(tmp_path: Path) -> None:
    """The configuration of such a run names no stage; what it had is in its checkpoint."""
    words = ["points=300", "boundary_points=60", "grid=9", "logger=none", f"hydra.run.dir={tmp_path / 'run'}"]
    assert script("train").main(words) in ENDED
    assert run.read_config(tmp_path / "run")["training"] == {}
    assert script("evaluate").main([f"run={tmp_path / 'run'}", f"output={tmp_path / 'again'}"]) in ENDED
    assert (tmp_path / "again" / "convergence.png").stat().st_size > 1000


@pytest.mark.parametrize("output", ["", "figures", "metrics.json", "figures/new"])
def test_an_evaluation_leaves_the_folder_of_the_run_alone(
    output: str, burgers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in burgers.rglob("*") if path.is_file()}
    assert script("evaluate").main([f"run={burgers}", f"output={burgers / output}"]) == 2
    assert "is in the folder of the run" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in burgers.rglob("*") if path.is_file()} == before


def test_a_grid_that_does_not_fit_is_refused(burgers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["grid=1"], ["grid.x=5"], ["grid.y=5"], ["grid=many"]):
        assert script("evaluate").main([f"run={burgers}", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def scalars(folder: Path, tag: str) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_tensorboard_shows_every_row_once_also_after_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        cut_after(patch, 5)
        assert train(tmp_path / "run", "training=adam", "logger=tensorboard", steps=8, block=2) == 143
    assert scalars(tmp_path / "run", "loss") == [0, 2, 4]
    assert run.resume(tmp_path / "run", {}) in ENDED
    for tag in ("loss", "validation", "residual/equation", "relative_l2/u"):
        assert scalars(tmp_path / "run", tag) == [0, 2, 4, 6, 8]


def test_a_training_that_diverges_ends_with_3_and_keeps_the_best(
    tmp_path: Path, no_figures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step of 1e300 overflows whatever the network was."""
    code = train(tmp_path / "run", "training=adam", "training.adam.optimizer.lr=1e300", steps=6, block=2)
    assert code == 3
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["status"] == "diverged"
    assert metrics["best_step"] == 0
    assert metrics["steps"] == 1
    assert 0 < metrics["relative_l2"]["u"] < 100
    assert all(torch.isfinite(value).all() for value in pinn.load(tmp_path / "run").model.state_dict().values())
    said = capsys.readouterr().out
    assert "diverged: adam: residual " in said
    assert re.search(
        r"residual \w+ is -?(inf|nan) at x = [\d.e-]+, y = [\d.e-]+ \(\d+ of \d+ points\) after step 1", said
    )


def test_the_best_state_is_kept_not_the_last(tmp_path: Path, no_figures: None) -> None:
    """Steps of 1e3 leave the neighbourhood of any solution at once and do not come back."""
    words = ["training=adam", "training.adam.optimizer.lr=1e3"]
    assert train(tmp_path / "run", *words, steps=4, block=1) in ENDED
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    with (tmp_path / "run" / "history.csv").open() as file:
        validation = [float(row["validation"]) for row in csv.DictReader(file)]
    assert metrics["best_step"] == validation.index(min(validation)) == 0
    assert validation[-1] > 10 * validation[0]
    assert review.evaluate(tmp_path / "run")["relative_l2"] == metrics["relative_l2"]
    start = configuration(*words, steps=4, block=1)
    untrained, _ = run.build(start, Console(quiet=True))
    best = pinn.load(tmp_path / "run").model.state_dict()
    assert all(torch.equal(value, best[name]) for name, value in untrained.model.state_dict().items())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["target_error=10"], "the relative L2 error is at most 10 after step 2"),
        (["training.adam.residual=1e9"], "the residual target 1e+09 is reached after 2 steps"),
    ],
)
def test_a_target_that_is_reached_ends_the_training(
    words: list[str], reason: str, tmp_path: Path, no_figures: None
) -> None:
    values = configuration("training=adam", *words, steps=50, block=2)
    assert run.train(values, tmp_path / "run") in ENDED
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert reason in metrics["stopped"][-1]


def test_patience_ends_a_stage_that_gets_nowhere(tmp_path: Path, no_figures: None) -> None:
    words = ["training=adam", "training.adam.optimizer.lr=1e-30", "training.adam.patience=3"]
    assert run.train(configuration(*words, steps=50, block=2), tmp_path / "run") in ENDED
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["stopped"] == ["adam: no progress in 3 blocks after 6 steps"]
    assert metrics["steps"] == 6


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tmp_path: Path, no_figures: None) -> None:
    def parameters(name: str, seed: int) -> torch.Tensor:
        train(tmp_path / name, "training=adam", f"seed={seed}", steps=3)
        model = pinn.load(tmp_path / name).model
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    first = parameters("first", 5)
    assert torch.equal(first, parameters("again", 5))
    assert not torch.equal(first, parameters("other", 6))


@pytest.mark.parametrize("finished", [False, True])
def test_a_folder_that_another_start_has_just_taken_is_refused(
    finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    """Between the look at the folder and the first file in it somebody else may come, and may even be gone again."""
    build = run.build
    lock = tmp_path / "run" / ".hydra" / "lock"

    def slowly(*arguments: Any) -> Any:
        built = build(*arguments)
        monkeypatch.setattr(run, "build", build)
        if finished:
            train(tmp_path / "run", "training=adam", "seed=3", steps=2)
        else:
            lock.parent.mkdir(parents=True)
            held.enter_context(locked(lock))
        return built

    monkeypatch.setattr(run, "build", slowly)
    with ExitStack() as held:
        with pytest.raises(InputError, match="not empty; go on" if finished else "held by another run"):
            train(tmp_path / "run", "training=adam", steps=2)
        assert not finished or run.read_config(tmp_path / "run")["seed"] == 3


def test_a_run_that_was_killed_before_its_first_checkpoint_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    """What it left is not in the way; anything else is."""

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("pinn.checkpoint.save", killed)
        with pytest.raises(Killed):
            train(tmp_path / "run", "training=adam", steps=2)
    left = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert left == {".hydra/config.yaml", ".hydra/lock"}
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not empty"):
        train(tmp_path / "run", "training=adam", steps=2)
    (tmp_path / "run" / "notes.txt").unlink()
    assert train(tmp_path / "run", "training=adam", steps=2) in ENDED


def test_each_run_of_a_sweep_has_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    """The first one has the start of the program, here an hour ago."""
    program = script("train")
    monkeypatch.setattr(program, "STARTED", program.STARTED - 3600)
    words = [*SMALL, "training=adam", "training.adam.steps=2", "-m", "seed=0,1", f"hydra.run.dir={tmp_path}/${{seed}}"]
    assert program.main(words) in ENDED
    seconds = [json.loads((tmp_path / seed / "metrics.json").read_text())["wall_seconds"] for seed in "01"]
    assert seconds[0]["total"] > 3600 > 600 > seconds[1]["total"]
    assert seconds[0]["setup"] > 3600 > 600 > seconds[1]["setup"]
