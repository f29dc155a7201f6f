"""A run that was cut anywhere and resumed ends in the same state, bit for bit, as one that was never cut."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import ENDED, cut_after, end_of, timeless, train
from helpers.sampled import sampled

from pinn import checkpoint, run
from pinn.config import options
from pinn.errors import InputError
from pinn.lock import locked

pytestmark = pytest.mark.usefixtures("no_figures")

TRAININGS = [name for name in options("training") if name != "auto"]


WITHOUT = ("~network.width", "~network.depth")


def words_for(training: str) -> list[str]:
    small = {
        "lstsq": [*("network=random_features", "network.features=30", "network.scale=2"), *WITHOUT],
        "refinement": ["network=refined", "+network.features=30"],
        "march": ["problem=duffing", "network=marched", *WITHOUT],
    }
    return [f"training={training}", *small.get(training, [])]


def test_the_comparison_sees_one_bit() -> None:
    one = torch.ones(3, dtype=torch.float64)
    other = one.clone()
    other[1] += 2**-52
    assert timeless({"a": [one]}) == timeless({"a": [one.clone()]})
    assert timeless({"a": [one]}) != timeless({"a": [other]})


@pytest.mark.parametrize("cut", sampled(range(12), 7))
@pytest.mark.parametrize("training", TRAININGS)
def test_resumed_equals_uninterrupted(
    training: str, cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, dict[str, Any]]
) -> None:
    """Six iterations a stage in blocks of three, of one or two stages: cut before each of them."""
    words = words_for(training)
    if training not in whole:
        assert train(tmp_path / "whole", *words, steps=6) in ENDED
        whole[training] = end_of(tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_after(patch, cut)
        code = train(tmp_path / "cut", *words, steps=6)
    metrics = json.loads((tmp_path / "cut" / "metrics.json").read_text())
    if metrics["status"] == "interrupted":
        assert code == 128 + signal.SIGTERM
        assert run.resume(tmp_path / "cut", {}) in ENDED
    assert end_of(tmp_path / "cut") == whole[training]


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, Any]]:
    """The ends of uninterrupted runs by training, each made once."""
    return {}


@pytest.mark.parametrize("cut", sampled([1, 4, 6, 7], 2))
@pytest.mark.parametrize("training", ["adam_lbfgs", "ssbroyden"])
def test_resumed_in_either_precision(
    training: str, cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, dict[str, Any]]
) -> None:
    """Cut in the first block in float32, in the second, between the stages, and after a block in float64.

    The points are drawn by the residual and serve for four steps, so that those of the cut are taken from the
    checkpoint.
    """
    words = [f"training={training}", "dtype=mixed", "sampling=rad", "training.adam.resample=4"]
    if "mixed " + training not in whole:
        assert train(tmp_path / "whole", *words, steps=6) in ENDED
        whole["mixed " + training] = end_of(tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_after(patch, cut)
        assert train(tmp_path / "cut", *words, steps=6) == 143
    assert checkpoint.read(tmp_path / "cut" / "checkpoints" / "last.ckpt")["training"]["counters"]["stage"] == (cut > 5)
    assert run.resume(tmp_path / "cut", {}) in ENDED
    assert end_of(tmp_path / "cut") == whole["mixed " + training]


def test_cut_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam with its schedule, then L-BFGS: cut after every iteration."""
    words = ("training=adam_lbfgs", "problem=burgers")
    train(tmp_path / "whole", *words, steps=5)
    with monkeypatch.context() as patch:
        cut_after(patch, 1)
        code = train(tmp_path / "cut", *words, steps=5)
    cuts = 0
    while code == 143:
        cuts += 1
        with monkeypatch.context() as patch:
            cut_after(patch, 1)
            code = run.resume(tmp_path / "cut", {})
    # After each but the last of five steps of Adam and five iterations of L-BFGS.
    assert cuts == 9
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("words", "later"), sampled([(["training=adam"], 0), (["training=adam_lbfgs", "dtype=mixed"], 1)], 2)
)
def test_how_steps_are_computed_stays_chosen(
    words: list[str], later: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`compile=auto` decides by a clock, here for capturing at once: the part after the cut does not decide again.

    Only the steps in float64, which come after it, are another matter.
    """
    words, decided = [*words, "compile=auto"], 0

    def choose(*_: Any) -> str:
        nonlocal decided
        decided += 1
        return "captured"

    with monkeypatch.context() as patch:
        patch.setattr("pinn.compilation.step.choose", lambda *_: "captured")
        assert train(tmp_path / "whole", *words, steps=20) in ENDED
        cut_after(patch, 15)
        assert train(tmp_path / "cut", *words, steps=20) == 143
    with monkeypatch.context() as patch:
        patch.setattr("pinn.compilation.step.choose", choose)
        assert run.resume(tmp_path / "cut", {}) in ENDED
    assert decided == later
    end = end_of(tmp_path / "cut")
    assert end["last"]["training"]["way"] == "captured"
    assert end == end_of(tmp_path / "whole")


def test_the_chunk_of_the_run_stays_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over other chunks have other bits; more memory is free when the run goes on."""
    words = ("training=adam", "training.adam.resample=0")
    with monkeypatch.context() as patch:
        patch.setattr("pinn.prepare.choose_chunk", lambda *_: 7)
        assert train(tmp_path / "whole", *words, steps=6) in ENDED
        cut_after(patch, 2)
        assert train(tmp_path / "cut", *words, steps=6) == 143
    monkeypatch.setattr("pinn.prepare.choose_chunk", lambda *_: None)
    assert run.resume(tmp_path / "cut", {}) in ENDED
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.parametrize("words", [("problem=burgers", "slabs=2"), ("problem=kovasznay",)])
def test_what_the_plan_chose_stays_chosen(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after two steps, resumed and cut after two more, as after four: network, stages and slabs of the plan."""
    words = (*words, "~network.width", "~network.depth", "network=auto")
    with monkeypatch.context() as patch:
        cut_after(patch, 4)
        assert train(tmp_path / "whole", *words) == 143
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        assert train(tmp_path / "cut", *words) == 143
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        assert run.resume(tmp_path / "cut", {}) == 143
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


def test_patience_goes_on_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 1e-30 get nowhere: three blocks of two are the end, also when a cut lies between them."""
    words = ("training=adam", "training.adam.optimizer.lr=1e-30", "training.adam.patience=3")
    assert train(tmp_path / "whole", *words, steps=50, block=2) in ENDED
    with monkeypatch.context() as patch:
        cut_after(patch, 4)
        assert train(tmp_path / "cut", *words, steps=50, block=2) == 143
    assert run.resume(tmp_path / "cut", {}) in ENDED
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")
    assert json.loads((tmp_path / "cut" / "metrics.json").read_text())["steps"] == 6


def test_a_budget_of_time_can_be_raised(tmp_path: Path) -> None:
    words = ("training=adam",)
    train(tmp_path / "whole", *words, steps=4)
    train(tmp_path / "cut", *words, "seconds=1e-9", steps=4)
    metrics = json.loads((tmp_path / "cut" / "metrics.json").read_text())
    assert metrics["status"] == "not solved"
    assert metrics["steps"] == 0
    run.resume(tmp_path / "cut", {"seconds": None})
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


def test_set_up_is_that_of_this_part(interrupted: Path) -> None:
    """The parts before may have trained for days."""
    path = interrupted / "checkpoints" / "last.ckpt"
    saved = checkpoint.read(path)
    saved["training"]["budget"]["spent"] = 1e6
    checkpoint.save(path, saved)
    assert run.resume(interrupted, {}) in ENDED
    seconds = json.loads((interrupted / "metrics.json").read_text())["wall_seconds"]
    assert seconds["train"] > 1e6
    assert 0 < seconds["setup"] < seconds["total"] < 1e4


def test_a_run_that_is_finished_stays_as_it_is(tmp_path: Path) -> None:
    train(tmp_path, "training=adam", steps=4)
    before = end_of(tmp_path)
    assert run.resume(tmp_path, {}) in ENDED
    assert end_of(tmp_path) == before


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        assert train(tmp_path / "run", "problem=burgers", "training=adam", steps=4) == 143
    return tmp_path / "run"


@pytest.mark.parametrize("key", ["seed", "problem", "network", "points", "dtype", "training", "grid", "nonsense"])
def test_only_budget_and_trust_may_change(interrupted: Path, key: str) -> None:
    before = end_of(interrupted)
    with pytest.raises(
        InputError, match=f"{key} cannot change when a run is resumed; only seconds, target_error, trust"
    ):
        run.resume(interrupted, {key: 1})
    assert end_of(interrupted) == before


EDITS = [
    ("_target_: pinn.problems.Burgers", "_target_: pinn.problems.Heat", "problem in its .*config.yaml changed"),
    ("_target_: pinn.problems.Burgers", "_target_: pinn.problems.Burgers\n  viscosity: 0.1", "problem in its"),
    ("width: 6", "width: 7", "network in its"),
    ("lr: 0.005", "lr: 0.05", "training in its"),
    ("steps: 4", "steps: 4.0", "training in its"),
    ("seed: 0", "seed: 1", "seed in its"),
    ("points: 60", "points: 61", "points in its"),
    ("points: 60", "points: 60.0", "points must be a whole number"),
    ("hard: false", "hard: 0", "hard must be true or false"),
    ("lr: 0.005", "lr: 5.0e-3\n      eps: 1.0e-8", "training in its"),
    ("seed: 0", "seed: 0\nextra: 1", "there is no key extra"),
    ("seed: 0\n", "", "the configuration says nothing about seed"),
    ("seed: 0", "seed: [", "cannot be read"),
]


@pytest.mark.parametrize(("old", "new", "message"), EDITS)
def test_an_edited_configuration_is_refused(interrupted: Path, old: str, new: str, message: str) -> None:
    path = interrupted / ".hydra" / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        run.resume(interrupted, {})


def test_trust_is_not_taken_from_the_folder(interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that somebody sent must not be able to run a module that lies in it or beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harmful.py").write_text("from pathlib import Path\nPath('harm').touch()\n")
    path = interrupted / ".hydra" / "config.yaml"
    path.write_text(path.read_text().replace("trust: []", "trust: [harmful]"))
    run.resume(interrupted, {})
    assert not (tmp_path / "harm").exists()


def test_what_a_killed_part_left_behind_is_swept(interrupted: Path) -> None:
    left = interrupted / "checkpoints" / ".best.ckpt.0123abcd"
    left.write_bytes(b"half")
    with pytest.raises(InputError), locked(interrupted / ".hydra" / "lock"):
        run.resume(interrupted, {})
    assert left.exists()
    assert run.resume(interrupted, {}) in ENDED
    assert not left.exists()


@pytest.mark.parametrize("name", ["figures", "checkpoints", "metrics.json", "tensorboard/hparams.yaml"])
def test_a_run_does_not_write_through_links(name: str, interrupted: Path, tmp_path: Path) -> None:
    """A folder that somebody sent could have a run write over files anywhere."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "best.ckpt").write_text("precious")
    path = interrupted / name
    if path.is_dir():
        path.rename(interrupted / "aside")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(mine)
    with pytest.raises(InputError, match=f"{path} is a link, through which a run does not write"):
        run.resume(interrupted, {})
    assert [(path.name, path.read_text()) for path in mine.iterdir()] == [("best.ckpt", "precious")]


def test_a_logger_is_no_class_that_a_folder_names(interrupted: Path, tmp_path: Path) -> None:
    """Loggers make folders and ask servers as soon as they are built."""
    path = interrupted / ".hydra" / "config.yaml"
    target = "logger:\n  _target_: lightning.pytorch.loggers.CSVLogger\n  save_dir: made\n"
    path.write_text(path.read_text().replace("logger:\n  tensorboard: false\n", target))
    saved = checkpoint.read(interrupted / "checkpoints" / "last.ckpt")
    saved["config"]["logger"] = {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "made"}
    checkpoint.save(interrupted / "checkpoints" / "last.ckpt", saved)
    with pytest.raises(InputError, match="logger must say tensorboard alone"):
        run.resume(interrupted, {})


def test_a_run_that_is_going_on_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one comes at the end of the first and of the resumed part, where both would write the same files."""
    measure = run.measure
    refused = 0

    def while_another_comes(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        nonlocal refused
        with pytest.raises(InputError, match="held by another run that is still going on"):
            run.resume(tmp_path, {"seconds": 100})
        refused += 1
        return measure(*arguments, **keywords)

    monkeypatch.setattr(run, "measure", while_another_comes)
    assert train(tmp_path, "training=adam", "seconds=1e-9", steps=4) in ENDED
    assert run.resume(tmp_path, {"seconds": None}) in ENDED
    assert refused == 2


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    hold = f"from pathlib import Path; from pinn.lock import locked\nwith locked(Path({str(path)!r})): print(); input()"
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    with pytest.raises(InputError, match="held by another run"), locked(path):
        pass
    process.kill()
    process.communicate()
    with locked(path), pytest.raises(InputError, match="held by another run"), locked(path):
        pass
    with locked(path):
        pass
