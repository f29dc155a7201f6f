"""Files that somebody else wrote, or that time has spoilt: hundreds of them, generated, and none may do any harm.

Whatever a file holds, a script ends with a documented code. Where the file cannot be used, it says so in one line and
writes nothing. Where it can, because the change has no meaning, it does what it would have done.
"""

import copy
import os
import pickle
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runs import cut_after, script, train
from helpers.sampled import sampled

import pinn
from pinn import checkpoint
from pinn.errors import InputError
from pinn.problems import Heat

pytestmark = pytest.mark.usefixtures("no_figures")

CODES = {0, 2, 3, 4, 5, 130, 143}
"""Of docs/runs.md."""
BEST, LAST, CONFIG = "checkpoints/best.ckpt", "checkpoints/last.ckpt", ".hydra/config.yaml"

Change = Callable[[Path, random.Random], str]
"""Spoils a file and returns, in words, how."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was cut in its second stage, with the states of two optimizers, a schedule and adaptive points."""
    folder = tmp_path_factory.mktemp("strangers") / "run"
    words = ("problem=burgers", "training=adam_lbfgs", "sampling=rad", "engine=reverse", "points=12", "grid=5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinn.run.save_figures", lambda *_: [])
        cut_after(patch, 5)
        assert train(folder, *words, "boundary_points=6", "network.width=3", steps=4, block=2) == 143
    return folder


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved solution with conditions that are built in."""
    file = tmp_path_factory.mktemp("solution") / "heat.pt"
    stages = {"adam": pinn.Stage(torch.optim.Adam, steps=2)}
    small = {"network": "mlp", "points": 20, "boundary_points": 8, "grid": 5, "estimate": False, "progress": False}
    pinn.solve(Heat(), stages=stages, hard=True, **small).save(file)
    return file


def copied(whole: Path, to: Path) -> Path:
    shutil.copytree(whole, to / "run")
    return to / "run"


def content_of(folder: Path) -> dict[str, Any]:
    """The bytes of every file, and every other name."""
    return {
        str(path): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in sorted(folder.rglob("*"))
        if not path.is_fifo()
    }


def paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a tree."""
    if path:
        yield path
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list | tuple) else ():
        yield from paths(tree[key], (*path, key))


ODD = (None, True, 7, -1, 10**30, 1.5, float("nan"), "odd", "", [], [1], {}, {"odd": 1}, torch.zeros(3), (1, 2))


def change_tree(file: Path, rng: random.Random) -> str:
    """Change one value of a checkpoint, its kind if possible, and seal it again."""
    content = checkpoint.read(file)
    path = rng.choice(list(paths(content)))
    *way, last = path
    parent = content
    for key in way:
        parent = parent[key]
    old = parent[last]
    name = ".".join(map(str, path))
    kinds = ["replace", "replace", "drop", "add", "tensor" if isinstance(old, torch.Tensor) else "replace"]
    kind = rng.choice(kinds)
    if isinstance(parent, tuple):
        return change_tree(file, rng)
    if kind == "drop":
        del parent[last]
    elif kind == "add" and isinstance(parent, dict):
        parent["odd"] = copy.deepcopy(rng.choice(ODD))
    elif kind == "tensor":
        odd = [
            old.repeat(2, *[1] * (old.dim() - 1)) if old.dim() else old.repeat(2),
            old.to(torch.int64),
            old * torch.nan,
        ]
        parent[last] = rng.choice(odd)
    else:
        kind = "replace"
        parent[last] = copy.deepcopy(rng.choice([odd for odd in ODD if type(odd) is not type(old)]))
    checkpoint.save(file, content)
    return f"{kind} {name}"


