"""DeepXDE and this project on the same problems in one run: error over wall time, Poisson and Burgers.

DeepXDE runs the recipe that served it best on these in float64: Adam for at most a third of the time, then L-BFGS;
conditions built into the output on Poisson, in the loss on Burgers. This project runs its defaults, as long as they
say. Install DeepXDE beside it with `pip install deepxde`; it is no dependency. Each side is a process of its own with
one thread. Seconds count from the start of the process, so that imports, set-up and compilation are in them, and looks
at the error, on the same grid over the whole domain, are not taken out.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pinn.figures.style import new_figure, scientific, style
from pinn.report import open_console

SCRIPTS = Path(__file__).parent.parent
SOLVERS = {"pinn": "pinn_solver", "DeepXDE": "deepxde_solver"}
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
    console = open_console()
    curves: dict[str, dict[str, Curve]] = {}
    for problem in options.problems:
        curves[problem] = {
            "pinn": run("pinn", problem, options.seed),
            "DeepXDE": run("DeepXDE", problem, options.seed, options.seconds),
        }
    _print(console, curves)
    _plot(curves, options.figure)
    console.print(f"drawn to {options.figure}", highlight=False)
    return {"seed": options.seed, "seconds": options.seconds, "curves": curves}


def run(solver: str, problem: str, *words: object) -> Curve:
    """Train in a process of its own and return the error at every look."""
    path = os.pathsep.join([str(SCRIPTS), *sys.path])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", f"benchmarks.{SOLVERS[solver]}", problem, *map(str, words), str(time.time())]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**environment, "DDE_BACKEND": "pytorch"}
    )
    if done.returncode:
        raise SystemExit(f"{solver} failed on {problem}:\n{done.stderr[-2000:]}")
    return [(float(second), float(error)) for second, error in json.loads(done.stdout.splitlines()[-1])]


def _print(console: Console, curves: dict[str, dict[str, Curve]]) -> None:
    table = Table(title="relative L2 error over wall seconds of the whole process, one thread each")
    for heading in ("problem", "solver", "1e-2 after", "1e-4 after", "1e-6 after", "best", "last", "ended"):
        table.add_column(heading, justify="left" if heading in ("problem", "solver") else "right")
    for problem, solvers in curves.items():
        for solver, curve in solvers.items():
            reached = [next((f"{s:.0f} s" for s, e in curve if e <= level), "-") for level in (1e-2, 1e-4, 1e-6)]
            seconds, error = curve[-1]
            table.add_row(
                problem, solver, *reached, f"{min(e for _, e in curve):.1e}", f"{error:.1e}", f"{seconds:.0f} s"
            )
    console.print(table)


def _plot(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    with style():
        figure = new_figure(4.2 * len(curves), 3.4, "")
        panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
        for axes, (problem, solvers) in zip(panels, curves.items(), strict=True):
            for solver, curve in solvers.items():
                [line] = axes.plot(*zip(*curve, strict=True))
                colour = line.get_color()
                axes.plot(*curve[-1], "o", markersize=4, color=colour)
                end = f"{solver}\n{scientific(curve[-1][1])}"
                axes.annotate(end, curve[-1], (6, 0), textcoords="offset points", va="center", color=colour)
            # Room for what is written beside the ends.
            longest = max(curve[-1][0] for curve in solvers.values())
            axes.set(title=problem, xlim=(0, 1.35 * longest), yscale="log")
            axes.set_xlabel("wall time of the whole process in s")
            axes.grid(visible=True)
        panels[0].set_ylabel("relative $L^2$ error of $u$")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
