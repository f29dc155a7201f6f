"""Verdicts against the truth: every shipped problem, solved well and badly on purpose, and problems without a solution.

An estimate is good within a factor of 30 of the true error, where neither is counted below the reference's own error.
"""

import argparse
import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.accuracy import RESULTS, ROWS, run_once
from benchmarks.verdict_cases import CONTRADICTORY, NOT_DETERMINED, NOT_JOINED, WELL_POSED
from rich.console import Console
from rich.table import Table

import pinn
from pinn.report import open_console

SETTINGS = {
    "defaults": (),
    "few points": ("points=150", "boundary_points=40"),
    "five seconds": ("seconds=5",),
    "few features": ("network=random_features", "network.features=60", "training=lstsq"),
    "adam": ("training=adam", "network=mlp", "seconds=20"),
    "adam_lbfgs": ("training=adam_lbfgs", "network=mlp", "seconds=40"),
}
"""Words for scripts/train.py, from good to poor."""
LINEAR_ONLY = {"few features"}
FACTOR = 30
"""Between an estimate and the truth, at most."""
WRONG = 0.1
"""No solution that is off by more may be called one."""
GOOD = 1e-3
"""A solution that is off by less must be called one."""
CASES = {
    "not determined": NOT_DETERMINED,
    "contradictory": CONTRADICTORY,
    "not solved": NOT_JOINED,
    "solved": WELL_POSED,
}
"""By the verdict that they must come to."""


def main(words: Sequence[str]) -> dict[str, Any]:
    """Run everything, print tables, and return all numbers."""
    parser = argparse.ArgumentParser(prog="benchmark.py verdict", description=__doc__)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS), help="which problems")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS), help="which settings")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="which seeds")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--no-cases", action="store_true", help="leave out the problems without a solution")
    parser.add_argument("--override", nargs="*", default=[], help="words for scripts/train.py")
    parser.add_argument("--output", type=Path, help="a file for a line of JSON as soon as each run has ended")
    options = parser.parse_args(list(words))
    console = open_console()
    log = options.output or RESULTS / f"verdict_{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    runs = []
    with ThreadPoolExecutor(options.jobs) as pool, log.open("a", encoding="utf-8") as lines:
        asked = [
            pool.submit(_run, name, setting, seed, options.override)
            for seed, setting, name in product(options.seeds, options.settings, options.rows)
        ]
        for done in as_completed(asked):
            if (run := done.result()) is not None:
                runs.append(run)
                lines.write(json.dumps(run, ensure_ascii=False) + "\n")
                lines.flush()
    cases = [] if options.no_cases else [_solve(name, status) for status in CASES for name in CASES[status]]
    _print(console, runs, cases)
    return {"runs": runs, "cases": cases, "summary": summarise(runs, cases)}


def _run(name: str, setting: str, seed: int, overrides: list[str]) -> dict[str, Any] | None:
    """Run one training and return what was found and what is true; None where the setting cannot solve the problem."""
    row = ROWS[name]
    done = run_once([f"problem={row.problem}", f"seed={seed}", *row.words, *SETTINGS[setting], *overrides])
    run = {"row": name, "setting": setting, "seed": seed, "seconds": done["seconds"]}
    if "failure" in done:
        # Least squares alone refuses what is not linear.
        return None if setting in LINEAR_ONLY else {**run, "status": done["failure"].strip(), "true": None}
    metrics = done["metrics"]
    verdict, least = metrics["verdict"], metrics["reference"]["error"]
    estimate = max([*verdict["error"].values(), *verdict["unknowns"].values()], default=None)
    return {
        **run,
        "status": verdict["status"],
        "true": max(done["error"], least),
        "estimate": None if estimate is None else max(estimate, least),
        "share": verdict["seconds"] / metrics["wall_seconds"]["total"],
        "reason": verdict["reason"],
    }


def _solve(name: str, expected: str) -> dict[str, Any]:
    """Solve one of the problems whose verdict is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = pinn.solve(CASES[expected][name], seconds=20, grid=21, progress=False)
    verdict = solution.metrics["verdict"]
    return {"case": name, "expected": expected, "status": verdict["status"], "reason": verdict["reason"]}


def is_within(run: Mapping[str, Any]) -> bool:
    """Tell whether an estimate is within the factor of the true error."""
    if run["true"] is None or run["estimate"] is None:
        return False
    return 1 / FACTOR <= run["estimate"] / run["true"] <= FACTOR


def summarise(runs: Sequence[Mapping[str, Any]], cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the tables come to."""
    measured = [run for run in runs if run["true"] is not None]
    return {
        "runs": len(runs),
        "failed": len(runs) - len(measured),
        "estimates within the factor": sum(map(is_within, measured)),
        "wrong but called solved": [
            f"{run['row']}, {run['setting']}" for run in measured if run["status"] == "solved" and run["true"] > WRONG
        ],
        "good but not called solved": [
            f"{run['row']}, {run['setting']}" for run in measured if run["status"] != "solved" and run["true"] < GOOD
        ],
        "cases named rightly": sum(case["status"] == case["expected"] for case in cases),
        "cases": len(cases),
        "largest share of the time": max((run["share"] for run in measured), default=0.0),
    }


def _print(console: Console, runs: Sequence[Mapping[str, Any]], cases: Sequence[Mapping[str, Any]]) -> None:
    table = Table("problem", "setting", "true error", "estimate", "ratio", "verdict", "share of time")
    for run in sorted(runs, key=lambda run: (list(ROWS).index(run["row"]), list(SETTINGS).index(run["setting"]))):
        if run["true"] is None:
            table.add_row(run["row"], run["setting"], "failed", "", "", run["status"])
            continue
        estimate = run["estimate"]
        told = ("none", "") if estimate is None else (f"{estimate:.1e}", f"{estimate / run['true']:.2g}")
        verdict = run["status"] if is_within(run) else f"[red]{run['status']}[/red]"
        share = f"{100 * run['share']:.0f} %"
        table.add_row(run["row"], run["setting"], f"{run['true']:.1e}", *told, verdict, share)
    console.print(table)
    table = Table("case", "expected", "verdict")
    for case in cases:
        right = case["status"] == case["expected"]
        table.add_row(case["case"], case["expected"], case["status"] if right else f"[red]{case['status']}[/red]")
    console.print(table)
    for name, value in summarise(runs, cases).items():
        console.print(f"{name}: {', '.join(value) or 'none' if isinstance(value, list) else value}", highlight=False)
