"""A run: from a configuration to a folder with the solution, its errors and its pictures."""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.markup import escape

from pinn import checkpoint
from pinn.build import build, import_trusted, set_up_process
from pinn.config import check_config
from pinn.errors import InputError
from pinn.evaluation import Evaluation
from pinn.figures import save_figures
from pinn.files import sweep, write_atomically, write_text
from pinn.folder import (
    changed_keys,
    check_changes,
    lasting,
    read_config,
    require_file,
    require_free,
    require_no_links,
)
from pinn.lock import locked
from pinn.metrics import measure, to_json
from pinn.parts import is_left_open
from pinn.plain_yaml import to_yaml
from pinn.report import open_console, print_errors, print_metrics
from pinn.shapes import HISTORY, Plain, about, require
from pinn.solution import RECIPE, Solution, restore
from pinn.solver import fit
from pinn.training import Training
from pinn.training.held_out import columns
from pinn.training.saved import require_history, require_saved

EXIT_CODES = {"diverged": 3}
"""Of the statuses that are failures; the others end with 0."""


def train(
    config: Mapping[str, Any], folder: Path, *, hydra: Mapping[str, Any] | None = None, started: float | None = None
) -> int:
    """Run a configuration into a folder, which must not exist or be empty, and return the exit code.

    Args:
        config: plain values; see `configs/train.yaml`.
        folder: where everything goes; it is made when the configuration has turned out to be usable.
        hydra: Hydra's own part of the configuration and the overrides, for the record.
        started: what `time.perf_counter()` said when the program began.

    Raises:
        InputError: the configuration cannot be used, or the folder is not empty; nothing has been written then.
    """
    started = time.perf_counter() if started is None else started
    console = open_console()
    require_free(folder)
    training, recipe = build(config, console)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / ".hydra").mkdir()
    except FileExistsError as error:
        raise InputError(f"another run has just begun in {folder}; name a new folder.") from error
    write_text(folder / ".hydra" / "config.yaml", to_yaml(config))
    for name, part in (hydra or {}).items():
        write_text(folder / ".hydra" / f"{name}.yaml", to_yaml(part))
    with locked(folder / ".hydra" / "lock"):
        return _finish(config, folder, training, recipe, console, started)


def resume(folder: Path, changes: Mapping[str, Any], *, started: float | None = None) -> int:
    """Go on with a run in its own folder, exactly as if it had never stopped, and return the exit code.

    Args:
        folder: of the run.
        changes: new values of `seconds`, `target_error` or `trust`.
        started: what `time.perf_counter()` said when the program began.

    Raises:
        InputError: no run there, or one that is going on; a change that would make it another run; a checkpoint of
            another problem.
    """
    check_changes(changes)
    started = time.perf_counter() if started is None else started
    written = read_config(folder)
    require_no_links(folder)
    with locked(folder / ".hydra" / "lock"):
        return _go_on(written, folder, changes, started)


def _go_on(written: dict[str, Any], folder: Path, changes: Mapping[str, Any], started: float) -> int:
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
    training.restore(saved["training"])
    sweep(folder)
    return _finish(written, folder, training, recipe, console, started)


def evaluate(
    folder: Path, *, grid: int | Mapping[str, int] | None = None, trust: Sequence[str] = (), output: Path | None = None
) -> dict[str, Any]:
    """Load the best state of a run, evaluate it on a mesh grid, print the errors and return them.

    Args:
        folder: of the run.
        grid: nodes a coordinate, or by coordinate; by default the run's own, which gives the run's own numbers.
        trust: your own modules that the run needs.
        output: a folder for `solution.npz` and the figures on that grid, if they are wanted.
    """
    console = open_console()
    path = require_file(folder, "checkpoints/best.ckpt")
    content = checkpoint.read(path, needs=("recipe", "state", "history", "config", "stages"))
    with about(path):
        require(content["stages"], [str], "stages")
        require(content["history"], HISTORY, "history")
        require_history(content["history"], len(content["stages"]))
        require(content["config"], {str: Plain}, "config")
        config = {"seconds": None, "target_error": None, "trust": [], **content["config"]}
        check_config(config)
    import_trusted(trust)
    set_up_process(config["trainer"]["threads"])
    solution = restore(content, path, trust=trust)
    evaluation = solution.evaluate(config["grid"] if grid is None else grid)
    result = {
        "grid": list(next(iter(evaluation.coordinates.values())).shape),
        "relative_l2": evaluation.relative_l2,
        "relative_l2_total": evaluation.relative_l2_total,
        "max_error": evaluation.max_error,
        "residual_rms": {name: row.square().mean().sqrt().item() for name, row in evaluation.residuals.items()},
    }
    name = type(solution.problem).__name__
    print_errors(console, solution.problem, evaluation)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        _write_solution(output / "solution.npz", evaluation)
        write_text(output / "evaluation.json", to_json(result))
        save_figures(evaluation, columns(solution.history), content["stages"], name, output)
        console.print(f"written to {escape(str(output))}")
    return result


def _finish(
    config: Mapping[str, Any],
    folder: Path,
    training: Training,
    recipe: dict[str, Any],
    console: Console,
    started: float,
) -> int:
    """Train, measure, write everything, and say where it is."""
    # Events behind the checkpoint that a run goes on from would be there twice; its last row is written again.
    purge = int(training.history[-1]["step"]) if training.history else None
    logger = None
    if config["logger"]["tensorboard"]:
        logger = TensorBoardLogger(folder, name="", version="tensorboard", purge_step=purge)
    header = {"recipe": recipe, "config": lasting(config), "stages": list(training.stages)}
    signal = fit(training, console=console, logger=logger, folder=folder / "checkpoints", header=header)
    evaluation = Solution(training.model, recipe).evaluate(config["grid"])
    _write_solution(folder / "solution.npz", evaluation)
    _write_history(folder / "history.csv", training)
    name = type(training.model.problem).__name__
    pictures = save_figures(evaluation, columns(training.history), list(training.stages), name, folder / "figures")
    if logger is not None:
        _log_pictures(logger, pictures, training.step)
    metrics = measure(training, evaluation, seed=config["seed"], dtype=config["dtype"], started=started)
    write_text(folder / "metrics.json", to_json(metrics))
    print_metrics(console, metrics, folder, watched=logger is not None)
    if signal is not None and training.status == "interrupted":
        again = escape(f"python scripts/train.py resume={folder}")
        console.print(f"interrupted; go on with: {again}", highlight=False)
        return 128 + signal
    if training.status == "diverged":
        console.print(
            f"[red]diverged[/red]: {escape(training.reasons[-1])}; the best state before that is kept.", highlight=False
        )
    return EXIT_CODES.get(training.status, 0)


def _log_pictures(logger: TensorBoardLogger, pictures: Sequence[Path], step: int) -> None:
    from matplotlib.image import imread

    for path in pictures:
        logger.experiment.add_image(path.stem, imread(path)[..., :3], step, dataformats="HWC")
    logger.finalize("success")


def _write_solution(path: Path, evaluation: Evaluation) -> None:
    """Write flat arrays of equal length: coordinates, fields, and references as `<field>_reference`."""
    arrays = {
        **evaluation.coordinates,
        **evaluation.fields,
        **{f"{name}_reference": values for name, values in evaluation.reference.items()},
    }
    flat: dict[str, Any] = {name: values.flatten().numpy() for name, values in arrays.items()}
    write_atomically(path, lambda file: np.savez_compressed(file, **flat))


def _write_history(path: Path, training: Training) -> None:
    text = io.StringIO()
    table = columns(training.history)
    writer = csv.writer(text)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    write_text(path, text.getvalue())
