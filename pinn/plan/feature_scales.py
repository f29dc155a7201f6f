"""How fast random features should oscillate, found from the residuals that they leave."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn.errors import NotFinite, OutOfTime
from pinn.model import Model, scaled
from pinn.networks import RandomFeatures
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, Stop, Unlimited
from pinn.optimizers.optimizer import require_time
from pinn.problems import Problem
from pinn.sampling import Collocation
from pinn.weighting import Equilibrated

LADDER = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Scales that are tried for all inputs together, in units of half the domain."""
ROWS_PER_UNKNOWN = 3
"""Of a trial: enough for the residual on fresh points to be that on all, few enough to be quick."""
RESOLVED = 1e-4
"""Relative objective above which no scale for all inputs together comes near: one of them may
oscillate many times faster than another."""
SOLVED = 1e-26
"""Relative objective that is round-off, the square of 1e-13: no other scale can do better."""
TRAIN, FRESH = 0, 1
"""Numbers of the draws of points that a trial is solved on and judged on."""


@dataclass(frozen=True)
class FeatureScale:
    """The best scale that was found."""

    scale: list[float]
    """For each coordinate."""
    residual: float
    """Objective on fresh points after a trial with half of the features, relative to that of fields that are zero."""
    trials: int
    in_time: bool
    """Whether there was time for all trials."""


def find_scale(
    problem: Problem,
    collocation: Collocation,
    features: int,
    interactions: int | None = None,
    stop: Stop = Unlimited(),  # noqa: B008
) -> FeatureScale:
    """Choose the scale of `RandomFeatures` for a problem that is linear in its fields.

    A trial takes half of the features and a part of the points, solves, and is judged by the residuals on fresh
    points. The ladder 2, 4, …, 64 for all inputs together is climbed until it has become worse twice, or has come to
    round-off, which ends the search. Where it leaves the problem unresolved, each input tries the whole ladder alone.
    Then single inputs go up and down by factors of 2 as long as that halves the residual, and once by √2. Only
    residuals are looked at, never a reference: the same seed finds the same scale. Where there is no time for all
    trials, the best of those that there was time for is taken; the first one is always made.

    Args:
        problem: what is to be solved.
        collocation: its points; their dtype and device are used.
        features: of the network that is to be trained.
        interactions: of its sines; where they are limited, all inputs keep one scale.
        stop: says whether there is time for a trial.
    """
    search = _Search(problem, collocation, max(1, features // 2), interactions, stop)
    try:
        scale = _climb(search, interactions)
        return FeatureScale(scale.tolist(), search.residual(scale), len(search.seen), in_time=True)
    except OutOfTime:
        best, residual = min(search.seen.items(), key=lambda trial: trial[1])
        return FeatureScale(list(best), residual, len(search.seen), in_time=False)


def _climb(search: "_Search", interactions: int | None) -> Tensor:
    """Return the best scale, (inputs,).

    Raises:
        OutOfTime: there was no time for a trial.
    """
    problem = search.problem
    one = torch.ones(len(problem.coordinates), dtype=torch.float64)
    best, least, worse = one, float("inf"), 0
    for rung in LADDER:
        residual = search.residual(rung * one)
        best, least, worse = (rung * one, residual, 0) if residual < least else (best, least, worse + 1)
        if worse == 2 or least < SOLVED:
            break
    if interactions is not None or least < SOLVED:
        # The sines of one input do not help those of another, and there may be a hundred.
        return best
    inputs = range(len(one))
    if least > RESOLVED:
        moves = [_with(best, i, rung) for i, rung in itertools.product(inputs, LADDER)]
        best = min([best, *moves], key=search.residual)
        least = search.residual(best)
    factor = 2.0
    while True:
        moves = [_with(best, i, by * best[i].item()) for i, by in itertools.product(inputs, (factor, 1 / factor))]
        residuals = [search.residual(move) for move in moves]
        improved = min(residuals) < least / 2
        if improved:
            least = min(residuals)
            best = moves[residuals.index(least)]
        if factor < 2:
            break
        factor = 2.0 if improved else 2.0**0.5
    return best


def _with(scale: Tensor, index: int, value: float) -> Tensor:
    moved = scale.clone()
    moved[index] = value
    return moved


class _Search:
    def __init__(
        self, problem: Problem, collocation: Collocation, features: int, interactions: int | None, stop: Stop
    ) -> None:
        self.problem, self.features, self.interactions, self.stop = problem, features, interactions, stop
        self.like = next(collocation.buffers())
        self.judge: Equilibrated | None = None
        self.seen: dict[tuple[float, ...], float] = {}
        self.start: Tensor | None = None
        self.work = 0.0
        """Operations of a trial."""
        self.fresh = collocation(FRESH)
        rows = Objective(self._model([1.0]), self.fresh, Equilibrated()).rows
        share = min(1.0, ROWS_PER_UNKNOWN * features * len(problem.fields) / rows)
        self.points = collocation.thinned(problem, share)(TRAIN)

    def residual(self, scale: Tensor) -> float:
        """Return the relative objective on fresh points after one trial at this scale."""
        # The moves of one round lead back to where others came from.
        key = tuple(scale.tolist())
        if key not in self.seen:
            if self.stop() and self.seen:
                raise OutOfTime
            if self.seen:
                require_time(self.stop, self.work)
            self.seen[key] = self._try(list(key))
        return self.seen[key]

    @torch.no_grad()
    def _try(self, scale: list[float]) -> float:
        weighting = Equilibrated()
        objective = Objective(self._model(scale), self.points, weighting)
        solver = LeastSquares(objective.parameters)
        self.work = solver.work(objective.rows)
        # All scales are compared by one measure: the weights that the first of them gave.
        try:
            weighting.adapt(objective.jacobian_by_residual)
        except NotFinite:
            return math.inf
        self.judge = self.judge or weighting
        fresh = Objective(objective.model, self.fresh, self.judge)
        # All trials start from fields that are zero.
        self.start = fresh.loss() if self.start is None else self.start
        if solver.run(objective, 1).diverged:
            return math.inf
        residual = (fresh.loss() / self.start).item()
        return residual if residual == residual else math.inf

    def _model(self, scale: list[float]) -> Model:
        """Return a model whose fields are zero; all trials draw the same directions."""
        inputs = len(self.problem.coordinates)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = RandomFeatures(
                inputs, len(self.problem.fields), self.features, scale * (inputs // len(scale)), self.interactions
            )
        return scaled(self.problem, network).to(self.like)
