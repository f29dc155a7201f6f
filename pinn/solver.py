"""From a problem to its solution: build, check, train, measure."""

import signal
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from pinn.checks import check, check_jacobian
from pinn.compilation import Compile, CompiledStep
from pinn.engines import choose_engines
from pinn.errors import InputError
from pinn.evaluation import require_grid, require_memory
from pinn.hard_conditions import choose_conditions
from pinn.memory import Chunk, choose_chunk, out_of_memory_in_one_line
from pinn.metrics import measure
from pinn.networks import RandomFeatures
from pinn.objective import Objective
from pinn.options import check as check_options
from pinn.parts import parts_from
from pinn.plan import makes, plan
from pinn.problems import Problem, require_problem, try_out
from pinn.sampling import Collocation, Sampler
from pinn.signals import Signals
from pinn.solution import DTYPES, Solution, build_model, write_recipe
from pinn.threads import using_threads
from pinn.training import Stage, Training
from pinn.training.budget import Budget
from pinn.training.fit import fit
from pinn.training.module import HELD_OUT
from pinn.training.precision import describe_precision
from pinn.training.rehearsal import rehearse
from pinn.waiting import said_if_long
from pinn.weighting import Weighting


def solve(
    problem: Problem,
    *,
    network: Callable[..., nn.Module] | str | None = None,
    stages: Mapping[str, Stage] | str | None = None,
    points: int = 2500,
    boundary_points: int = 400,
    counts: Mapping[str, int] | None = None,
    sampler: Sampler | str | None = None,
    weighting: Weighting | str | None = None,
    weights: Mapping[str, float] | None = None,
    seconds: float | None = 50.0,
    seed: int = 0,
    dtype: str = "float64",
    compile: Compile = "auto",
    chunk: Chunk = "auto",
    threads: int | None = 1,
    accelerator: str = "auto",
    engine: str = "auto",
    hard: bool = False,
    slabs: int | Literal["auto"] = "auto",
    grid: int = 101,
    progress: bool = True,
) -> Solution:
    """Solve a problem and return its fields, ready to be evaluated anywhere.

    ```python
    solution = pinn.solve(Poisson(), seconds=20)
    solution(x=0.5, y=0.5)["u"]
    ```

    Network, stages, sampler and weighting may be names of options: `network="mlp"`, `stages="adam_lbfgs"`,
    `sampler="rad"`, with the defaults that the option has on the command line.

    Ctrl-C and SIGTERM end the training after the iteration in progress: a warning says so, and the best state so far
    is returned. A second signal does what it would do elsewhere.

    Args:
        problem: what to solve. It is copied; the copy, with the coefficients that were found, is `solution.problem`.
        network: called with the numbers of inputs and outputs, as `functools.partial(MLP, width=32)`; chosen from the
            problem if None, see `pinn.plan`.
        stages: optimizers by name, in order; chosen likewise if None.
        points: collocation points of each constraint on the interior.
        boundary_points: of each constraint on a region of lower dimension.
        counts: numbers of points for single constraints, by name.
        sampler: how points are placed; by default a Sobol sequence, shifted anew at each draw.
        weighting: how residuals are scaled; chosen likewise if None.
        weights: of constraints or single residuals in the objective, by name, for the weighting that is chosen.
        seconds: the longest time to plan and to train; None for no limit.
        seed: of network and points.
        dtype: float64, float32, or mixed: float32 in the stages of first order at the beginning, float64 in those
            behind them and in the solution; see `pinn.training.precision`.
        compile: whether steps of first order are compiled: True, False, or "auto", which weighs the time that it takes;
            see `pinn.compilation`.
        chunk: how many points are evaluated at a time: a number, None for all, or "auto" for what fits into memory.
        threads: of torch on the CPU while this function runs, after which they are as many as before; None changes
            nothing. Small networks gain little from a second one, and lose a lot where another program needs it.
        accelerator: auto, cpu, gpu or mps.
        slabs: of time, that a problem which is not linear is marched through in; auto finds their number by trials.
        engine: how derivatives are computed: reverse, taylor, or auto for the one with less work in each constraint.
        hard: whether conditions are built into the fields where that can be; see `pinn.hard_conditions`.
        grid: nodes a coordinate of the mesh grid on which `metrics` are measured; with more than three coordinates
            grid² scattered points.
        progress: whether to show how it goes.

    Raises:
        InputError: something that was given does not fit; nothing has been trained then.
        OutOfMemory: it needs more memory than there is.
    """
    started = time.perf_counter()
    console = Console(stderr=True, quiet=not progress)
    require_problem(problem)
    told = {"seed": seed, "dtype": dtype, "points": points, "boundary_points": boundary_points, "seconds": seconds}
    told |= {"counts": counts or {}, "weights": weights or {}, "grid": grid, "slabs": slabs, "engine": engine}
    told |= {"compile": compile, "chunk": chunk, "hard": hard, "accelerator": accelerator}
    check_options(told if threads is None else told | {"threads": threads})
    require_grid(problem.domain, grid)
    require_memory(problem, grid, DTYPES.get(dtype, torch.float64))
    parts = parts_from(network, sampler, weighting, stages, weights)
    with out_of_memory_in_one_line(), using_threads(threads):
        training, recipe = prepare(
            problem=problem,
            network=parts.network,
            stages=parts.stages,
            collocation=partial(
                Collocation, sampler=parts.sampler, points=points, boundary_points=boundary_points, counts=counts
            ),
            weighting=parts.weighting,
            weights=weights,
            seconds=seconds,
            seed=seed,
            dtype=dtype,
            compile=compile,
            chunk=chunk,
            accelerator=accelerator,
            engine=engine,
            hard=hard,
            slabs=slabs,
            console=console,
        )
        signals = Signals()
        with signals.noted():
            fit(training, console=console, signals=signals)
        solution = Solution(training.model, recipe, history=training.history)
        evaluation = solution.evaluate(grid)
        solution.metrics = measure(training, evaluation, seed=seed, dtype=dtype, started=started)
    if signals.received is not None and training.status == "interrupted":
        name = signal.Signals(signals.received).name
        warnings.warn(
            f"{name} ended the training after {training.step} steps: this is no finished solution.", stacklevel=2
        )
    return solution


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
    conditions = found.conditions if found else ()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(problem, chosen.network, precision, conditions).to(device)
    first = next(iter(chosen.stages.values()), None)
    if first is not None:
        model.select(first.part, first.slab)
    check(model, points(0))
    points.leave_out([name for name, few in points(0).items() if not _row_names(model, name, few)])
    draw = points(0)
    jacobian = any(stage.make(model.parameters()).needs == "jacobian" for stage in chosen.stages.values())
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
    for name, stage in chosen.stages.items():
        rehearse(stage, name, [parameter for parameter in model.parameters() if parameter.requires_grad])
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
