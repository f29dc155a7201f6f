"""From a configuration to the objects that it names, each checked to be what its place in the configuration needs."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pinn.config import check_config
from pinn.evaluation import require_grid, require_memory
from pinn.memory import keep_freed_memory
from pinn.parts import parts_of
from pinn.prepare import prepare
from pinn.problems import Problem
from pinn.recipes import rebuild
from pinn.sampling import Collocation, Sampler
from pinn.solution import DTYPES, PROBLEM
from pinn.theirs import in_their_code
from pinn.training import Training


def build(config: Mapping[str, Any], console: Console) -> tuple[Training, dict[str, Any]]:
    """Return the training that a configuration describes, and the recipe by which its model can be built again.

    Raises:
        InputError: something in the configuration cannot be used.
    """
    problem = problem_of(config)
    require_grid(problem.domain, config["grid"])
    require_memory(problem, config["grid"], DTYPES.get(config["dtype"], torch.float64))
    parts = parts_of(config, config["trust"])
    return prepare(
        problem=problem,
        network=parts.network,
        stages=parts.stages,
        collocation=collocation_of(config, parts.sampler),
        weighting=parts.weighting,
        weights=config["weights"],
        seconds=config["seconds"],
        target_error=config["target_error"],
        seed=config["seed"],
        dtype=config["dtype"],
        compile=config["compile"],
        chunk=config["chunk"],
        accelerator=config["trainer"]["accelerator"],
        engine=config["engine"],
        hard=config["hard"],
        slabs=config["slabs"],
        console=console,
    )


def problem_of(config: Mapping[str, Any]) -> Problem:
    """Set the process up for a configuration, and return the problem that it names.

    Raises:
        InputError: something in the configuration cannot be used.
    """
    check_config(config)
    import_trusted(config["trust"])
    set_up_process(config["trainer"]["threads"])
    return rebuild(config["problem"], PROBLEM, config["trust"])


def collocation_of(config: Mapping[str, Any], sampler: Sampler) -> Callable[..., Collocation]:
    """Return what makes the points of a problem that a configuration asks for."""
    return partial(
        Collocation,
        sampler=sampler,
        points=config["points"],
        boundary_points=config["boundary_points"],
        counts=config["counts"],
    )


def import_trusted(trust: Sequence[str]) -> None:
    """Import the user's own modules, which are looked for in the current folder first.

    Raises:
        InputError: a module that cannot be imported.
    """
    here = str(Path.cwd())
    if trust and sys.path[:1] != [here]:
        sys.path.insert(0, here)
    for name in trust:
        with in_their_code(f"trust names {name!r}, which cannot be imported from {here}"):
            import_module(name)


def set_up_process(threads: int) -> None:
    """Compute with so many CPU threads, and keep memory from step to step."""
    keep_freed_memory()
    torch.set_num_threads(threads)
