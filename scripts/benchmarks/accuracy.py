"""Accuracy and time of the shipped problems with their defaults."""

import argparse
import itertools
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
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from pinn.report import open_console
from pinn.verdict import NO_SOLUTION

TRAIN = Path(__file__).parent.parent / "train.py"
RESULTS = Path("outputs") / "benchmarks"

Range = tuple[int, int] | tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A line of the table: a problem, perhaps with other coefficients, and what it has to keep.

    Args:
        problem: the name of its configuration.
        error: largest relative L2 error of the worst field.
        seconds: of the whole process.
        words: for scripts/train.py.
        variants: from where `--variants` draws coefficients: whole numbers evenly, others evenly in their logarithm.
    """

    problem: str
    error: float
    seconds: float
    words: tuple[str, ...] = ()
    variants: Mapping[str, Range | list[Range]] = field(default_factory=dict)


CLASSIC = ("network=mlp", "training=adam_lbfgs", "seconds=60")

ROWS = {
    "poisson": Row("poisson", 1e-13, 15),
    "poisson_multiscale": Row(
        "poisson_multiscale", 1e-9, 120, variants={"frequencies": [(1, 4), (5, 8), (9, 12), (13, 16)]}
    ),
    # The wavenumber stays below the first resonance, k = π / √2.
    "helmholtz": Row("helmholtz", 1e-12, 30, variants={"a1": (1, 6), "a2": (1, 6), "wavenumber": (0.5, 2.0)}),
    "advection": Row("advection", 1e-11, 30, variants={"speed": (10.0, 60.0)}),
    "advection_fast": Row("advection", 1e-11, 30, ("problem.speed=80.0",), {"speed": (60.0, 80.0)}),
    "wave": Row("wave", 1e-12, 30, variants={"speed": (1.0, 4.0)}),
    "heat": Row("heat", 1e-11, 30, variants={"diffusivity": (0.03, 0.3)}),
    "heat2d": Row("heat2d", 1e-9, 60, variants={"diffusivity": (0.02, 0.1)}),
    "burgers": Row("burgers", 3e-6, 180, variants={"viscosity": (0.003, 0.006)}),
    "burgers_smooth": Row("burgers", 1e-8, 180, ("problem.viscosity=0.01",), {"viscosity": (0.007, 0.03)}),
    "burgers_2d": Row("burgers_2d", 1e-5, 200, variants={"viscosity": (0.01, 0.03)}),
    "klein_gordon": Row("klein_gordon", 1e-7, 60, variants={"frequency": (3.0, 6.0)}),
    "sine_gordon": Row("sine_gordon", 1e-7, 60, variants={"frequency": (0.3, 0.8)}),
    "fisher": Row("fisher", 1e-7, 60, variants={"diffusivity": (0.015, 0.03), "growth": (6.0, 12.0)}),
    "kdv": Row("kdv", 1e-5, 300, variants={"dispersion": (0.02, 0.03)}),
    "allen_cahn": Row("allen_cahn", 1e-4, 300, variants={"diffusivity": (1e-4, 4e-4), "rate": (3.0, 6.0)}),
    "schrodinger": Row("schrodinger", 1e-4, 120, variants={"half_width": (4.5, 6.0)}),
    "gray_scott": Row("gray_scott", 1e-4, 180, variants={"feed": (2.0, 6.0), "decay": (8.0, 12.0)}),
    "kuramoto_sivashinsky": Row(
        "kuramoto_sivashinsky", 1e-5, 60, variants={"advection": (3.0, 7.0), "hyperdiffusivity": (0.004, 0.008)}
    ),
    "cahn_hilliard": Row("cahn_hilliard", 1e-3, 180, variants={"capillarity": (1e-6, 4e-6)}),
    "ginzburg_landau": Row("ginzburg_landau", 1e-4, 120, variants={"growth": (7.0, 15.0), "rotation": (10.0, 20.0)}),
    "lotka_volterra": Row("lotka_volterra", 1e-6, 30, variants={"growth": (1.0, 2.0), "decay": (2.0, 4.0)}),
    "duffing": Row("duffing", 1e-6, 30, variants={"damping": (0.02, 0.3), "cubic": (2.0, 8.0)}),
    "van_der_pol": Row("van_der_pol", 1e-6, 30, variants={"mu": (2.0, 20.0)}),
    "lorenz": Row("lorenz", 1e-6, 30, variants={"rho": (20.0, 35.0)}),
    "robertson": Row("robertson", 1e-6, 60, variants={"end": (10.0, 60.0)}),
    "bratu": Row("bratu", 1e-7, 60, variants={"rate": (0.5, 3.0)}),
    "thin_fin": Row("thin_fin", 1e-7, 60, variants={"length": (0.1, 0.3), "base": (600.0, 1000.0)}),
    "arrhenius": Row("arrhenius", 1e-7, 60, variants={"thiele": (0.5, 1.5), "heating": (0.05, 0.15)}),
    "taylor_green": Row("taylor_green", 1e-6, 200, variants={"viscosity": (0.03, 0.3)}),
    "kovasznay": Row("kovasznay", 1e-9, 120, variants={"reynolds": (20.0, 80.0)}),
    "cavity": Row("cavity", 1e-3, 300, variants={"reynolds": (50.0, 200.0)}),
    "poisson_5d": Row("poisson_5d", 1e-8, 300, variants={"dimension": (4, 6), "frequency": (0.5, 1.5)}),
    "poisson_100d": Row("poisson_100d", 1e-3, 300, variants={"dimension": (50, 150)}),
    "poisson_lbfgs": Row("poisson", 1e-5, 80, CLASSIC),
    "poisson_lbfgs_hard": Row("poisson", 1e-6, 80, (*CLASSIC, "hard=true")),
    "heat_lbfgs": Row("heat", 1e-4, 80, CLASSIC),
    "burgers_lbfgs": Row("burgers", 5e-3, 80, CLASSIC),
    "poisson_adam": Row("poisson", 1e-3, 80, ("network=mlp", "training=adam", "seconds=60")),
}
"""The table. `burgers_smooth` and `advection_fast` are problems that ship, with other coefficients; the last five are
trained in the field's usual way for a minute."""

