"""What a training costs beyond its steps: the same steps of Adam in `pinn.training` and in a loop of three lines."""

import time
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from benchmarks.speed_cases import objective_of
from lightning.pytorch import Callback
from rich.console import Console

from pinn.compilation import CompiledStep
from pinn.objective import Objective
from pinn.problems import Poisson
from pinn.sampling import Collocation, Sobol
from pinn.training import Stage, Training
from pinn.training.fit import fit

BLOCK, BLOCKS = 50, 6
POINTS, BOUNDARY_POINTS = 2500, 400
ADAM = partial(torch.optim.Adam, lr=1e-3)


def step_of(way: str) -> CompiledStep:
    """Steps computed in one way from the first on; capturing or compiling itself is not what is measured here."""
    step = CompiledStep(compile=True)
    step.settle(way)
    return step


def bare_step_ms() -> float:
    """Fresh points, loss, gradient, step: the median over blocks."""
    problem, objective = objective_of(Poisson(), POINTS, BOUNDARY_POINTS)
    collocation = Collocation(problem, Sobol(), POINTS, BOUNDARY_POINTS).to(dtype=torch.float32)
    adam, step = ADAM(objective.parameters), step_of("captured")
    ends = [time.process_time()]
    for number in range(BLOCK * BLOCKS):
        adam.step(Objective(objective.model, collocation(number), objective.weighting, step))
        if (number + 1) % BLOCK == 0:
            ends.append(time.process_time())
    return _per_step(ends)


def trained_step_ms(way: str = "captured", resample: int = 1) -> float:
    """The same by a training with its held-out points, its history and Lightning around it.

    Args:
        way: how steps are computed.
        resample: fresh points every so many steps; 0 keeps those of the first.
    """
    problem, objective = objective_of(Poisson(), POINTS, BOUNDARY_POINTS)
    collocation = Collocation(problem, Sobol(), POINTS, BOUNDARY_POINTS).to(dtype=torch.float32)
    stages = {"adam": Stage(ADAM, steps=BLOCK * BLOCKS, block=BLOCK, resample=resample)}
    training = Training(objective.model, collocation, objective.weighting, stages, step=step_of(way))
    ends = _Ends()
    fit(training, console=Console(quiet=True), callbacks=[ends])
    return _per_step(ends.times)


class _Ends(Callback):
    def __init__(self) -> None:
        self.times = [time.process_time()]

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.process_time())


def _per_step(ends: list[float]) -> float:
    """The first block sets things up."""
    return 1e3 * median(after - before for before, after in pairwise(ends[1:])) / BLOCK