def change_bytes(file: Path, rng: random.Random) -> str:
    """Do to the bytes what disks, networks and editors do."""
    content = bytearray(file.read_bytes())
    at, size = rng.randrange(len(content)), rng.randrange(1, 200)
    kind = rng.choice(["flip", "cut", "zero", "twice", "more", "crlf", "utf16"])
    if kind == "flip":
        content[at] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del content[at:]
    elif kind == "zero":
        content[at : at + size] = bytes(len(content[at : at + size]))
    elif kind == "twice":
        content = 2 * content
    elif kind == "more":
        content += rng.randbytes(size)
    elif kind == "crlf":
        content = content.replace(b"\n", b"\r\n")
    else:
        content = bytearray(content.decode("latin1").encode("utf-16"))
    file.write_bytes(content)
    return f"{kind} at {at}"


ODD_TEXTS = (
    "odd",
    "-1",
    "1e999",
    "[1, 2]",
    "{a: 1}",
    "null",
    "true",
    "''",
    '"\\e[31m"',
    "!!int x",
    "*a",
    "${oc.env:HOME}",
)


def change_lines(file: Path, rng: random.Random) -> str:
    """Edit the text of a configuration."""
    lines = file.read_text().splitlines()
    at = rng.randrange(len(lines))
    key, colon, _ = lines[at].partition(":")
    odd = rng.choice(
        ["odd", "-1", "1e999", "[1, 2]", "{a: 1}", "null", "true", "''", "'\\e[31m'", "!!int x", "*a", "${oc.env:HOME}"]
    )
    kind = rng.choice(["drop", "value", "value", "key", "line", "indent", "bomb"])
    if kind == "drop":
        del lines[at]
    elif kind == "value":
        lines[at] = f"{key}{colon} {odd}"
    elif kind == "key":
        lines[at] = lines[at].replace(key.strip(), key.strip() + "x")
    elif kind == "line":
        lines.insert(at, f"odd: {odd}")
    elif kind == "indent":
        lines[at] = f"  {lines[at]}"
    else:
        lines += ["a0: &a0 [1, 2]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))]
    file.write_text("\n".join(lines) + "\n")
    return f"{kind} line {at + 1}, {odd}"


class Harmful:
    """Unpickling this touches a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch touched",)


def put(write: Callable[[Path], object]) -> Change:
    def change(file: Path, rng: random.Random) -> str:
        file.unlink()
        write(file)
        return "another file in its place"

    return change


OTHER = {"best.ckpt": "last.ckpt", "last.ckpt": "best.ckpt"}

FOREIGN: dict[str, Change] = {
    "nothing": put(lambda file: None),
    "an empty file": put(lambda file: file.touch()),
    "a folder": put(lambda file: file.mkdir()),
    "a link to nowhere": put(lambda file: file.symlink_to("/nowhere")),
    "a link to a file": put(lambda file: file.symlink_to("/etc/hostname")),
    "a pipe": put(lambda file: os.mkfifo(file)),
    "a pickle": put(lambda file: file.write_bytes(pickle.dumps(Harmful()))),
    "a pickle of torch": put(lambda file: torch.save({"schema": 2, "state": Harmful()}, file)),
    "weights of torch": put(lambda file: torch.save(torch.nn.Linear(2, 2).state_dict(), file)),
    "a checkpoint of Lightning": put(
        lambda file: torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6.6"}, file)
    ),
    "arrays": put(lambda file: np.savez(file.open("wb"), a=np.ones(3))),
    "a zip": put(lambda file: zipfile.ZipFile(file, "w").writestr("a", "b")),
    "the other checkpoint": put(
        lambda file: shutil.copy(file.with_name({"best": "last", "last": "best"}[file.stem] + ".ckpt"), file)
    ),
    "a solution of another kind": put(lambda file: checkpoint.save(file, {"recipe": {}, "state": {}, "metrics": {}})),
}


def outcome(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Run a script and see that it ends as documented."""
    before = content_of(folder.parent)
    code = script("train" if words[0].startswith("resume=") else "evaluate").main(words)
    said = capsys.readouterr()
    assert code in CODES
    assert "Traceback" not in said.out + said.err
    if code in (2, 4):
        [line] = said.err.splitlines()
        assert line.startswith("error: ")
        assert line.isprintable()
        assert len(line) < 2000
        assert content_of(folder.parent) == before
    assert not (folder.parent / "touched").exists()
    return code


MEANINGLESS = re.compile(
    r"^add (\w+|training\.optimizers\..*)$"  # beside everything that is read
    r"|^drop recipe\.problem\.viscosity"  # it is the default
    r"|^\w+ metrics"  # a record that nothing reads
    r"|^\w+ stages"  # what a run that goes on does not read
    r"|^\w+ config\.(problem|network|training|sampling|weighting)"  # what an evaluation does not build
    # what is drawn
    r"|^\w+ (training\.record\.)?history\.\d+(\.(seconds|loss|validation|residual/.*|relative_l2/.*|step|stage))?$"
    r"|state\.0\.(al|prev_loss)"  # what L-BFGS writes before it reads
    r"|^indent"  # of a line that is the last of its block
)
"""Changes that need not be noticed: none of them changes what is computed."""


def uses(folder: Path) -> list[tuple[str, list[str]]]:
    """Which files there are, and what reads them."""
    return [
        (BEST, [f"run={folder}", f"output={folder.parent / 'out'}"]),
        (LAST, [f"resume={folder}"]),
        (CONFIG, [f"resume={folder}"]),
    ]


@pytest.mark.parametrize("seed", sampled(range(10), 5))
def test_changes_in_files_are_refused_or_have_no_meaning(
    seed: int, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values of other kinds, missing and further ones, spoilt bytes, edited lines: 24 files for each seed."""
    rng = random.Random(seed)  # noqa: S311
    for number in range(24):
        folder = copied(whole, tmp_path / str(number))
        file, words = uses(folder)[number % 3]
        change = change_lines if file == CONFIG else change_bytes if number % 6 > 3 else change_tree
        how = change(folder / file, rng)
        code = outcome(words, folder, capsys)
        assert code == 2 or (change is not change_bytes and MEANINGLESS.search(how)), how
        shutil.rmtree(folder.parent)


def at(*way: Any) -> Callable[[dict[str, Any], Any], None]:
    """Put a value into a checkpoint."""

    def change(content: dict[str, Any], value: Any) -> None:
        for key in way[:-1]:
            content = content[key]
        content[way[-1]] = value

    return change


FIRST = ("training", "optimizers", 0, "optimizer")

NOT_POSSIBLE: list[tuple[str, tuple[Any, ...], Any, str]] = [
    (LAST, ("training", "counters", "stage"), 2, "counters.stage is 2, expected 0 to 1"),
    (LAST, ("training", "counters", "step_in_stage"), 9, "counters.step_in_stage is 9, more steps than there were"),
    (LAST, ("training", "counters", "step"), -1, "counters.step_in_stage is 1, more steps than there were"),
    (LAST, ("training", "record", "best_step"), 10**6, "record.best_step is 1000000, of which there is no row"),
    (LAST, ("training", "budget", "spent"), float("nan"), "budget.spent is nan, expected seconds"),
    (LAST, ("training", "budget", "stage_began"), -1.0, "budget.stage_began is -1.0, expected seconds"),
    (LAST, ("training", "weight_factors"), {"equation": 1.0}, "weight_factors are for equation, not for each residual"),
    (LAST, ("training", "weight_factors", "walls"), -1.0, "weight_factors.walls is -1.0, expected a positive number"),
    (LAST, ("training", "chunk"), 0, "chunk is 0, expected at least 1"),
    (LAST, ("training", "reasons"), ["\x1b[31mred"], "reasons hold '\\x1b[31mred', which cannot be printed"),
    (LAST, ("training", "status"), "fine", "status is 'fine', expected 'solved' or"),
    (LAST, ("training", "way"), "fast", "way is 'fast', expected 'eager' or"),
    (LAST, ("training", "optimizers"), [], "optimizers are 0, expected 2, one for each stage"),
    (
        LAST,
        ("training", "optimizers", 0, "optimizer", "param_groups", 0, "params", 0),
        1,
        "param_groups are of other parameters",
    ),
    (LAST, ("training", "optimizers", 1, "steps"), torch.zeros(3), "cannot go on from its state"),
    (
        LAST,
        ("training", "optimizers", 0, "optimizer", "state", 0, "exp_avg"),
        torch.full((3, 2), torch.nan),
        "infinite or none",
    ),
    (LAST, ("training", "optimizers", 0, "schedule", "step"), 1, "optimizers.0.schedule.step does not belong there"),
    (LAST, ("training", "record", "history", 0, "step"), -1, "history.0 is of step -1 and stage 0"),
    (LAST, ("training", "record", "history", 0, "stage"), 2, "history.0 is of step 0 and stage 2"),
    (LAST, ("training", "points", "walls"), {}, "points.walls.x is missing"),
    (LAST, ("training", "points", "walls", "x"), torch.zeros(2), "points.walls are not as many numbers"),
    (
        LAST,
        ("training", "points", "walls", "x"),
        torch.full((6,), torch.inf),
        "points.walls.x holds a number that is inf",
    ),
    (
        LAST,
        ("training", "record", "best_state", "problem"),
        torch.zeros(1),
        "record.best_state.problem does not belong there",
    ),
    (LAST, ("recipe", "dtype"), "float16", "recipe.dtype is 'float16', expected 'float64' or 'float32'"),
    (LAST, ("config",), {"problem": torch.zeros(1)}, "config.problem is a tensor"),
    (LAST, ("config", "seed"), False, "seed in its .hydra/config.yaml changed"),
    (BEST, ("config", "seed"), "a", "seed must be a whole number"),
    (BEST, ("config", "trainer", "threads"), 10**6, "trainer.threads must be a whole number"),
    (BEST, ("config", "grid"), {"x": 5}, "a grid needs a size for each of x, t"),
    (BEST, ("stages"), [1], "stages.0 is 1, expected a str"),
    (BEST, ("history", 1, "stage"), 7, "history.1 is of step"),
    (
        BEST,
        ("state", "network.network.layers.0.bias"),
        torch.full((3,), torch.nan, dtype=torch.float64),
        "infinite or no",
    ),
    (BEST, ("state", "network.network.layers.0.bias"), torch.zeros(3), "and dtype float32, expected a tensor"),
    (
        BEST,
        ("recipe", "hard"),
        [{"row": "nope", "kind": "value", "name": "u", "factor": 1.0}],
        "Burgers has nothing for",
    ),
    (
        BEST,
        ("recipe", "hard"),
        [{"row": "walls", "kind": "value", "name": "v", "factor": 1.0}],
        "Burgers has nothing for",
    ),
    (BEST, ("recipe", "hard"), [{"row": "walls", "kind": "load", "name": "u", "factor": 1.0}], "hard.0.kind is 'load'"),
]


@pytest.mark.parametrize(("file", "way", "value", "message"), NOT_POSSIBLE)
def test_what_cannot_be_is_refused_by_name(
    file: str, way: Any, value: Any, message: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(whole, tmp_path)
    content = checkpoint.read(folder / file)
    at(*([way] if isinstance(way, str) else way))(content, value)
    checkpoint.save(folder / file, content)
    words = [f"resume={folder}" if file == LAST else f"run={folder}"]
    assert script("train" if file == LAST else "evaluate").main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_in_the_place_of_a_file_is_refused(
    name: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, file in enumerate((BEST, LAST, CONFIG)):
        if file == CONFIG and "other" in name:
            continue
        folder = copied(whole, tmp_path / str(number))
        FOREIGN[name](folder / file, random.Random(0))  # noqa: S311
        assert outcome(uses(folder)[number][1], folder, capsys) == 2


@pytest.mark.parametrize("seed", range(3))
def test_changes_in_a_saved_solution_are_refused_or_have_no_meaning(seed: int, solution: Path, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311
    for number in range(16):
        file = tmp_path / f"{number}.pt"
        shutil.copy(solution, file)
        how = change_tree(file, rng)
        try:
            found = pinn.load(file)
            found(x=0.5, t=0.5)
            found.evaluate(3)
        except InputError as error:
            refused = str(error)
        else:
            refused = ""
        assert refused.isprintable()
        assert refused or MEANINGLESS.search(how), how
