"""Into how many slabs of time a problem is cut, found from the residuals that training leaves in the first of them."""

import math
from dataclasses import dataclass

import torch

from pinn.errors import NotFinite
from pinn.marching import Marching
from pinn.networks import Slabs
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt, Stop, Unlimited
from pinn.problems import Problem
from pinn.sampling import Collocation
from pinn.weighting import Equilibrated

LADDER = (1, 2, 4, 8)
"""Numbers of slabs that are tried."""
STEPS = 40
"""Of Levenberg-Marquardt in a trial: Burgers' front has formed by then."""
POINTS = 1000
"""Of a trial, on the interior."""
LEARNT = 1e-3
"""Objective on fresh points after a trial, relative to that before it, below which a slab is short enough. With 1,500
points, trials in 1, 2, 4 slabs left 0.01, 0.5, 3e-8 on Burgers' equation (ν = 0.01/π; with ν = 0.01 1e-6 in one), 0.6,
0.4, 2e-5 on that of Korteweg and de Vries, 3e-3 and 2e-4 on Allen-Cahn's."""
TRAIN, FRESH = 0, 1
"""Numbers of the draws of points that a trial is trained on and judged on."""


@dataclass(frozen=True)
class SlabCount:
    """The number of slabs that was found."""

    slabs: int
    left: list[float]
    """What each trial left of its objective."""
    in_time: bool
    """Whether there was time for all trials."""


def find_slab_count(
    problem: Problem,
    collocation: Collocation,
    time: int,
    stop: Stop = Unlimited(),  # noqa: B008
) -> SlabCount:
    """Find into how many slabs of time a problem is best cut.

    The ladder 1, 2, 4, 8 is climbed until a few steps on the first slab leave little of its residual. Later slabs may
    be harder than the first, fronts steepen and waves break up, so twice as many are taken, unless one will do. Where
    there is no time for all trials, the one counts that left the least; without any there is one slab.

    Args:
        problem: what is to be solved.
        collocation: its points; their dtype and device are used.
        time: which coordinate is time.
        stop: ends the trials.
    """
    left: list[float] = []
    in_time = True
    for count in LADDER:
        residual = _try(problem, collocation, time, count, stop)
        if not (in_time := residual is not None):
            break
        left.append(residual)
        if residual < LEARNT:
            break
    best = LADDER[len(left) - 1] if in_time else LADDER[left.index(min(left))] if left else 1
    return SlabCount(best if best == 1 else 2 * best, left, in_time)


@torch.no_grad()
def _try(problem: Problem, collocation: Collocation, time: int, count: int, stop: Stop) -> float | None:
    """Return what a trial left of its objective, relative to that before it; None without time to end it."""
    like = next(collocation.buffers())
    interior = [name for name, region in collocation.regions.items() if region.dimension == len(problem.coordinates)]
    drawn = collocation(TRAIN)
    most = max(len(drawn[name][problem.coordinates[0]]) for name in interior)
    share = min(1.0, POINTS / most)
    thinned = collocation.thinned(problem, share)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Slabs(len(problem.coordinates), len(problem.fields), slabs=count, time=time, features=1)
    model = Marching(problem, network).to(like)
    model.select("trunk", 0)
    weighting = Equilibrated()
    objective, fresh = (Objective(model, thinned(draw), weighting) for draw in (TRAIN, FRESH))
    try:
        weighting.adapt(objective.jacobian_by_residual)
    except NotFinite:
        return math.inf
    before = fresh.loss()
    progress = LevenbergMarquardt(objective.parameters).run(objective, STEPS, stop)
    if progress.diverged:
        return math.inf
    if progress.taken < STEPS:
        return None
    relative = (fresh.loss() / before).item()
    return relative if math.isfinite(relative) else math.inf
