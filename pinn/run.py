"""A run: from a configuration to a folder with the solution, its errors and its pictures."""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from rich.console import Console

from pinn import checkpoint
from pinn.build import build, import_trusted, left_to_the_plan, logger_factory, set_up_process
from pinn.errors import InputError
from pinn.evaluation import Evaluation
from pinn.figures import save_figures
from pinn.files import write_atomically, write_text
from pinn.lock import locked
from pinn.metrics import measure, to_json
from pinn.report import open_console, print_errors, print_metrics
from pinn.solution import Solution, load
from pinn.solver import fit
from pinn.training import Training
from pinn.training.held_out import columns

MAY_CHANGE = ("seconds", "target_error", "trust")
"""What may be said anew when a run is resumed: everything else would make it another run."""

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
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} exists and is not empty; go on with that run by resume={folder}, or name a new folder."
        )
    training, recipe = build(config, console)
    make_logger = logger_factory(config)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / ".hydra").mkdir()
    except FileExistsError as error:
        raise InputError(f"another run has just begun in {folder}; name a new folder.") from error
    write_text(folder / ".hydra" / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
    for name, part in (hydra or {}).items():
        write_text(folder / ".hydra" / f"{name}.yaml", yaml.safe_dump(part, sort_keys=False, allow_unicode=True))
    with locked(folder / ".hydra" / "lock"):
        return _finish(config, folder, training, recipe, make_logger, console, started)


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
    if refused := [key for key in changes if key not in MAY_CHANGE]:
        raise InputError(
            f"{', '.join(refused)} cannot change when a run is resumed; only {', '.join(MAY_CHANGE)} can. "
            f"Start a new run without resume=."
        )
    started = time.perf_counter() if started is None else started
    written = read_config(folder)
    with locked(folder / ".hydra" / "lock"):
        return _go_on(written, folder, changes, started)


def _go_on(written: dict[str, Any], folder: Path, changes: Mapping[str, Any], started: float) -> int:
    """Restore the training from the last checkpoint and finish it."""
    console = open_console()
    saved = checkpoint.read(folder / "checkpoints" / "last.ckpt", needs=("recipe", "config", "training"))
    if changed := [key for key, value in _lasting(written).items() if saved["config"].get(key, ()) != value]:
        raise InputError(
            f"{folder} cannot go on: {', '.join(changed)} in its .hydra/config.yaml changed after its checkpoint was "
            f"written. Start a new run instead."
        )
    config = {**written, "trust": [], **changes}
    try:
        if left_to_the_plan(config, "network"):
            # What the plan chose at the start stays chosen; it need not be searched for again.
            config |= {"network": {**saved["recipe"]["network"], "_partial_": True}, "slabs": "auto"}
        training, recipe = build(config, console)
        if saved["recipe"] != recipe:
            raise InputError(
                f"{folder} cannot go on: its checkpoint is of {saved['recipe']}, the program now builds {recipe}."
            )
        training.restore(saved["training"])
    except InputError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder} holds a checkpoint of another training: {' '.join(str(error).split())}") from error
    return _finish(written, folder, training, recipe, logger_factory(config), console, started)


def _lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that makes a run the run that it is."""
    return {key: value for key, value in config.items() if key not in MAY_CHANGE}


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a run as plain values; nothing in it is interpolated or built.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / ".hydra" / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder} is not the folder of a run: it has no .hydra/config.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no configuration.")
    return config


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
    config = read_config(folder)
    import_trusted(list(trust))
    set_up_process(config)
    solution = load(folder, trust=trust)
    evaluation = solution.evaluate(config["grid"] if grid is None else grid)
    result = {
        "grid": list(next(iter(evaluation.coordinates.values())).shape),
        "relative_l2": evaluation.relative_l2,
        "relative_l2_total": evaluation.relative_l2_total,
        "max_error": evaluation.max_error,
        "residual_rms": evaluation.residual_rms,
    }
    name = type(solution.problem).__name__
    print_errors(console, solution.problem, evaluation)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        _write_solution(output / "solution.npz", evaluation)
        write_text(output / "evaluation.json", to_json(result))
        save_figures(evaluation, columns(solution.history), list(config["training"]), name, output)
        console.print(f"written to {output}")
    return result


def _finish(
    config: Mapping[str, Any],
    folder: Path,
    training: Training,
    recipe: dict[str, Any],
    make_logger: Callable[..., Logger] | None,
    console: Console,
    started: float,
) -> int:
    """Train, measure, write everything, and say where it is."""
    # Events behind the checkpoint that a run goes on from would be there twice; its last row is written again.
    purge = int(training.history[-1]["step"]) if training.history else None
    logger = make_logger and make_logger(save_dir=folder, name="", version="tensorboard", purge_step=purge)
    header = {"recipe": recipe, "config": _lasting(config)}
    signal = fit(training, console=console, logger=logger, folder=folder / "checkpoints", header=header)
    evaluation = Solution(training.model, recipe).evaluate(config["grid"])
    _write_solution(folder / "solution.npz", evaluation)
    _write_history(folder / "history.csv", training)
    name = type(training.model.problem).__name__
    pictures = save_figures(evaluation, columns(training.history), list(training.stages), name, folder / "figures")
    if isinstance(logger, TensorBoardLogger):
        _log_pictures(logger, pictures, training.step)
    metrics = measure(training, evaluation, seed=config["seed"], dtype=config["dtype"], started=started)
    write_text(folder / "metrics.json", to_json(metrics))
    print_metrics(console, metrics, folder, watched=isinstance(logger, TensorBoardLogger))
    if signal is not None and training.status == "interrupted":
        console.print(f"interrupted; go on with: python scripts/train.py resume={folder}", highlight=False)
        return 128 + signal
    if training.status == "diverged":
        console.print(
            f"[red]diverged[/red]: {training.reasons[-1]}; the best state before that is kept.", highlight=False
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
