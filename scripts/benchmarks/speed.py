"""Speed: steps and Jacobians against plain torch, the trainer against a bare loop, and the time to the first step.

One core; medians of processor time in milliseconds, ways alternating in one run. Every ratio is to the same work
written plainly in torch (nested `autograd.grad`), the floor is one forward and backward pass of the network. JAX,
DeepXDE and PINA are measured beside them where they are installed. `--record` adds the numbers to
docs/benchmarks/speed.json; what got slower since the last entry of the same chip is printed in any case.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from benchmarks.speed_cases import BASE, CASES, FLOOR
from benchmarks.timing import chip, medians, versions
from rich.table import Table

from pinn.memory import keep_freed_memory
from pinn.report import open_console

ROOT = Path(__file__).parent.parent.parent
HISTORY = ROOT / "docs" / "benchmarks" / "speed.json"
SLOWER = 1.2
"""A ratio that has grown by this factor counts as slower; processor times of one machine move by a tenth or so."""
PEERS = {"deepxde": "DeepXDE", "pina": "PINA"}
"""Libraries by module, each with a script that prints what its step of Adam takes on Poisson's equation."""

Ratios = dict[str, dict[str, float]]


def main(words: list[str]) -> dict[str, Any]:
    """Measure, print tables, compare with the last entry, and return the numbers."""
    names = [*CASES, "trainer", "start"]
    parser = argparse.ArgumentParser(prog="benchmark.py speed", description=__doc__)
    parser.add_argument("--only", nargs="+", default=names, choices=names, help="which of the measurements")
    parser.add_argument("--record", action="store_true", help="keep the numbers in the repository")
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    keep_freed_memory()
    console = open_console()
    entry: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "chip": chip(),
        "versions": versions("torch", "lightning", "jax", "deepxde", "pina-mathlab"),
        "milliseconds": {},
        "ratios": {},
    }
    for name in given.only:
        measured = measure_case(name) if name in CASES else MEASUREMENTS[name]()
        entry["milliseconds"][name], entry["ratios"][name] = measured
        console.print(table_of(name, *measured))
    for line in slower(entry, last_entry(entry["chip"])):
        console.print(f"[red]slower[/red] {line}", highlight=False)
    if given.record:
        record(entry)
    return entry


def measure_case(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the times of a case in milliseconds, and their ratios to plain torch."""
    case = CASES[name]()
    works = dict(case.works)
    if name == "poisson" and find_spec("jax"):
        from benchmarks.jax_poisson import step

        works["jax, compiled"] = step()
    times = medians(works)
    if name == "poisson":
        times |= poisson_in_trainings()
    return times, {way: value / times[BASE] for way, value in times.items()}


def poisson_in_trainings() -> dict[str, float]:
    """Return the time of a step in a whole training: by pinn through Lightning, and by the peers that are installed."""
    from benchmarks.trainer import trained_step_ms

    times = {"pinn, compiled, through Lightning": trained_step_ms("compiled", resample=0)}
    for module, title in PEERS.items():
        if find_spec(module):
            program = (str(ROOT / "scripts" / "benchmarks" / f"{module}_step.py"),)
            times[title] = printed_number(*program, DDE_BACKEND="pytorch")
    return times


def printed_number(*words: str, **environment: str) -> float:
    """Run a Python program in a process with one thread, and return the last number that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def measure_trainer(pairs: int = 3) -> tuple[dict[str, float], dict[str, float]]:
    """Return the time of a step of Adam in a training and in a bare loop, captured both, and their ratio."""
    from benchmarks.trainer import bare_step_ms, trained_step_ms

    runs = [(bare_step_ms(), trained_step_ms()) for _ in range(pairs)]
    bare, trained = (median(values) for values in zip(*runs, strict=True))
    return {"bare loop": bare, "training": trained}, {"training": trained / bare}


FIRST_STEP = """
import os, sys, time
import pinn.training.module as module

def first_step(*_):
    print(time.process_time(), flush=True)
    os._exit(0)

module.Training.training_step = first_step
sys.path.insert(0, "scripts")
import train
train.main(["problem=poisson", *sys.argv[1:]])
"""
IMPORTS = "import time, torch, lightning.pytorch; print(time.process_time())"


def measure_start(pairs: int = 3) -> tuple[dict[str, float], dict[str, float]]:
    """Return the processor time from the command to the first step, and of importing torch and Lightning."""

    with TemporaryDirectory() as folder:
        run = (FIRST_STEP, f"hydra.run.dir={folder}/${{unique:}}")
        programs = {
            "import torch, lightning": (IMPORTS,),
            "problem=poisson": run,
            "problem=poisson training=adam": (*run, "training=adam", "network=mlp"),
        }
        times = {
            name: 1e3 * median(printed_number("-c", *program) for _ in range(pairs))
            for name, program in programs.items()
        }
    return times, {name: value / times["import torch, lightning"] for name, value in times.items()}


MEASUREMENTS = {"trainer": measure_trainer, "start": measure_start}


def table_of(name: str, times: Mapping[str, float], ratios: Mapping[str, float]) -> Table:
    """Return the table of one measurement."""
    title = (CASES[name].__doc__ or name) if name in CASES else name
    table = Table("way", "ms", "ratio", title=title)
    for way, value in times.items():
        table.add_row(way, f"{value:.2f}", f"{ratios[way]:.2f}" if way in ratios else "")
    if name in CASES and FLOOR in times:
        best = min(value for way, value in times.items() if way.startswith("pinn"))
        table.caption = f"{best / times[FLOOR]:.1f} times the floor"
    return table


def last_entry(chip: str) -> dict[str, Any] | None:
    """Return the last entry of the history that was measured on a chip."""
    entries = json.loads(HISTORY.read_text(encoding="utf-8")) if HISTORY.exists() else []
    return next((entry for entry in reversed(entries) if entry["chip"] == chip), None)


def slower(entry: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[str]:
    """Return a line for each way of pinn whose ratio has grown since an earlier entry."""
    if before is None:
        return []
    return [
        f"{name}: {way} was {old:.2f} on {before['date']}, is {ratio:.2f}"
        for name, ratios in entry["ratios"].items()
        for way, ratio in ratios.items()
        if (old := before["ratios"].get(name, {}).get(way)) is not None and ratio > SLOWER * old and way != FLOOR
    ]


def record(entry: Mapping[str, Any]) -> None:
    """Add an entry to the history."""
    entries = json.loads(HISTORY.read_text(encoding="utf-8")) if HISTORY.exists() else []
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    rounded = json.loads(json.dumps(entry), parse_float=lambda number: float(f"{float(number):.4g}"))
    HISTORY.write_text(json.dumps([*entries, rounded], indent=1) + "\n", encoding="utf-8")
