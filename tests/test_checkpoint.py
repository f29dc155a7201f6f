"""Checkpoints: whole or absent, and nothing that they hold is ever executed."""

import hashlib
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runs import script, train

import pinn
from pinn import checkpoint
from pinn.errors import InputError
from pinn.files import sweep, write_atomically, write_sealed, write_text

pytestmark = [
    pytest.mark.usefixtures("no_figures"),
    # torch says so before it refuses a file that plain pickle wrote.
    pytest.mark.filterwarnings("ignore:Detected pickle protocol"),
]


class Harmful:
    """Unpickling this touches a file."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.touched}",)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(folder, "training=adam", steps=2)
    return folder


@pytest.fixture
def folder(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of a run, to be spoilt."""
    for path in run_folder.rglob("*"):
        if path.is_file():
            copy = tmp_path / "run" / path.relative_to(run_folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return tmp_path / "run"


def touched(folder: Path) -> Path:
    return folder.parent / "touched"


def with_content(**content: Any) -> Callable[[Path], None]:
    return lambda path: checkpoint.save(path, content)


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """What somebody does who knows the layout: the checksum is right again."""

    def write(path: Path) -> None:
        content = checkpoint.read(path)
        change(content)
        checkpoint.save(path, content)

    return write


def sealed(content: bytes, layout: int = checkpoint.SCHEMA) -> Callable[[Path], None]:
    return lambda path: write_sealed(path, layout, [content])


def harmful_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Harmful(touched(path.parent.parent))))


def harmful_torch(path: Path) -> None:
    torch.save({"schema": checkpoint.SCHEMA, "state": Harmful(touched(path.parent.parent))}, path)


def harmful_legacy(path: Path) -> None:
    content = {"schema": checkpoint.SCHEMA, "state": Harmful(touched(path.parent.parent))}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def harmful_recipe(target: str) -> Callable[[Path], None]:
    def change(content: dict[str, Any]) -> None:
        content["recipe"]["problem"] = {"_target_": target, "command": "touch touched"}

    return edited(change)


BOMB = b'{"a":' + b"[" * 100_000

