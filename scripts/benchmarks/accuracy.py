"""Accuracy and time of the shipped problems with their defaults."""

import argparse
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

TRAIN = Path(__file__).parent.parent / "train.py"

TARGETS = {
    "poisson": (1e-13, 15),
    "poisson_multiscale": (1e-9, 120),
    "helmholtz": (1e-12, 30),
    "advection": (1e-11, 30),
    "heat": (1e-11, 30),
    "heat2d": (1e-9, 60),
    "wave": (1e-12, 30),
    "burgers": (1e-3, 180),
    "kovasznay": (1e-4, 120),
}
"""Largest relative L2 error of the worst field, and seconds of the whole process, that each problem has to keep."""

Range = tuple[int, int] | tuple[float, float]

VARIANTS: dict[str, dict[str, Range | list[Range]]] = {
    "poisson_multiscale": {"frequencies": [(1, 4), (5, 8), (9, 12), (13, 16)]},
    # Below the first resonance, k = π / √2.
    "helmholtz": {"a1": (1, 6), "a2": (1, 6), "wavenumber": (0.5, 2.0)},
    "advection": {"speed": (10.0, 80.0)},
    "heat": {"diffusivity": (0.03, 0.3)},
    "heat2d": {"diffusivity": (0.02, 0.1)},
    "wave": {"speed": (1.0, 4.0)},
    "burgers": {"viscosity": (0.003, 0.03)},
    "kovasznay": {"reynolds": (20.0, 80.0)},
}
"""From where `--variants` draws coefficients: whole numbers evenly, others evenly in their logarithm."""

LENIENCE = 10
"""How many times the error of a variant may be that of the problem as it ships."""


def main(words: list[str]) -> dict[str, Any]:
    """Run every problem with every seed, print a table, and return all numbers."""
    parser = argparse.ArgumentParser(prog="benchmark.py accuracy", description=__doc__)
    parser.add_argument("--problems", nargs="+", default=list(TARGETS), choices=list(TARGETS), help="which problems")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="which seeds")
    parser.add_argument("--variants", action="store_true", help="draw the coefficients of each run with its seed")
    parser.add_argument("--override", nargs="*", default=[], help="words for scripts/train.py")
    options = parser.parse_args(words)
    console = Console()
    results: dict[str, Any] = {}
    for problem in options.problems:
        runs = []
        error, seconds = TARGETS[problem]
        for seed in options.seeds:
            variant = draw_variant(problem, seed) if options.variants else []
            run = _run(problem, seed, [*variant, *options.override])
            what = ", ".join([problem, f"seed {seed}", *variant])
            console.print(f"{what}: {run['error']:.1e} in {run['seconds']:.0f} s", highlight=False)
            runs.append({**run, "variant": variant})
        results[problem] = {"target": (error * LENIENCE if options.variants else error, seconds), "runs": runs}
    _print(console, results)
    return {
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "load": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("pinn", "torch", "lightning")},
        "override": options.override,
        "problems": results,
    }


def draw_variant(problem: str, seed: int) -> list[str]:
    """Return words that give a problem other coefficients, the same for the same seed; none where it has none."""
    # Not for secrets; a string is a seed that does not depend on the process.
    generator = random.Random(f"{problem} {seed}")  # noqa: S311

    def draw(limits: Range) -> str:
        low, high = limits
        if isinstance(low, int) and isinstance(high, int):
            return str(generator.randint(low, high))
        return f"{low * (high / low) ** generator.random():.4g}"

    values = {
        name: f"[{','.join(map(draw, limits))}]" if isinstance(limits, list) else draw(limits)
        for name, limits in VARIANTS.get(problem, {}).items()
    }
    return [f"problem.{name}={value}" for name, value in values.items()]


def _run(problem: str, seed: int, overrides: list[str]) -> dict[str, Any]:
    """Run one training as a user would and return the error of its worst field; a failed run has an infinite one."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        command = [
            sys.executable,
            str(TRAIN),
            f"problem={problem}",
            f"seed={seed}",
            f"hydra.run.dir={folder}",
            *overrides,
        ]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            return {"seed": seed, "error": math.inf, "seconds": seconds, "failure": done.stderr[-500:]}
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {"seed": seed, "error": max(metrics["relative_l2"].values()), "seconds": seconds, "metrics": metrics}


def _print(console: Console, results: Mapping[str, Any]) -> None:
    table = Table(title="relative L2 error of the worst field, whole process; medians (and range)")
    for heading in ("problem", "error", "range", "at most", "seconds", "within", ""):
        table.add_column(heading, justify="left" if heading in ("problem", "") else "right")
    for problem, result in results.items():
        errors = [run["error"] for run in result["runs"]]
        seconds = median(run["seconds"] for run in result["runs"])
        most, within = result["target"]
        kept = median(errors) <= most and seconds <= within
        table.add_row(
            problem,
            f"{median(errors):.1e}",
            f"{min(errors):.0e} to {max(errors):.0e}",
            f"{most:.0e}",
            f"{seconds:.0f}",
            f"{within}",
            "kept" if kept else "[red]missed[/red]",
        )
    console.print(table)
