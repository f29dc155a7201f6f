"""DeepXDE and this project on the same problems in one run: error over wall time, Poisson and Burgers.

DeepXDE runs its own best recipe on these: conditions built into the output, float64, Adam and then L-BFGS. Install it
beside this project with `pip install deepxde`; it is no dependency. Each side is a process of its own with one thread.
Seconds count from the start of the process, so that imports, set-up and compilation are in them, and looks at the error
are not taken out.
"""

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SCRIPTS = Path(__file__).parent.parent
SOLVER = Path(__file__).parent / "deepxde_solver.py"
PROBLEMS = ("poisson", "burgers")

Curve = list[tuple[float, float]]
"""Pairs of seconds and relative L2 error."""


def main(words: list[str]) -> dict[str, Any]:
    """Run both sides, print a table, draw the curves, and return all numbers."""
    parser = argparse.ArgumentParser(prog="benchmark.py peers", description=__doc__)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=PROBLEMS, help="which problems")
    parser.add_argument("--seconds", type=float, default=180, help="the longest that DeepXDE may train")
    parser.add_argument("--seed", type=int, default=0, help="of both sides")
    parser.add_argument("--figure", type=Path, default=Path("outputs/benchmarks/peers.png"), help="where the plot goes")
    options = parser.parse_args(words)
    if importlib.util.find_spec("deepxde") is None:
        parser.error("DeepXDE is not installed here; `pip install deepxde` puts it beside this project.")
    console = Console()
    curves: dict[str, dict[str, Curve]] = {}
    for problem in options.problems:
        curves[problem] = {
            "pinn": run_pinn(problem, options.seed),
            "DeepXDE": run_deepxde(problem, options.seed, options.seconds),
        }
    _print(console, curves)
    _plot(curves, options.figure)
    console.print(f"drawn to {options.figure}", highlight=False)
    return {"seed": options.seed, "seconds": options.seconds, "curves": curves}


def run_pinn(problem: str, seed: int) -> Curve:
    """Train with all defaults and return the error at every look, on the held-out points, and at last on the grid."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        started = time.perf_counter()
        command = [sys.executable, str(SCRIPTS / "train.py"), f"problem={problem}", f"seed={seed}"]
        subprocess.run([*command, f"hydra.run.dir={folder}"], check=True, capture_output=True, env=_one_thread())
        total = time.perf_counter() - started
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        with (folder / "history.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    # What is not training comes before it, but for the figures and files at the end.
    before = metrics["wall_seconds"]["setup"]
    curve = [(before + float(row["seconds"]), float(row["relative_l2/u"])) for row in rows]
    return [*curve, (total, metrics["relative_l2"]["u"])]


def run_deepxde(problem: str, seed: int, seconds: float) -> Curve:
    """Train with DeepXDE and return what it wrote."""
    done = subprocess.run(
        [sys.executable, str(SOLVER), problem, str(seed), str(seconds)],
        check=False,
        capture_output=True,
        text=True,
        env={**_one_thread(), "DDE_BACKEND": "pytorch"},
    )
    if done.returncode:
        raise SystemExit(f"DeepXDE failed on {problem}:\n{done.stderr[-2000:]}")
    return [(float(second), float(error)) for second, error in json.loads(done.stdout.splitlines()[-1])]


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _print(console: Console, curves: dict[str, dict[str, Curve]]) -> None:
    table = Table(title="relative L2 error over wall seconds of the whole process, one thread each")
    for heading in ("problem", "solver", "1e-2 after", "1e-4 after", "1e-6 after", "best", "seconds"):
        table.add_column(heading, justify="left" if heading in ("problem", "solver") else "right")
    for problem, solvers in curves.items():
        for solver, curve in solvers.items():
            reached = [next((f"{s:.0f} s" for s, e in curve if e <= level), "-") for level in (1e-2, 1e-4, 1e-6)]
            table.add_row(problem, solver, *reached, f"{min(e for _, e in curve):.1e}", f"{curve[-1][0]:.0f}")
    console.print(table)


def _plot(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(5.5 * len(curves), 4), squeeze=False, layout="constrained")
    for axis, (problem, solvers) in zip(axes[0], curves.items(), strict=True):
        for solver, curve in solvers.items():
            axis.plot(*zip(*curve, strict=True), marker=".", markersize=4, label=solver)
        axis.set(xscale="log", yscale="log", title=problem, xlabel="wall time in s, whole process")
        axis.set_ylabel("relative L2 error of u")
        axis.grid(alpha=0.3)
        axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
