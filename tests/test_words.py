"""Command lines that nobody would type, generated: each ends with a documented code, and a mistake costs one line."""

import os
import random
import sys
from pathlib import Path

import pytest
from helpers.runs import SMALL, script

from pinn.config import KEYS
from pinn.options import RULES

train, evaluate = script("train"), script("evaluate")

VALUES = (
    *("abc", "-1", "0", "1.5", "1e26", "nan", "inf", "true", "null", "''", "[]", "{}", "[1,2]", "{a: 1}", "[[1]]"),
    *(
        "99999999999999999999",
        "0x10",
        "${seed}",
        "${nope}",
        "${oc.env:HOME}",
        "a=b",
        "../x",
        "/etc/passwd",
        "'",
        "[",
        "}",
    ),
    *("glob(*)", "range(3)", "choice(1,2)", "interval(0,1)", "int(3)", "a b", "é", "%", "\\", '"', "os.system", "1,2"),
)
INSIDE = (
    *("problem._target_", "problem.x", "network.width", "network.activation", "network._partial_", "sampling._target_"),
    *("training.adam", "training.adam.steps", "training.adam.optimizer", "training.adam.optimizer.lr"),
    *("training.adam.optimizer._target_", "training.adam.optimizer.betas", "training.adam.schedule.gamma"),
    *("training.lr", "counts.boundary", "weights.boundary", "grid.x", "trainer.threads", "trainer.accelerator"),
    *(
        "logger.tensorboard",
        "hydra.run.dir",
        "hydra.job.name",
        "hydra.callbacks",
        "experiment",
        "nope",
        "",
        "a.b.c",
        ".",
    ),
)
SIGNS = (*10 * [""], "+", "++", "~", "-", "@")


def word(rng: random.Random) -> str:
    """A key, there or not, with a value that may be anything."""
    key, value = rng.choice([*KEYS, *INSIDE]), rng.choice(VALUES)
    return rng.choice(SIGNS) + rng.choice([*6 * [f"{key}={value}"], key, value])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    # What may be run is not run: only whether it is refused is asked here.
    monkeypatch.setattr("pinn.run._finish", lambda *_: 0)
    return tmp_path


def ends_in_order(code: int, folder: Path, capsys: pytest.CaptureFixture[str], lines: int = 1) -> None:
    said = capsys.readouterr()
    assert code in (0, 2, 4)
    assert "Traceback" not in said.out + said.err
    if code:
        assert 1 <= len(said.err.splitlines()) <= lines
        assert all(line.startswith("error: ") and line.isprintable() for line in said.err.splitlines())
        assert os.listdir(folder) == []


@pytest.mark.parametrize("seed", range(10))
def test_words_of_train(seed: int, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)  # noqa: S311
    for number in range(16):
        words = [word(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
        folder = here / str(number)
        folder.mkdir()
        os.chdir(folder)
        code = train.main([*SMALL, "training=adam", "weighting=fixed", "engine=reverse", *words])
        ends_in_order(code, folder, capsys)


@pytest.mark.parametrize("seed", range(3))
def test_words_of_evaluate_and_resume(seed: int, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)  # noqa: S311
    for _ in range(15):
        keys = ["run", "grid", "grid.x", "output", "trust", "resume", "seconds", *KEYS[:3]]
        words = [f"{rng.choice(keys)}={rng.choice(VALUES)}" for _ in range(rng.choice([1, 2]))]
        ends_in_order(evaluate.main(["run=.", *words]), here, capsys)
        ends_in_order(train.main(["resume=.", *words]), here, capsys)


def test_every_key_has_a_rule_or_says_what_to_build() -> None:
    built = {"problem", "network", "training", "sampling", "weighting"}
    inside = {"trainer": {"accelerator", "threads"}, "logger": {"tensorboard"}}
    assert set(KEYS) - built - set(inside) | set().union(*inside.values()) == set(RULES)