UNUSABLE: dict[str, Callable[[Path], object]] = {
    "absent": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint"),
    "json": lambda path: path.write_text(json.dumps({"schema": 1})),
    "numbers": lambda path: np.savez(path.open("wb"), a=np.ones(3)),
    "zip": lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a list": lambda path: torch.save([1, 2], path),
    "weights of a network": lambda path: torch.save(torch.nn.Linear(2, 2).state_dict(), path),
    "a whole network": lambda path: torch.save(torch.nn.Linear(2, 2), path),
    "the layout before": lambda path: torch.save({"schema": 1, "recipe": {}, "state": {}}, path),
    "another layout": sealed(b"{}\n", layout=99),
    "sealed nothing": sealed(b""),
    "sealed text": sealed(b"text\n"),
    "sealed list": sealed(b"[1]\n"),
    "a bomb of levels": sealed(BOMB),
    "a tensor of a billion numbers": sealed(b'{"a":{"$tensor":["float64",[1000000000]]}}\n'),
    "a tensor of negative size": sealed(b'{"a":{"$tensor":["float64",[-1,-1]]}}\n' + bytes(8)),
    "a tensor of no shape": sealed(b'{"a":{"$tensor":["float64",5]}}\n'),
    "a tensor of no dtype": sealed(b'{"a":{"$tensor":["load",[1]]}}\n' + bytes(8)),
    "more numbers than tensors": sealed(b'{"a":1}\n' + bytes(8)),
    "an unknown kind": sealed(b'{"a":{"$code":"1"}}\n'),
    "two kinds": sealed(b'{"a":{"$tuple":[],"$items":[]}}\n'),
    "a list for a key": sealed(b'{"a":{"$items":[[[1],2]]}}\n'),
    "half a character": sealed(b'{"a":"\xc3"}\n'),
    "nothing but a layout": with_content(),
    "a recipe that is none": with_content(recipe=5, config={}, state={}, training={}),
    "a recipe without a problem": with_content(recipe={}, config={}, state={}, training={}),
    "a dtype that is none": edited(lambda content: content["recipe"].update(dtype="load", network=None)),
    "a network of any size": edited(lambda content: content["recipe"]["network"].update(width=300_000)),
    "a network of any depth": edited(lambda content: content["recipe"]["network"].update(width=1, depth=10**9)),
    "harm, pickled": harmful_pickle,
    "harm, saved by torch": harmful_torch,
    "harm, saved by an old torch": harmful_legacy,
}


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("use", ["load", "evaluate", "resume"])
def test_what_cannot_be_used_is_refused_in_one_line(
    name: str, use: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    file = folder / "checkpoints" / ("last.ckpt" if use == "resume" else "best.ckpt")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path != file}
    UNUSABLE[name](file)
    if use == "load":
        with pytest.raises(InputError) as error:
            pinn.load(folder)
        assert "\n" not in str(error.value)
    else:
        words = [f"resume={folder}"] if use == "resume" else [f"run={folder}"]
        assert script("train" if use == "resume" else "evaluate").main(words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not touched(folder).exists()
    assert {path: path.read_bytes() for path in before} == before


TARGETS = ["os.system", "builtins.exec", "subprocess.Popen", "torch.load", "torch.utils.collect_env.run"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_recipe_in_a_file_builds_nothing_harmful(target: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    harmful_recipe(target)(folder / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match="may not be built"):
        pinn.load(folder)
    assert not touched(folder).exists()


@pytest.mark.parametrize("place", ["problem", "network"])
@pytest.mark.parametrize(
    "target",
    [
        "lightning.pytorch.loggers.CSVLogger",
        "lightning.pytorch.loggers.MLFlowLogger",
        "lightning.pytorch.callbacks.ModelCheckpoint",
        "pinn.training.callbacks.Checkpoints",
        "pinn.sampling.Sobol",
        "torch.optim.Adam",
    ],
)
def test_loading_builds_problems_and_networks_alone(
    place: str, target: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logger makes folders and asks servers when it is built, which is before its kind could be looked at."""
    monkeypatch.chdir(folder.parent)
    made = sorted(folder.parent.rglob("*"))
    recipe = {"_target_": target, "save_dir": "made", "dirpath": "made", "folder": "made"}
    edited(lambda content: content["recipe"].update({place: recipe}))(folder / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match=r"may not be built|must be a"):
        pinn.load(folder)
    assert sorted(folder.parent.rglob("*")) == made


def test_a_module_that_a_file_names_is_not_imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.syspath_prepend(str(folder.parent))
    (folder.parent / "harmful.py").write_text("from pathlib import Path; Path('touched').touch()")
    harmful_recipe("harmful.Thing")(folder / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match=r"trust=\[harmful\]"):
        pinn.load(folder)
    assert not touched(folder).exists()
    assert "harmful" not in sys.modules


def test_no_cut_of_a_file_passes_for_a_whole_one(folder: Path) -> None:
    file = folder / "checkpoints" / "best.ckpt"
    whole = file.read_bytes()
    for end in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:end])
        with pytest.raises(InputError):
            pinn.load(folder)
    file.write_bytes(whole)
    assert pinn.load(folder).problem.fields == ("u",)


def test_no_flipped_bit_passes(tmp_path: Path) -> None:
    """Not in a number, where it would be another number, nor anywhere else."""
    file = tmp_path / "x.ckpt"
    checkpoint.save(file, {"a": torch.rand(3, dtype=torch.float64), "b": [1.5, "word", {"c": None}]})
    whole = file.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        with pytest.raises(InputError, match=r"damaged|none of pinn's files|has layout"):
            checkpoint.read(file)


def test_every_number_belongs_to_a_tensor(tmp_path: Path) -> None:
    write_sealed(tmp_path / "x", checkpoint.SCHEMA, [b'{"a":{"$tensor":["float64",[1]]}}\n', bytes(8)])
    assert checkpoint.read(tmp_path / "x")["a"].tolist() == [0]
    for numbers in (bytes(7), bytes(9)):
        write_sealed(tmp_path / "x", checkpoint.SCHEMA, [b'{"a":{"$tensor":["float64",[1]]}}\n', numbers])
        with pytest.raises(InputError, match="cannot be read as a checkpoint"):
            checkpoint.read(tmp_path / "x")


def test_the_checksum_is_that_of_a_common_tool(folder: Path) -> None:
    """`tail -n +2 best.ckpt | sha256sum` says it too."""
    first, _, rest = (folder / "checkpoints" / "best.ckpt").read_bytes().partition(b"\n")
    assert first.decode().split() == ["pinn", str(checkpoint.SCHEMA), "sha256", hashlib.sha256(rest).hexdigest()]


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    plain = {
        "c": [1, "two", None, 3.0, True],
        0: {"step": -1},
        "$x": (1.5, (2, [])),
        (1, "a"): {},
        "inf": -float("inf"),
    }
    tensors = [
        torch.rand(3, 2, dtype=torch.float64).T,
        torch.tensor(float("nan")),
        torch.empty(0, 3),
        torch.arange(5).to(torch.int16),
        torch.tensor([True, False]),
        torch.rand(2).to(torch.bfloat16),
        torch.rand(2, dtype=torch.complex64),
    ]
    checkpoint.save(tmp_path / "x.ckpt", {"a": tensors, "b": plain})
    read = checkpoint.read(tmp_path / "x.ckpt", needs=("a", "b"))
    for one, other in zip(read["a"], tensors, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert read["b"] == plain
    assert type(read["b"]["c"][4]) is bool
    assert type(read["b"]["$x"]) is tuple
    with pytest.raises(InputError, match="holds no d"):
        checkpoint.read(tmp_path / "x.ckpt", needs=("a", "d"))


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(file: Any) -> None:
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    left = [tmp_path / ".best.ckpt.0123abcd", tmp_path / "figures" / ".solution.png.ffffffff"]
    mine = [tmp_path / name for name in (".best.ckpt", ".x.0123abc", ".x.0123abcg", "x.0123abcd", ".gitignore")]
    for path in (*left, *mine):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / ".link.0123abcd").symlink_to(mine[0])
    (tmp_path / ".folder.0123abcd").mkdir()
    sweep(tmp_path)
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in (*mine, tmp_path / ".link.0123abcd", tmp_path / ".folder.0123abcd"))


def test_a_write_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop(file: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", stop)
    assert os.listdir(tmp_path) == []


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def write(file: Any) -> None:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"
