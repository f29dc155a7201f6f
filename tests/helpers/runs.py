"""Runs that take a fraction of a second."""

import importlib.util
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pinn import config, run
from pinn.training import module

ROOT = Path(__file__).parent.parent.parent
SMALL = (
    *("points=60", "boundary_points=20", "grid=11", "logger=none", "seconds=null", "compile=false"),
    *("network=mlp", "network.width=6", "network.depth=2"),
)
"""Words that make any training small and let no clock decide; it still needs a limit of steps, see `configuration`."""


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


def cut_after(monkeypatch: pytest.MonkeyPatch, calls: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal after so many calls of optimizers, as `kill` would, but at the same step each time."""
    advance: Callable[..., int] = module.advance
    made = 0

    def counted(*arguments: Any) -> int:
        nonlocal made
        taken = advance(*arguments)
        made += 1
        if made == calls:
            signal.raise_signal(number)
        return taken

    monkeypatch.setattr(module, "advance", counted)


def train(folder: Path, *words: str, steps: int = 0, block: int = 3) -> int:
    """Run a small configuration into a folder and return the exit code."""
    return run.train(configuration(*words, steps=steps, block=block), folder)