LENIENCE = 10
"""How many times the error of a variant may be that of the problem as it ships."""


def main(words: list[str]) -> dict[str, Any]:
    """Run every row with every seed, print a table, and return all numbers."""
    parser = argparse.ArgumentParser(prog="benchmark.py accuracy", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="which rows of the table")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="which seeds")
    parser.add_argument("--variants", action="store_true", help="draw the coefficients of each run with its seed")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; each has one thread unless overridden")
    parser.add_argument("--output", type=Path, help="a file for a line of JSON as soon as each run has ended")
    parser.add_argument("--override", nargs="*", default=[], help="words for scripts/train.py")
    options = parser.parse_args(words)
    console = open_console()
    log = options.output or RESULTS / f"accuracy_{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        name: {"target": (ROWS[name].error * (LENIENCE if options.variants else 1), ROWS[name].seconds), "runs": []}
        for name in options.rows
    }
    with ThreadPoolExecutor(options.jobs) as pool, log.open("a", encoding="utf-8") as lines:
        # By seeds first, so that whoever interrupts it has every row once.
        runs = [
            pool.submit(_run, name, seed, options.variants, options.override)
            for seed, name in itertools.product(options.seeds, options.rows)
        ]
        try:
            for done in as_completed(runs):
                run = done.result()
                results[run["row"]]["runs"].append(run)
                lines.write(json.dumps(run, ensure_ascii=False) + "\n")
                lines.flush()
                what = ", ".join([run["row"], f"seed {run['seed']}", *run["variant"]])
                console.print(f"{what}: {run['error']:.1e} in {run['seconds']:.0f} s", highlight=False)
        except KeyboardInterrupt:
            # What has not begun need not begin; the processes that run have had the signal too.
            pool.shutdown(wait=False, cancel_futures=True)
            console.print(f"interrupted; what had ended is in {log}", highlight=False)
            raise
    for result in results.values():
        result["runs"].sort(key=lambda run: run["seed"])
    _print(console, results)
    return {
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "load": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("pinn", "torch", "lightning")},
        "jobs": options.jobs,
        "override": options.override,
        "rows": results,
    }


def draw_variant(name: str, seed: int) -> list[str]:
    """Return words that give a row other coefficients, the same for the same seed; none where it has none."""
    # Not for secrets; a string is a seed that does not depend on the process.
    generator = random.Random(f"{name} {seed}")  # noqa: S311

    def draw(limits: Range) -> str:
        low, high = limits
        if isinstance(low, int) and isinstance(high, int):
            return str(generator.randint(low, high))
        return f"{low * (high / low) ** generator.random():.4g}"

    values = {
        key: f"[{','.join(map(draw, limits))}]" if isinstance(limits, list) else draw(limits)
        for key, limits in ROWS[name].variants.items()
    }
    return [f"problem.{key}={value}" for key, value in values.items()]


def _run(name: str, seed: int, variants: bool, overrides: list[str]) -> dict[str, Any]:
    """Run one training as a user would and return the error of its worst field; a failed run has an infinite one."""
    row, variant = ROWS[name], draw_variant(name, seed) if variants else []
    # Of words that set the same key, the last one counts.
    done = run_once([f"problem={row.problem}", f"seed={seed}", *row.words, *variant, *overrides])
    return {"row": name, "seed": seed, "variant": variant, **done}


def run_once(words: list[str]) -> dict[str, Any]:
    """Run one training as a user would, in a process of its own.

    Returns:
        `seconds` of the process; `error` of the worst field, infinite without metrics; and `metrics`, or `failure`.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        command = [sys.executable, str(TRAIN), *words, f"hydra.run.dir={folder}"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode not in (0, NO_SOLUTION):
            return {"seconds": seconds, "error": math.inf, "failure": done.stderr[-500:]}
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {"seconds": seconds, "error": max(metrics["relative_l2"].values()), "metrics": metrics}


def _print(console: Console, results: Mapping[str, Any]) -> None:
    table = Table(title="relative L2 error of the worst field, whole process; medians (and range)")
    for heading in ("row", "error", "range", "at most", "seconds", "within", ""):
        table.add_column(heading, justify="left" if heading in ("row", "") else "right", no_wrap=True)
    for row, result in results.items():
        errors = [run["error"] for run in result["runs"]]
        seconds = median(run["seconds"] for run in result["runs"])
        most, within = result["target"]
        kept = median(errors) <= most and seconds <= within
        table.add_row(
            row,
            f"{median(errors):.1e}",
            f"{min(errors):.0e} to {max(errors):.0e}",
            f"{most:.0e}",
            f"{seconds:.0f}",
            f"{within}",
            "kept" if kept else "[red]missed[/red]",
        )
    console.print(table)
