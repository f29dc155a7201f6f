"""How fast the random features of a network should oscillate, found from the residuals that they leave."""

import itertools

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.errors import InputError
from pinn.model import Model
from pinn.networks import RandomFeatures, Scaled
from pinn.objective import Objective
from pinn.optimizers.least_squares import solve
from pinn.sampling import Collocation
from pinn.weighting import Equilibrated, Fixed

LADDER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Scales that are tried for all inputs together, in units of half the domain."""
TRIED_ON = 0, 1
"""Numbers of the draws of points that a trial is solved on and judged on."""


class FeatureScales:
    """Chooses the scale of a network of `RandomFeatures`.

    A trial takes half of the features and every other point, solves once, and is judged by the residuals on fresh points.
    The ladder 1, 2, 4, …, 64 for all inputs together is climbed until it has become worse twice; then single inputs go up
    and down by factors of 2, and last by √2, as long as that halves the residual. Only residuals are looked at, never a
    reference. For problems linear in their fields; on others one solve tells little.
    """

    def __call__(self, model: Model, collocation: Collocation) -> str:
        """Set the scale in the model and say which."""
        scaled = model.network
        if not (isinstance(scaled, Scaled) and isinstance(scaled.network, RandomFeatures)):
            raise InputError("feature scales can only be chosen for network=random_features; leave `prepare` out otherwise.")
        search = _Search(model, scaled, scaled.network, collocation)
        scale = search.climb()
        scaled.network.scale.copy_(scale)
        names = model.problem.coordinates
        chosen = ", ".join(f"{value:.3g} in {name}" for name, value in zip(names, scale.tolist(), strict=True))
        return f"feature scale {chosen}, the best of {search.trials} by the residual on fresh points"


class _Search:
    def __init__(self, model: Model, scaled: Scaled, features: RandomFeatures, collocation: Collocation) -> None:
        self.model, self.scaled, self.features = model, scaled, features
        self.count = max(1, len(features.phases) // 2)
        self.points, self.fresh = (_every_other(collocation(draw)) for draw in TRIED_ON)
        self.judge: Equilibrated | None = None
        self.trials = 0

    def climb(self) -> Tensor:
        """Return the best scale found, (inputs,)."""
        one = torch.ones_like(self.features.scale)
        best, least, worse = one, float("inf"), 0
        for rung in LADDER:
            residual = self.residual(rung * one)
            best, least, worse = (rung * one, residual, 0) if residual < least else (best, least, worse + 1)
            if worse == 2:
                break
        for factor in (2.0, 2.0, 2.0, 2.0**0.5):
            moves = [
                best * torch.where(torch.arange(len(one), device=one.device) == i, by, 1.0)
                for i, by in itertools.product(range(len(one)), (factor, 1 / factor))
            ]
            results = [self.residual(move) for move in moves]
            if min(results) > least / 2:
                continue
            least = min(results)
            best = moves[results.index(least)]
        return best

    @torch.no_grad()
    def residual(self, scale: Tensor) -> float:
        """Return the objective on fresh points after one solve at this scale."""
        self.trials += 1
        trial = Scaled(self.features.first(self.count, scale), [0.0], [1.0])
        trial.center, trial.slope = self.scaled.center, self.scaled.slope
        model = Model(self.model.problem, trial)
        weighting = Equilibrated()
        objective = Objective(model, self.points, Fixed())
        matrix, rows = objective.jacobian()
        blocks = objective.spans()
        weighting.adapt(lambda: {name: matrix[span.start : span.stop] * len(span) ** 0.5 for name, span in blocks.items()})
        if self.judge is None:
            self.judge = weighting
        for name, span in blocks.items():
            factor = weighting.factors[name] ** 0.5
            matrix[span.start : span.stop] *= factor
            rows[span.start : span.stop] *= factor
        trial.network.output.weight += solve(matrix, -rows).view_as(trial.network.output.weight)
        return Objective(model, self.fresh, self.judge).loss().item()


def _every_other(points: dict[str, Points]) -> dict[str, Points]:
    return {name: {key: value[::2] for key, value in quantities.items()} for name, quantities in points.items()}
