"""From a problem to its solution: build, check, train, measure."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from rich.console import Console
from torch import nn

from pinn.compilation import Compile
from pinn.evaluation import require_grid, require_memory
from pinn.memory import Chunk, out_of_memory_in_one_line
from pinn.metrics import measure
from pinn.options import check as check_options
from pinn.parts import parts_from
from pinn.prepare import prepare
from pinn.problems import Problem, require_problem
from pinn.sampling import Collocation, Sampler
from pinn.signals import Signals
from pinn.solution import DTYPES, Solution
from pinn.threads import using_threads
from pinn.training import Stage, Training
from pinn.training.fit import fit
from pinn.verdict import Verdict, judge
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
    estimate: bool = True,
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
        estimate: whether the error is estimated, by an independent correction of the fields; without it the verdict
            knows the residuals alone. See `pinn.verdict`.
        progress: whether to show how it goes.

    Raises:
        InputError: something that was given does not fit; nothing has been trained then.
        OutOfMemory: it needs more memory than there is.

    Warns:
        UserWarning: what is returned is no solution; it says why, and what to do.
    """
    started = time.perf_counter()
    console = Console(stderr=True, quiet=not progress)
    require_problem(problem)
    told = {"seed": seed, "dtype": dtype, "points": points, "boundary_points": boundary_points, "seconds": seconds}
    told |= {"counts": counts or {}, "weights": weights or {}, "grid": grid, "slabs": slabs, "engine": engine}
    told |= {"compile": compile, "chunk": chunk, "hard": hard, "accelerator": accelerator, "estimate": estimate}
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
        verdict = conclude(training, estimate=estimate, seed=seed)
        solution.metrics = measure(training, evaluation, verdict, seed=seed, dtype=dtype, started=started)
    console.print(verdict.told(), highlight=False)
    if not verdict.solved:
        warnings.warn(str(verdict), stacklevel=2)
    return solution


def conclude(training: Training, *, estimate: bool, seed: int) -> Verdict:
    """Say what a finished training has come to: how it ended, where that is no end of a solution, or else its worth.

    Args:
        training: with its best state in the model.
        estimate: whether the error is estimated; see `pinn.verdict.judge`.
        seed: of the training.
    """
    cut_short = training.status in ("diverged", "interrupted")
    verdict = judge(
        training.model,
        training.draws.collocation,
        training.weighting.weights,
        estimate=estimate and not cut_short,
        seed=seed,
    )
    if training.status == "diverged":
        return replace(verdict, status="diverged", reason=f"{training.reasons[-1]}; the best state before that is kept")
    if training.status == "interrupted":
        reason = f"a signal ended the training after {training.step} steps; this is no finished solution"
        return replace(verdict, status="interrupted", reason=reason)
    if training.model.is_whole:
        return verdict
    status = "not solved" if verdict.solved else verdict.status
    return replace(verdict, status=status, reason=f"the march ended at {training.model.reached()}; {verdict.reason}")
