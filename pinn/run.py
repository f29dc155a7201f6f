"""A run: from a configuration to a folder with the solution, its errors and its pictures."""

import csv
import io
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from rich.console import Console
from rich.table import Table

from pinn import checkpoint
from pinn.errors import InputError
from pinn.evaluation import Evaluation
from pinn.figures import save_figures
from pinn.files import write_atomically, write_text
from pinn.problems import Problem
from pinn.recipes import rebuild
from pinn.sampling import Collocation
from pinn.solution import Solution, load
from pinn.solver import fit, measure, prepare, to_json
from pinn.training import Training
from pinn.training.module import columns

KEYS = {
    *("problem", "network", "training", "sampling", "weighting", "trainer", "logger"),
    *("seed", "dtype", "points", "boundary_points", "counts", "weights", "seconds", "target_error", "grid", "trust"),
}
"""What a configuration may say at its top level."""

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
    console = Console()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} exists and is not empty; go on with that run by resume={folder}, or name a new folder."
        )
    training, recipe = _prepare(config, console)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".hydra").mkdir()
    write_text(folder / ".hydra" / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
    for name, part in (hydra or {}).items():
        write_text(folder / ".hydra" / f"{name}.yaml", yaml.safe_dump(part, sort_keys=False, allow_unicode=True))
    return _finish(config, folder, training, recipe, console, started)


def resume(folder: Path, changes: Mapping[str, Any], *, started: float | None = None) -> int:
    """Go on with a run in its own folder, exactly as if it had never stopped, and return the exit code.

    Args:
        folder: of the run.
        changes: new values of `seconds`, `target_error` or `trust`.
        started: what `time.perf_counter()` said when the program began.

    Raises:
        InputError: no run there, a change that would make it another run, or a checkpoint of another problem.
    """
    started = time.perf_counter() if started is None else started
    console = Console()
    if refused := [key for key in changes if key not in MAY_CHANGE]:
        raise InputError(
            f"{', '.join(refused)} cannot change when a run is resumed; only {', '.join(MAY_CHANGE)} can. "
            f"Start a new run without resume=."
        )
    config = {**read_config(folder), "trust": [], **changes}
    saved = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    if _left_to_the_plan(config, "network"):
        # What the plan chose at the start stays chosen; it need not be searched for again.
        config["network"] = {**saved["recipe"]["network"], "_partial_": True}
    training, recipe = _prepare(config, console)
    if saved.get("recipe") != recipe:
        raise InputError(
            f"{folder} holds a checkpoint of {saved.get('recipe')}, its configuration says {recipe}: "
            f"a run cannot go on with another problem or network."
        )
    try:
        training.restore(saved["training"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{folder} holds a checkpoint of another training: {' '.join(str(error).split())}") from error
    return _finish(config, folder, training, recipe, console, started)


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
    console = Console()
    config = read_config(folder)
    _look_here(trust)
    torch.set_num_threads(config["trainer"]["threads"])
    solution = load(folder, trust=trust)
    evaluation = solution.evaluate(config["grid"] if grid is None else grid)
    nodes = list(next(iter(evaluation.coordinates.values())).shape)
    result = {
        "grid": nodes,
        "relative_l2": evaluation.relative_l2,
        "relative_l2_total": evaluation.relative_l2_total,
        "max_error": evaluation.max_error,
        "residual_rms": {name: row.square().mean().sqrt().item() for name, row in evaluation.residuals.items()},
    }
    table = Table(title=f"{type(solution.problem).__name__} on a grid of {' × '.join(map(str, nodes))}")
    _error_columns(table, evaluation)
    console.print(table)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        _write_solution(output / "solution.npz", evaluation)
        write_text(output / "evaluation.json", to_json(result))
        save_figures(
            evaluation, columns(solution.history), list(config["training"]), type(solution.problem).__name__, output
        )
        console.print(f"written to {output}")
    return result


def _prepare(config: Mapping[str, Any], console: Console) -> tuple[Training, dict[str, Any]]:
    """Build what a configuration says."""
    if unknown := set(config) - KEYS:
        raise InputError(f"there is no key {', '.join(sorted(unknown))}; the keys are {', '.join(sorted(KEYS))}.")
    trust = config["trust"]
    if not isinstance(trust, list) or not all(isinstance(name, str) for name in trust):
        raise InputError(f"trust must be a list of modules, as in trust=[my_module]; it was given {trust!r}.")
    threads = config["trainer"]["threads"]
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"trainer.threads must be a whole number of at least 1; it was given {threads!r}.")
    torch.set_num_threads(threads)
    _look_here(trust)
    for key in ("counts", "weights"):
        if not isinstance(config[key], dict):
            raise InputError(f"{key} must map names to numbers, as in {key}.walls=50; it was given {config[key]!r}.")
    problem = rebuild(_recipe(config, "problem"), trust)
    if not isinstance(problem, Problem):
        raise InputError(f"problem: {type(problem).__name__} is not a pinn.Problem; derive it from that class.")
    problem.domain.grid_sizes(config["grid"])
    sampler = rebuild(_recipe(config, "sampling"), trust)
    collocation = partial(
        Collocation,
        sampler=sampler,
        points=config["points"],
        boundary_points=config["boundary_points"],
        counts=config["counts"],
    )
    stages = {name: rebuild(_recipe(config["training"], name), trust) for name in config["training"] or {}}
    return prepare(
        problem=problem,
        network=_unless_auto(config, "network"),
        stages=stages or None,
        collocation=collocation,
        weighting=_unless_auto(config, "weighting", weights=config["weights"]),
        weights=config["weights"],
        seconds=config["seconds"],
        target_error=config["target_error"],
        seed=config["seed"],
        dtype=config["dtype"],
        accelerator=config["trainer"]["accelerator"],
        console=console,
    )


def _unless_auto(config: Mapping[str, Any], key: str, **arguments: Any) -> Any:
    """Build what the configuration names; an option without a target leaves the choice to the plan."""
    return None if _left_to_the_plan(config, key) else rebuild(_recipe(config, key), config["trust"], **arguments)


def _left_to_the_plan(config: Mapping[str, Any], key: str) -> bool:
    recipe = config.get(key)
    return isinstance(recipe, Mapping) and "_target_" in recipe and recipe["_target_"] is None


def _recipe(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    recipe = config.get(key)
    if not isinstance(recipe, Mapping) or "_target_" not in recipe:
        raise InputError(f"{key} must name a class by _target_; it was given {recipe!r}.")
    return recipe


def _look_here(trust: Sequence[str]) -> None:
    """Let trusted modules be found in the current folder first."""
    here = str(Path.cwd())
    if trust and sys.path[:1] != [here]:
        sys.path.insert(0, here)
    for name in trust:
        try:
            import_module(name)
        except ImportError as error:
            raise InputError(f"trust names {name!r}, which cannot be imported from {here}: {error}.") from error


def _finish(
    config: Mapping[str, Any],
    folder: Path,
    training: Training,
    recipe: dict[str, Any],
    console: Console,
    started: float,
) -> int:
    """Train, measure, write everything, and say where it is."""
    logger = _logger(config, folder, training)
    signal = fit(training, console=console, logger=logger, folder=folder / "checkpoints", recipe=recipe)
    solution = Solution(training.model, recipe, history=training.history)
    evaluation = solution.evaluate(config["grid"])
    _write_solution(folder / "solution.npz", evaluation)
    _write_history(folder / "history.csv", training)
    name = type(training.model.problem).__name__
    pictures = save_figures(evaluation, columns(training.history), list(training.stages), name, folder / "figures")
    if isinstance(logger, TensorBoardLogger):
        _log_pictures(logger, pictures, training.step)
    metrics = measure(training, evaluation, seed=config["seed"], started=started)
    write_text(folder / "metrics.json", to_json(metrics))
    _report(console, metrics, evaluation, folder, logger)
    if signal is not None:
        console.print(f"interrupted; go on with: python scripts/train.py resume={folder}", highlight=False)
        return 128 + signal
    if training.status == "diverged":
        console.print(
            f"[red]diverged[/red]: {training.reasons[-1]}; the best state before that is kept.", highlight=False
        )
    return EXIT_CODES.get(training.status, 0)


def _logger(config: Mapping[str, Any], folder: Path, training: Training) -> Logger | None:
    recipe = config["logger"]
    if not recipe.get("_target_"):
        return None
    # Events behind the checkpoint that a run goes on from would be there twice.
    make = rebuild(recipe, config["trust"])
    return make(
        save_dir=folder, name="", version="tensorboard", purge_step=training.step + 1 if training.step else None
    )


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


def _error_columns(table: Table, evaluation: Evaluation) -> None:
    table.add_column("field")
    table.add_column("relative L2", justify="right")
    table.add_column("max error", justify="right")
    for name in evaluation.fields:
        if name in evaluation.reference:
            table.add_row(name, f"{evaluation.relative_l2[name]:.2e}", f"{evaluation.max_error[name]:.2e}")
        else:
            table.add_row(name, "no reference", "")


def _report(
    console: Console, metrics: Mapping[str, Any], evaluation: Evaluation, folder: Path, logger: Logger | None
) -> None:
    """Print one table: errors, residuals, size, time, and where the files are."""
    table = Table(title=metrics["problem"], show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name in evaluation.fields:
        if name in metrics["relative_l2"]:
            error = f"{metrics['relative_l2'][name]:.2e}   (largest {metrics['max_error'][name]:.2e})"
            table.add_row(f"relative L2 error of {name}", error)
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
    wall = metrics["wall_seconds"]
    table.add_row("ended", metrics["stopped"][-1] if metrics["stopped"] else metrics["status"])
    table.add_row("wall time", f"{wall['total']:.1f} s, {wall['train']:.1f} s of it training")
    table.add_row("device", f"{metrics['device']}, {metrics['dtype']}")
    table.add_section()
    table.add_row("files", str(folder))
    if isinstance(logger, TensorBoardLogger):
        table.add_row("watch", f"tensorboard --logdir {folder}")
    console.print(table)
