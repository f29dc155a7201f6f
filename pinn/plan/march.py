"""Whether a problem is marched through in time, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from pinn.hard_conditions import HardConditions, periodic_conditions
from pinn.marching import Marching, time_of
from pinn.networks import Marched
from pinn.objective import Objective
from pinn.optimizers import March, Stop
from pinn.problems import Problem
from pinn.sampling import Collocation
from pinn.training import Stage
from pinn.weighting import Equilibrated

DEGREE_OF_TIME_ALONE, DEGREE = 16, 12
"""Of the polynomials of time; where there is space, more stages cost more than they save."""
TOLERANCE_OF_TIME_ALONE, TOLERANCE = 1e-9, 1e-8
"""Of a slab's relative residuals."""
LOOSE, FEW, TRIALS = 1e-4, 600, 100
"""Of the march that tells whether one is possible: its tolerance, its functions of space, and its trials of slabs, at
most. To 1e-8 it takes about twice as many functions."""
MANY = 1200
"""Functions of space that a march may have."""
BLOCK = 5
"""Trials of slabs between two looks."""


@dataclass(frozen=True)
class Scouted:
    """What a march to a loose tolerance came to.

    Attributes:
        is_whole: whether it came to the end of time.
        reason: in words, how far it came and why not further.
    """

    is_whole: bool
    reason: str


def marched(problem: Problem) -> Callable[..., nn.Module]:
    """Return what makes the network of a march."""
    return partial(Marched, degree=DEGREE_OF_TIME_ALONE if len(problem.coordinates) == 1 else DEGREE)


def march_stage(problem: Problem) -> Stage:
    """Return the stage of a march. A step is a trial of a slab."""
    tolerance = TOLERANCE_OF_TIME_ALONE if len(problem.coordinates) == 1 else TOLERANCE
    return Stage(partial(March, tolerance=tolerance, functions=MANY), steps=5000, resample=0, block=BLOCK, part="slab")


def scout(problem: Problem, collocation: Collocation, stop: Stop) -> Scouted:
    """March to a loose tolerance with few functions of space, to see whether the fields are smooth enough for that.

    A front that becomes thin needs more functions than there are, and so does a kink in an initial value, to the
    tolerance of the march itself. What is thin in a few places only is better left to a network that is trained.

    Args:
        problem: that can be marched through.
        collocation: its points; their dtype and device are used.
        stop: ends the trials.
    """
    conditions = HardConditions(problem, periodic_conditions(problem))
    periodic = [problem.coordinates.index(name) for name in conditions.periodic]

    def march(tolerance: float, functions: int) -> tuple[Marching, March, Objective]:
        """Return a march that has not begun."""
        inputs, outputs = len(problem.coordinates), len(problem.fields)
        network = Marched(inputs, outputs, DEGREE, time_of(problem) or 0, periodic)
        model = Marching(problem, network, conditions).to(next(collocation.buffers()))
        objective = Objective(model, collocation(0), Equilibrated())
        return model, March(model.parameters(), tolerance, functions), objective

    _, optimizer, objective = march(TOLERANCE, MANY)
    optimizer.run(objective, 0, stop)
    if optimizer.kept > TOLERANCE:
        return Scouted(False, "the initial values have kinks or jumps, or are too thin for a march")
    model, optimizer, objective = march(LOOSE, FEW)
    trials = 0
    while True:
        progress = optimizer.run(objective, 1, stop)
        trials += progress.taken
        if optimizer.kept > LOOSE:
            return Scouted(False, f"{FEW} functions of space are too few for a march to {LOOSE:g}")
        if model.is_whole:
            return Scouted(True, f"a march to {LOOSE:g} took {len(model.slabs)} slabs")
        if progress.reason or not progress.taken or trials == TRIALS:
            break
    why = progress.reason or ("there was no time for more" if trials < TRIALS else f"{TRIALS} trials were over")
    return Scouted(False, f"a march to {LOOSE:g} came to {model.reached()}: {why}")
