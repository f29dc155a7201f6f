"""Runs that take a fraction of a second."""

import importlib.util
import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from pinn import checkpoint, config, run
from pinn.objective import Objective
from pinn.optimizers import Optimizer, Progress
from pinn.training import Stage
from pinn.training.budget import Budget
from pinn.verdict import NO_SOLUTION

ROOT = Path(__file__).parent.parent.parent
SMALL = (
    *("points=60", "boundary_points=20", "grid=11", "logger=none", "seconds=null", "compile=false"),
    *("network=mlp", "network.width=6", "network.depth=2", "estimate=false"),
)
"""Words that make any training small and let no clock decide; it still needs a limit of steps, see `configuration`."""


ENDED = (0, NO_SOLUTION)
"""Exit codes of a run that came to its end. Most small ones are no solutions."""


def script(name: str) -> ModuleType:
    """Load a script as a module, so that its `main` can be called without a process."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def configuration(*words: str, steps: int = 0, block: int = 3) -> dict[str, Any]:
    """Compose a configuration; every stage takes `steps` steps in blocks of `block`, if that is said."""
    values, _, _ = config.read([*SMALL, *words])
    for stage in values["training"].values() if steps else ():
        stage |= {"steps": steps, "block": min(block, steps)}
    return values


def cut_after(monkeypatch: pytest.MonkeyPatch, iterations: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal after so many iterations, as `kill` would, but at the same one each time."""
    stop = Budget.__call__
    asked = 0

    def counted(self: Budget) -> bool:
        nonlocal asked
        asked += 1
        if asked == iterations + 1:
            signal.raise_signal(number)
        return stop(self)

    monkeypatch.setattr(Budget, "__call__", counted)


def watch(
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Optimizer, Objective], None] = lambda *_: None,
    after: Callable[[Optimizer, Objective], None] = lambda *_: None,
) -> None:
    """Call something before and after every run of an optimizer in a training."""
    make = Stage.make

    def made(self: Stage, parameters: Any) -> Optimizer:
        optimizer = make(self, parameters)
        run = optimizer.run

        def watched(objective: Objective, *arguments: Any) -> Progress:
            before(optimizer, objective)
            progress = run(objective, *arguments)
            after(optimizer, objective)
            return progress

        optimizer.run = watched  # type: ignore[method-assign]
        return optimizer

    monkeypatch.setattr(Stage, "make", made)


def train(folder: Path, *words: str, steps: int = 0, block: int = 3) -> int:
    """Run a small configuration into a folder and return the exit code."""
    return run.train(configuration(*words, steps=steps, block=block), folder)


TIMES = {"wall_seconds", "peak_memory_mb", "seconds", "budget"}
"""What a clock says, and memory, differ from run to run."""


def timeless(value: Any) -> Any:
    """The same without what clocks say, tensors as bytes, so that == compares bits."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list | tuple):
        return [timeless(item) for item in value]
    if isinstance(value, torch.Tensor):
        return (value.dtype, tuple(value.shape), value.contiguous().numpy().tobytes())
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def end_of(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves that could tell that it was cut."""
    return {
        "metrics": timeless(json.loads((folder / "metrics.json").read_text())),
        "last": timeless(checkpoint.read(folder / "checkpoints" / "last.ckpt")),
        "best": timeless(checkpoint.read(folder / "checkpoints" / "best.ckpt")),
        "history": [line.split(",", 2)[::2] for line in (folder / "history.csv").read_text().splitlines()],
    }
