"""What a run says at its end: one table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pinn.evaluation import Evaluation
from pinn.inspection import Check
from pinn.problems import Problem


def open_console() -> Console:
    """Return where a run speaks: a terminal, or a log whose lines stay whole, so that paths can be copied from it."""
    console = Console()
    return console if console.is_terminal else Console(width=400)


def print_metrics(console: Console, metrics: Mapping[str, Any], folder: Path, watched: bool) -> None:
    """Print what `metrics.json` holds: errors, residuals, size, time, and where the files are.

    Args:
        console: where.
        metrics: of the run.
        folder: of the run.
        watched: whether TensorBoard can show it.
    """
    table = Table(title=metrics["problem"], show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    _add_verdict(table, metrics["verdict"])
    for name, error in metrics["relative_l2"].items():
        claim = _claim(error, metrics["reference"]["error"])
        _add_row(table, f"relative L2 error of {name}", f"{claim}   (largest {metrics['max_error'][name]:.2e})")
    if metrics["reference"]:
        reference = metrics["reference"]
        _add_row(table, "reference", f"{reference['kind']}, its own error {reference['error']:.0e}")
    else:
        _add_row(table, "reference", "none")
    table.add_section()
    for name, value in metrics["residual_rms"].items():
        _add_row(table, f"residual of {name} (rms)", f"{value:.2e}")
    for name, value in metrics["unknowns"].items():
        _add_row(table, f"unknown {name}", f"{value:.8g}")
    table.add_section()
    _add_row(table, "parameters", f"{metrics['parameters']:,}")
    _add_row(table, "steps", f"{metrics['steps']:,} (best after {metrics['best_step']:,})")
    _add_row(table, "ended", metrics["stopped"][-1] if metrics["stopped"] else metrics["status"])
    wall = metrics["wall_seconds"]
    _add_row(table, "wall time", f"{wall['total']:.1f} s, {wall['train']:.1f} s of it training")
    _add_row(table, "device", f"{metrics['device']}, {metrics['dtype']}")
    table.add_section()
    _add_row(table, "files", str(folder))
    if watched:
        _add_row(table, "watch", f"tensorboard --logdir {folder}")
    console.print(table)


def _add_verdict(table: Table, verdict: Mapping[str, Any]) -> None:
    """Add what a solution is worth, and how far its fields are supposed to be off."""
    colour = "green" if verdict["status"] == "solved" else "red"
    status = verdict["status"] if verdict["status"] == "solved" else f"{verdict['status']}:"
    table.add_row("verdict", f"[{colour}]{status}[/] {escape(verdict['reason'])}")
    for name, error in {**verdict["error"], **verdict["unknowns"]}.items():
        _add_row(table, f"estimated error of {name}", f"{error:.1e}")
    for note in verdict["notes"]:
        _add_row(table, "note", note)
    table.add_section()


def _add_row(table: Table, *cells: str) -> None:
    """Add a row of cells as they are: names and folders may have brackets, which mean something to rich."""
    table.add_row(*map(escape, cells))


def _claim(error: float, known: float) -> str:
    """Return an error as it may be claimed: never below that of the reference."""
    return f"{error:.2e}" if error >= known else f"below {known:.0e}"


def print_check(console: Console, found: Check, picture: Path) -> None:
    """Print what was found out about a problem, and where the picture of its points is."""
    table = Table(title=found.title, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    status = "[green]nothing speaks against it[/]" if found.ok else "[red]it has no solution, or many[/]"
    table.add_row("verdict", status)
    for heading, text in found.lines():
        _add_row(table, heading, text)
    _add_row(table, "points are drawn in", str(picture))
    console.print(table)


def print_errors(console: Console, problem: Problem, evaluation: Evaluation) -> None:
    """Print the errors of every field on a grid or at scattered points."""
    reference = problem.reference()
    shape = next(iter(evaluation.coordinates.values())).shape
    where = f"on a grid of {' × '.join(map(str, shape))}" if evaluation.on_grid else f"at {shape.numel():,} points"
    table = Table(title=f"{type(problem).__name__} {where}", title_justify="left")
    table.add_column("field")
    table.add_column("relative L2", justify="right")
    table.add_column("max error", justify="right")
    for name in evaluation.fields:
        if reference is not None and name in evaluation.reference:
            claim = _claim(evaluation.relative_l2[name], reference.error)
            _add_row(table, name, claim, f"{evaluation.max_error[name]:.2e}")
        else:
            _add_row(table, name, "no reference", "")
    console.print(table)
