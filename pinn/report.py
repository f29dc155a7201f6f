"""What a run says at its end: one table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pinn.evaluation import Evaluation
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
    for name, error in metrics["relative_l2"].items():
        claim = _claim(error, metrics["reference"]["error"])
        table.add_row(f"relative L2 error of {name}", f"{claim}   (largest {metrics['max_error'][name]:.2e})")
    if metrics["reference"]:
        reference = metrics["reference"]
        table.add_row("reference", f"{reference['kind']}, its own error {reference['error']:.0e}")
    else:
        table.add_row("reference", "none: judge by the residuals")
    table.add_section()
    for name, value in metrics["residual_rms"].items():
        table.add_row(f"residual of {name} (rms)", f"{value:.2e}")
    for name, value in metrics["unknowns"].items():
        table.add_row(f"unknown {name}", f"{value:.8g}")
    table.add_section()
    table.add_row("parameters", f"{metrics['parameters']:,}")
    table.add_row("steps", f"{metrics['steps']:,} (best after {metrics['best_step']:,})")
    table.add_row("ended", metrics["stopped"][-1] if metrics["stopped"] else metrics["status"])
    wall = metrics["wall_seconds"]
    table.add_row("wall time", f"{wall['total']:.1f} s, {wall['train']:.1f} s of it training")
    table.add_row("device", f"{metrics['device']}, {metrics['dtype']}")
    table.add_section()
    table.add_row("files", str(folder))
    if watched:
        table.add_row("watch", f"tensorboard --logdir {folder}")
    console.print(table)


def _claim(error: float, known: float) -> str:
    """Return an error as it may be claimed: never below that of the reference."""
    return f"{error:.2e}" if error >= known else f"below {known:.0e}"


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
            table.add_row(name, claim, f"{evaluation.max_error[name]:.2e}")
        else:
            table.add_row(name, "no reference", "")
    console.print(table)
