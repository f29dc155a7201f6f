"""From a configuration to the objects that it names, each checked to be what its place in the configuration needs."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger
from rich.console import Console
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from pinn.config import check_keys
from pinn.errors import InputError
from pinn.evaluation import require_grid, require_memory
from pinn.memory import keep_freed_memory
from pinn.optimizers import Optimizer
from pinn.problems import Problem
from pinn.recipes import rebuild
from pinn.sampling import Collocation, Sampler
from pinn.solution import DTYPES
from pinn.solver import prepare
from pinn.threads import check_threads
from pinn.training import Stage, Training
from pinn.weighting import Weighting


def build(config: Mapping[str, Any], console: Console) -> tuple[Training, dict[str, Any]]:
    """Return the training that a configuration describes, and the recipe by which its model can be built again.

    Raises:
        InputError: something in the configuration cannot be used.
    """
    check_keys(config)
    import_trusted(config["trust"])
    set_up_process(config)
    for key in ("counts", "weights"):
        if not isinstance(config[key], Mapping):
            raise InputError(f"{key} must map names to numbers, as in {key}.walls=50; it was given {config[key]!r}.")
    problem = _built(config, "problem", Problem)
    require_grid(problem.domain, config["grid"])
    require_memory(problem, config["grid"], DTYPES.get(config["dtype"], torch.float64))
    collocation = partial(
        Collocation,
        sampler=_built(config, "sampling", Sampler),
        points=config["points"],
        boundary_points=config["boundary_points"],
        counts=config["counts"],
    )
    return prepare(
        problem=problem,
        network=None if left_to_the_plan(config, "network") else _built(config, "network", nn.Module),
        stages=_stages(config) or None,
        collocation=collocation,
        weighting=(
            None
            if left_to_the_plan(config, "weighting")
            else _built(config, "weighting", Weighting, weights=config["weights"])
        ),
        weights=config["weights"],
        seconds=config["seconds"],
        target_error=config["target_error"],
        seed=config["seed"],
        dtype=config["dtype"],
        compile=config["compile"],
        chunk=config["chunk"],
        accelerator=config["trainer"].get("accelerator"),
        engine=config["engine"],
        hard=config["hard"],
        slabs=config["slabs"],
        console=console,
    )


def logger_factory(config: Mapping[str, Any]) -> Callable[..., Logger] | None:
    """Return what makes the logger of a run from its folder, or None where no log is wanted."""
    return None if left_to_the_plan(config, "logger") else _built(config, "logger", Logger)


def left_to_the_plan(config: Mapping[str, Any], key: str) -> bool:
    """Whether the configuration names no class here: it is chosen later, or there is none."""
    recipe = config[key]
    return isinstance(recipe, Mapping) and "_target_" in recipe and recipe["_target_"] is None


def import_trusted(trust: Sequence[str]) -> None:
    """Import the user's own modules, which are looked for in the current folder first.

    Raises:
        InputError: no list of names, or a module that cannot be imported.
    """
    if not isinstance(trust, list) or not all(isinstance(name, str) for name in trust):
        raise InputError(f"trust must be a list of modules, as in trust=[my_module]; it was given {trust!r}.")
    here = str(Path.cwd())
    if trust and sys.path[:1] != [here]:
        sys.path.insert(0, here)
    for name in trust:
        try:
            import_module(name)
        except ImportError as error:
            raise InputError(f"trust names {name!r}, which cannot be imported from {here}: {error}.") from error


def set_up_process(config: Mapping[str, Any]) -> None:
    """Compute with the number of CPU threads that a configuration asks for, and keep memory from step to step."""
    keep_freed_memory()
    trainer = config["trainer"]
    threads = trainer.get("threads") if isinstance(trainer, Mapping) else None
    torch.set_num_threads(check_threads(threads, "trainer.threads"))


def _stages(config: Mapping[str, Any]) -> dict[str, Stage]:
    """Return the stages by name; none where the configuration leaves them to the plan."""
    stages = {}
    for name in config["training"] or {}:
        stage = _built(config["training"], name, Stage)
        _require(f"training.{name}.optimizer", stage.optimizer, torch.optim.Optimizer, Optimizer)
        if stage.schedule is not None:
            _require(f"training.{name}.schedule", stage.schedule, LRScheduler)
        stages[name] = stage
    return stages


def _built(config: Mapping[str, Any], key: str, kind: type, **arguments: Any) -> Any:
    """Build what stands at a key, or what will make it, and check its kind."""
    recipe = config[key]
    if not isinstance(recipe, Mapping) or "_target_" not in recipe:
        raise InputError(f"{key} must name a class by _target_; it was given {recipe!r}.")
    built = rebuild(recipe, config.get("trust", ()), **arguments)
    _require(key, built, kind)
    return built


def _require(key: str, built: Any, *kinds: type) -> None:
    """Raise InputError unless an object, or what a partial of a class will make, is of one of the kinds."""
    made = built.func if isinstance(built, partial) else type(built)
    if not (isinstance(made, type) and issubclass(made, kinds)):
        expected = " or a ".join(f"{kind.__module__}.{kind.__name__}" for kind in kinds)
        raise InputError(f"{key} must be a {expected}; it was given a {getattr(made, '__name__', made)}.")
