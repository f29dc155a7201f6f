"""A run: from a configuration to a folder with the solution, its errors and its pictures."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.markup import escape

from pinn import checkpoint
from pinn.build import build
from pinn.errors import InputError
from pinn.figures import save_figures
from pinn.files import sweep, write_text
from pinn.folder import (
    changed_keys,
    check_changes,
    lasting,
    read_config,
    require_free,
    require_no_links,
)
from pinn.lock import locked
from pinn.memory import forget_peak, out_of_memory_in_one_line
from pinn.metrics import measure, to_json
from pinn.parts import is_left_open
from pinn.plain_yaml import to_yaml
from pinn.report import open_console, print_metrics
from pinn.results import log_pictures, log_verdict, write_history, write_solution
from pinn.shapes import Plain, about, require
from pinn.signals import Signals
from pinn.solution import RECIPE, Solution
from pinn.solver import conclude
from pinn.training import Training
from pinn.training.fit import fit
from pinn.training.held_out import columns
from pinn.training.saved import require_saved
from pinn.training.state import restore
from pinn.verdict import exit_code
from pinn.waiting import said_if_long


@out_of_memory_in_one_line()
def train(
    config: Mapping[str, Any],
    folder: Path,
    *,
    hydra: Mapping[str, Any] | None = None,
    started: float | None = None,
    signals: Signals | None = None,
) -> int:
    """Run a configuration into a folder, which holds no other run, and return the exit code.

    Args:
        config: plain values; see `configs/train.yaml`.
        folder: where everything goes; it is made when the configuration has turned out to be usable.
        hydra: Hydra's own part of the configuration and the overrides, for the record.
        started: what `time.perf_counter()` said when the run began, if it was before this.
        signals: notes signals from the folder's first file to its last.

    Raises:
        InputError: the configuration cannot be used, or the folder is not empty; nothing has been written then.
        OutOfMemory: the run needs more memory than there is.
    """
    started = time.perf_counter() if started is None else started
    forget_peak()
    console = open_console()
    require_free(folder)
    training, recipe = build(config, console)
    signals = signals or Signals()
    with signals.noted():
        (folder / ".hydra").mkdir(parents=True, exist_ok=True)
        with locked(folder / ".hydra" / "lock"):
            require_free(folder)
            write_text(folder / ".hydra" / "config.yaml", to_yaml(config))
            for name, part in (hydra or {}).items():
                write_text(folder / ".hydra" / f"{name}.yaml", to_yaml(part))
            return _finish(config, folder, training, recipe, console, started, signals)


@out_of_memory_in_one_line()
def resume(
    folder: Path, changes: Mapping[str, Any], *, started: float | None = None, signals: Signals | None = None
) -> int:
    """Go on with a run in its own folder, exactly as if it had never stopped, and return the exit code.

    Args:
        folder: of the run.
        changes: new values of `seconds`, `target_error` or `trust`. But for `trust`, which no folder may ask for, they
            stay the values of the run.
        started: what `time.perf_counter()` said when the program began.
        signals: notes signals from the first file that is written to the last.

    Raises:
        InputError: no run there, or one that is going on; a change that would make it another run; a checkpoint of
            another problem.
        OutOfMemory: the run needs more memory than there is.
    """
    check_changes(changes)
    started = time.perf_counter() if started is None else started
    forget_peak()
    written = read_config(folder)
    require_no_links(folder)
    with locked(folder / ".hydra" / "lock"):
        return _go_on(written, folder, changes, started, signals or Signals())


def _go_on(written: dict[str, Any], folder: Path, changes: Mapping[str, Any], started: float, signals: Signals) -> int:
    """Restore the training from the last checkpoint and finish it."""
    console = open_console()
    path = folder / "checkpoints" / "last.ckpt"
    saved = checkpoint.read(path, needs=("recipe", "config", "training"))
    with about(path):
        require({key: saved[key] for key in ("recipe", "config")}, {"recipe": RECIPE, "config": {str: Plain}})
    if changed := changed_keys(written, saved["config"]):
        raise InputError(
            f"{folder} cannot go on: {', '.join(changed)} in its .hydra/config.yaml changed after its checkpoint was "
            f"written. Start a new run instead."
        )
    said = {key: value for key, value in changes.items() if key != "trust"}
    config = {**written, "trust": [], **changes}
    if is_left_open(config["network"]):
        # What the plan chose at the start stays chosen; it need not be searched for again.
        config |= {"network": saved["recipe"]["network"], "slabs": "auto"}
    training, recipe = build(config, console)
    if saved["recipe"] != recipe:
        raise InputError(
            f"{folder} cannot go on: its checkpoint is of {saved['recipe']}, the program now builds {recipe}."
        )
    with about(path):
        require_saved(training, saved["training"])
    restore(training, saved["training"])
    with signals.noted():
        sweep(folder)
        if said:
            written |= said
            write_text(folder / ".hydra" / "config.yaml", to_yaml(written))
        return _finish(written, folder, training, recipe, console, started, signals)


def _finish(
    config: Mapping[str, Any],
    folder: Path,
    training: Training,
    recipe: dict[str, Any],
    console: Console,
    started: float,
    signals: Signals,
) -> int:
    """Train, measure, write everything, and say where it is."""
    # Events behind the checkpoint that a run goes on from would be there twice; its last row is written again.
    purge = int(training.history[-1]["step"]) if training.history else None
    logger = None
    if config["logger"]["tensorboard"]:
        logger = TensorBoardLogger(folder, name="", version="tensorboard", purge_step=purge)
    header = {"recipe": recipe, "config": lasting(config), "stages": list(training.stages)}
    fit(training, console=console, signals=signals, logger=logger, folder=folder / "checkpoints", header=header)
    with said_if_long(console.print, "evaluation and figures are going on"):
        evaluation = Solution(training.model, recipe).evaluate(config["grid"])
        write_solution(folder / "solution.npz", evaluation)
        write_history(folder / "history.csv", training.history)
        name = type(training.model.problem).__name__
        pictures = save_figures(evaluation, columns(training.history), list(training.stages), name, folder / "figures")
        if logger is not None:
            log_pictures(logger, pictures, training.step)
        verdict = conclude(training, estimate=config["estimate"], seed=config["seed"])
        if logger is not None:
            log_verdict(logger, verdict, training.step)
    metrics = measure(training, evaluation, verdict, seed=config["seed"], dtype=config["dtype"], started=started)
    write_text(folder / "metrics.json", to_json(metrics))
    print_metrics(console, metrics, folder, watched=logger is not None)
    if training.status == "interrupted":
        again = escape(f"python scripts/train.py resume={folder}")
        console.print(f"interrupted; go on with: {again}", highlight=False)
    return exit_code(verdict.status) if signals.received is None else 128 + signals.received
