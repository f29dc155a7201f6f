"""From a problem to a training: everything that it needs is chosen, built and checked."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from pinn.checks import check, check_jacobian
from pinn.compilation import Compile, CompiledStep
from pinn.engines import choose_engines
from pinn.errors import InputError
from pinn.hard_conditions import choose_conditions, periodic_conditions
from pinn.marching import Marching
from pinn.memory import Chunk, choose_chunk
from pinn.networks import Marched, RandomFeatures
from pinn.objective import Objective
from pinn.plan import makes, plan
from pinn.problems import Problem, try_out
from pinn.sampling import Collocation
from pinn.solution import DTYPES, build_model, write_recipe
from pinn.training import Stage, Training
from pinn.training.budget import Budget
from pinn.training.module import HELD_OUT
from pinn.training.precision import describe_precision
from pinn.training.rehearsal import rehearse
from pinn.waiting import said_if_long
from pinn.weighting import Weighting


def prepare(
    *,
    problem: Problem,
    network: Callable[..., nn.Module] | None,
    stages: Mapping[str, Stage] | None,
    collocation: Callable[..., Collocation],
    weighting: Weighting | None,
    weights: Mapping[str, float] | None,
    seconds: float | None,
    seed: int,
    dtype: str,
    compile: Compile,
    chunk: Chunk,
    accelerator: str,
    engine: str,
    hard: bool,
    slabs: int | Literal["auto"],
    target_error: float | None = None,
    console: Console,
) -> tuple[Training, dict[str, Any]]:
    """Build everything that a training needs, on its device, and check that it fits together.

    Returns:
        the training and the recipe by which its model can be built again.

    Raises:
        InputError: it does not fit; the message says what and how to fix it.
    """
    mixed = dtype == "mixed"
    precision = torch.float64 if mixed else DTYPES[dtype]
    device = choose_device(accelerator, precision, console)
    budget = Budget(seconds, like=torch.zeros(0, dtype=precision, device=device))
    step = CompiledStep(
        compile, say=lambda line: console.print(f"[bold]compile[/bold] {escape(line)}", highlight=False), clock=budget
    )
    points = collocation(problem, seed=seed).to(device, precision)
    problem = problem.copied(device, precision)
    draws = [points(draw) for draw in (0, HELD_OUT)]
    try_out(problem, {c: {key: torch.cat([draw[c][key] for draw in draws]) for key in draws[0][c]} for c in draws[0]})
    # Only the first slab of time starts where the conditions that are built in do.
    slabs = 1 if hard and slabs == "auto" else slabs
    budget.start()
    with said_if_long(console.print, "[bold]plan[/bold] going on: trials tell what suits the problem"):
        chosen = plan(problem, points, network, stages, weighting, weights, slabs, budget)
    budget.halt()
    if None in (network, stages, weighting):
        console.print(f"[bold]plan[/bold] {chosen.reason}", highlight=False)
    found = choose_conditions(hard, problem, fixed_features=makes(chosen.network, RandomFeatures))
    if found is not None:
        console.print(f"[bold]hard[/bold] {found.describe()}", highlight=False)
    conditions = found.conditions if found else periodic_conditions(problem) if makes(chosen.network, Marched) else ()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build_model(problem, chosen.network, precision, conditions).to(device)
    first = next(iter(chosen.stages.values()), None)
    if first is not None:
        model.select(first.part, first.slab)
    if first is not None and isinstance(model, Marching) and model.slabs.grows:
        # Else an equation that divides by its fields would be looked at where they are zero.
        first.make(model.parameters()).run(Objective(model, points(0), chosen.weighting), 0)
    check(model, points(0))
    points.leave_out([name for name, few in points(0).items() if not _row_names(model, name, few)])
    draw = points(0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizers = [rehearse(stage, name, trained) for name, stage in chosen.stages.items()]
    jacobian = any(optimizer.needs == "jacobian" for optimizer in optimizers)
    with warnings.catch_warnings():
        if not console.quiet:
            warnings.simplefilter("ignore")  # the line below says it
        with said_if_long(console.print, "[bold]engine[/bold] going on: operations are counted"):
            engines = choose_engines(engine, model, draw, jacobian=jacobian)
    model.engines = engines.by_constraint
    check_jacobian(model, draw)
    console.print(f"[bold]engine[/bold] {engines.reason}", highlight=False)
    # A weight for a condition that is built in does no harm.
    chosen.weighting.check([*model.hard.rows, *(row for name in draw for row in _row_names(model, name, draw[name]))])
    at_a_time = choose_chunk(chunk, Objective(model, draw, chosen.weighting))
    if chunk == "auto" and at_a_time is not None:
        console.print(f"[bold]chunk[/bold] {at_a_time} points at a time fit into the free memory", highlight=False)
    training = Training(model, points, chosen.weighting, chosen.stages, budget, target_error, step, at_a_time, mixed)
    if mixed:
        line = describe_precision(list(training.stages), training.far)
        console.print(f"[bold]mixed[/bold] {escape(line)}", highlight=False)
    return training, write_recipe(problem, chosen.network, precision, conditions)


def _row_names(model: nn.Module, constraint: str, points: Mapping[str, torch.Tensor]) -> list[str]:
    with torch.enable_grad():
        leaves = {name: values[:1].detach().requires_grad_() for name, values in points.items()}
        return list(model(constraint, leaves))


def choose_device(accelerator: str, dtype: torch.dtype, console: Console) -> torch.device:
    """Return the device to train on: `auto` takes a GPU if there is one.

    Apple's GPUs have no float64; for it the CPU is used, and that is said.

    Raises:
        InputError: one that this machine has not.
    """
    available = {"cpu": True, "gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator == "auto":
        accelerator = next((name for name in ("gpu", "mps") if available[name]), "cpu")
    elif not available[accelerator]:
        raise InputError(f"this machine has no accelerator {accelerator!r}; use trainer.accelerator=auto or cpu.")
    if accelerator == "mps" and dtype == torch.float64:
        console.print("This GPU has no float64, so the CPU is used; dtype=float32 would use the GPU.")
        accelerator = "cpu"
    return torch.device("cuda" if accelerator == "gpu" else accelerator)
