"""What to do with a problem when nobody says: network, stages and weighting, chosen from what can be seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

from torch import nn

from pinn.feature_scales import find_scale
from pinn.model import scaled
from pinn.networks import MLP, RandomFeatures
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.problems import Problem
from pinn.problems.linearity import is_linear
from pinn.sampling import Collocation
from pinn.training import Stage
from pinn.weighting import Equilibrated, Weighting

NetworkFactory = Callable[..., nn.Module]

ROWS_PER_UNKNOWN = 3
"""Residual rows for each unknown of a network of random features: `points` says how many features there are."""
MOST_UNKNOWNS = {True: 4000, False: 1000}
"""Of random features, on problems that are linear and on those that are not, which need many solves."""
MOST_COORDINATES = 3
"""With more of them random features fill the space too thinly."""
SMOOTH_ENOUGH = 1e-3
"""Relative objective of a trial with half of the features, below which they can carry a problem that is not linear.
Kovasznay flow gives 1e-7, Burgers with its thin front 0.1."""


@dataclass(frozen=True)
class Plan:
    """Everything that is needed to train, and in a line why."""

    network: NetworkFactory
    stages: Mapping[str, Stage]
    weighting: Weighting
    reason: str


def plan(
    problem: Problem,
    collocation: Collocation,
    network: NetworkFactory | None,
    stages: Mapping[str, Stage] | None,
    weighting: Weighting | None,
    weights: Mapping[str, float] | None = None,
) -> Plan:
    """Fill in what was not given; what is given stays, and nothing here looks at a reference.

    * A problem that is linear in its fields is one least-squares solve over frozen sine features.
    * One that is not linear, but so smooth that a trial with features leaves next to no residual, is solved over
    features
      by Levenberg-Marquardt.
    * Anything else is trained by Levenberg-Marquardt on a small tanh network.

    Random features whose scale was not given get one from the residuals of trials.

    Args:
        problem: what is to be solved.
        collocation: its points.
        network: called with the numbers of inputs and outputs, or None.
        stages: by name, or None.
        weighting: or None.
        weights: for the weighting that is chosen.
    """
    name = type(problem).__name__
    linear = is_linear(problem)
    reasons = [f"{name} is {'linear' if linear else 'not linear'} in its fields"]
    open_network = network is None
    if network is None and len(problem.coordinates) <= MOST_COORDINATES:
        unknowns = min(_count_rows(problem, collocation) // ROWS_PER_UNKNOWN, MOST_UNKNOWNS[linear])
        network = partial(RandomFeatures, features=max(1, unknowns // len(problem.fields)))
    if network is not None and _features(network) and "scale" not in _arguments(network):
        features = _arguments(network).get("features", signature(RandomFeatures).parameters["features"].default)
        found = find_scale(problem, collocation, features, linear)
        chosen = ", ".join(f"{value:.3g} in {key}" for value, key in zip(found.scale, problem.coordinates, strict=True))
        if open_network and not linear and found.residual > SMOOTH_ENOUGH:
            network = None
            reasons.append(f"random features leave {found.residual:.0e} of its residual, so a tanh network is trained")
        else:
            network = partial(network, scale=found.scale)
            reasons.append(f"random sine features of scale {chosen}, the best of {found.trials} by fresh residuals")
    if network is None:
        network = partial(MLP, width=20, depth=3)
    if stages is None:
        if linear and _features(network):
            reasons.append("one least-squares solve")
            stages = {"lstsq": Stage(LeastSquares, steps=1, block=1, resample=0)}
        elif _features(network):
            reasons.append("Levenberg-Marquardt on their output layer")
            optimizer = partial(LevenbergMarquardt, damping=1e-6, factor=5.0)
            stages = {"levenberg_marquardt": Stage(optimizer, steps=200, block=5, resample=0, patience=6)}
        else:
            reasons.append("Levenberg-Marquardt")
            stages = {"levenberg_marquardt": Stage(LevenbergMarquardt, steps=5000, block=10)}
    return Plan(network, stages, weighting or Equilibrated(weights), "; ".join(reasons))


def _count_rows(problem: Problem, collocation: Collocation) -> int:
    model = scaled(problem, RandomFeatures(len(problem.coordinates), len(problem.fields), features=1))
    return Objective(model.to(next(collocation.buffers())), collocation(0), Equilibrated()).rows


def _features(network: NetworkFactory) -> bool:
    return (network.func if isinstance(network, partial) else network) is RandomFeatures


def _arguments(network: NetworkFactory) -> Mapping[str, Any]:
    return network.keywords if isinstance(network, partial) else {}
