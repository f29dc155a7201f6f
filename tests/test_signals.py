"""Ctrl-C and SIGTERM, sent to real processes: the exit code is 130 or 143 at every moment, and nothing is lost."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.compiler import needs_a_compiler
from helpers.runs import ENDED, ROOT, SMALL
from helpers.sampled import sampled

from pinn import checkpoint, run
from pinn.signals import Signals

LONG = [*SMALL, "training=adam", "training.adam.steps=1000000", "training.adam.block=5", "compile=false"]
OWN = """
from pinn.problems import Poisson

class Announced(Poisson):
    '''It says when it is built, which is when planning begins, and then takes long to plan.'''

    def __init__(self):
        super().__init__()
        print("built", flush=True)
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what is caught")


class Process:
    """A run in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "own.py").write_text(OWN)
        place = [] if any(word.startswith("hydra.run.dir=") for word in words) else ["hydra.run.dir=run"]
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *words, *place]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""

    def wait_for(self, words: str) -> None:
        """Wait until a line has these words."""
        assert self.process.stdout is not None
        while words not in self.said:
            line = self.process.stdout.readline()
            assert line, f"the process ended with {self.process.wait()}: {self.said}"
            self.said += line

    def wait_until_it_listens(self) -> None:
        """Wait until SIGTERM is caught, which is before anything heavy is loaded."""
        status, bit = Path(f"/proc/{self.process.pid}/status"), 1 << (signal.SIGTERM - 1)
        while True:
            caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
            if int(caught.split()[1], 16) & bit:
                return
            time.sleep(0.01)

    def send(self, *numbers: int, apart: float = 0.05) -> None:
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(apart)

    def end(self) -> int:
        rest, _ = self.process.communicate(timeout=300)
        self.said += rest
        assert "Traceback" not in self.said, self.said
        return self.process.returncode

    @property
    def metrics(self) -> dict[str, Any]:
        return json.loads((self.folder / "run" / "metrics.json").read_text())

    @property
    def saved(self) -> dict[str, Any]:
        """The newest checkpoint, which is whole."""
        return checkpoint.read(self.folder / "run" / "checkpoints" / "last.ckpt", needs=("training",))


def test_one_signal_ends_the_training_and_everything_is_saved(tmp_path: Path) -> None:
    """Two processes start at once; one gets what `kill` sends, the other what Ctrl-C sends."""
    processes = {n: Process(tmp_path / str(int(n)), *LONG) for n in (signal.SIGTERM, signal.SIGINT)}
    for number, process in processes.items():
        process.wait_for("steps")
        process.send(number)
        assert process.end() == 128 + number
        assert "interrupted; go on with: python scripts/train.py resume=run" in process.said
        assert process.metrics["status"] == "interrupted"
        steps, seconds = process.metrics["steps"], process.metrics["wall_seconds"]["train"]
        assert process.saved["training"]["counters"]["step"] == steps
        assert run.resume(process.folder / "run", {"seconds": seconds + 0.2}) in ENDED
        assert process.metrics["steps"] > steps


MOMENTS = [("built", signal.SIGINT), ("engine", signal.SIGTERM), ("stopped", signal.SIGINT)]
"""What is said when planning, fitting and evaluating begin."""


@pytest.mark.parametrize(("moment", "number"), sampled(MOMENTS, 3))
def test_one_signal_at_another_moment(moment: str, number: int, tmp_path: Path) -> None:
    """While planning nothing is there yet, and nothing is left; what has begun later ends with every file."""
    words = [*LONG, "trust=[own]", "problem._target_=own.Announced", "seconds=2"]
    if moment == "built":
        words = [*SMALL, "trust=[own]", "problem._target_=own.Announced", "points=9000", "boundary_points=900"]
        words += ["network=auto", "~network.width", "~network.depth"]
    process = Process(tmp_path, *words)
    process.wait_for(moment)
    process.send(number)
    assert process.end() == 128 + number
    folder = tmp_path / "run"
    if not folder.exists():
        assert moment in ("built", "engine")  # the folder comes a moment after that line
        assert process.said.endswith(f"ended by {signal.Signals(number).name}\n")
        return
    assert moment != "built"
    assert process.metrics["status"] == ("not solved" if moment == "stopped" else "interrupted")
    assert (folder / "figures" / "solution.png").exists()
    assert process.metrics["steps"] == process.saved["training"]["counters"]["step"]


PAIRS = [
    ("steps", signal.SIGTERM, signal.SIGTERM),
    ("steps", signal.SIGINT, signal.SIGTERM),
    ("stopped", signal.SIGTERM, signal.SIGINT),
]


@pytest.mark.parametrize(("moment", "first", "second"), sampled(PAIRS, 3))
def test_a_second_signal_ends_it_at_once(moment: str, first: int, second: int, tmp_path: Path) -> None:
    """It gives the code; the checkpoint is the newest one that was written, and the run can go on."""
    process = Process(tmp_path, *LONG, "seconds=3")
    process.wait_for(moment)
    process.send(first, second)
    assert process.end() == 128 + second
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert process.said.endswith(f"ended by {signal.Signals(second).name}\n")
    assert process.saved["training"]["status"] in ("running", "interrupted", "budget")
    assert run.resume(tmp_path / "run", {"seconds": 3.5}) in ENDED
    assert process.metrics["status"] == "not solved"


@needs_proc
def test_signals_at_random_moments(tmp_path: Path) -> None:
    """From the import of torch to the last figure, one or two of them."""
    chance = random.Random(time.time_ns())  # noqa: S311
    for number in (signal.SIGINT, signal.SIGTERM):
        process = Process(tmp_path / str(int(number)), *LONG, "seconds=1")
        process.wait_until_it_listens()
        time.sleep(chance.uniform(0, 12))
        ended = process.process.poll() is not None
        process.send(*[number] * chance.choice([1, 2]), apart=chance.uniform(0, 1))
        code, folder = process.end(), process.folder / "run"
        # One that has written all its files may end as it would have, or by the signal itself while Python shuts down.
        complete = (folder / "metrics.json").exists()
        assert code == 128 + number or (complete and code == -number) or (ended and code in ENDED), process.said
        if (folder / ".hydra" / "config.yaml").exists():
            assert process.saved["training"]["counters"]["step"] >= 0


@needs_a_compiler
def test_a_signal_while_steps_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler is left, the step that it was for is not taken, and going on compiles again."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    words = ["compile=true" if word == "compile=false" else word for word in LONG]
    process = Process(tmp_path / "one", *words)
    process.wait_for("engine")
    while not list(tmp_path.glob("cache/**/*.cpp")):
        assert process.process.poll() is None
        time.sleep(0.05)
    process.send(signal.SIGTERM)
    assert process.end() == 143
    assert process.saved["training"]["way"] == "compiled"
    assert process.saved["training"]["counters"]["step"] == process.metrics["steps"] == 0


def test_a_sweep_ends_with_the_run_that_was_interrupted(tmp_path: Path) -> None:
    process = Process(tmp_path, *LONG, "-m", "seed=0,1", "hydra.run.dir=run/${seed}")
    process.wait_for("steps")
    process.send(signal.SIGTERM)
    assert process.end() == 143
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["0"]


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    signals = Signals()
    with signals.noted():
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.fixture
def python_listens() -> Iterator[None]:
    """As where a program starts; a shell starts those in the background so that they ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_listens")
def test_a_second_ctrl_c_is_that_of_the_caller() -> None:
    """A library must not swallow it, and Lightning must not see it, which would make of it the exit code 1."""
    seen: list[str] = []

    def inside() -> None:
        with Signals().noted():
            signal.raise_signal(signal.SIGINT)
            try:
                signal.raise_signal(signal.SIGINT)
            except BaseException as error:
                seen.append(type(error).__name__)
                raise

    with pytest.raises(KeyboardInterrupt):
        inside()
    assert seen == ["_Again"]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
