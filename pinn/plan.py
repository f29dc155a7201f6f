"""What to do with a problem when nobody says: network, stages and weighting, chosen from what can be seen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

from torch import nn

from pinn.feature_scales import find_scale
from pinn.model import scaled
from pinn.networks import RandomFeatures, Refined
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
MOST_UNKNOWNS = 4000
"""Of random features: a solve takes a quarter of a minute."""
MOST_COORDINATES = 3
"""With more of them random features fill the space too thinly."""
RESOLVED = 1e-3
"""Relative objective of a trial with half of the features, below which all of them will do."""
REFINEMENT = 1500
"""Unknowns of a refinement: a solve takes seconds, and Burgers' thin front does not ask for more."""
ROWS_PER_REFINEMENT_UNKNOWN = 7
"""Features of trained layers are no even basis: with half as many rows the residual between them is ten times larger.
"""


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

    * A problem that is linear in its fields is one least-squares solve over frozen sine features, their scale found
      from the residuals of trials; unless even the best trial leaves it unresolved.
    * Anything else is a small tanh network, trained by Levenberg-Marquardt for a part of the time, and then
      refined: one to five least-squares solves for the random features of its layers.

    Args:
        problem: what is to be solved.
        collocation: its points.
        network: called with the numbers of inputs and outputs, or None.
        stages: by name, or None.
        weighting: or None.
        weights: for the weighting that is chosen.
    """
    linear = is_linear(problem)
    reasons = [f"{type(problem).__name__} is {'linear' if linear else 'not linear'} in its fields"]
    open_network = network is None
    if network is None and linear and len(problem.coordinates) <= MOST_COORDINATES:
        unknowns = min(_count_rows(problem, collocation) // ROWS_PER_UNKNOWN, MOST_UNKNOWNS)
        network = partial(RandomFeatures, features=max(1, unknowns // len(problem.fields)))
    if network is not None and linear and makes(network, RandomFeatures) and "scale" not in _arguments(network):
        features = _arguments(network).get("features", signature(RandomFeatures).parameters["features"].default)
        found = find_scale(problem, collocation, features)
        chosen = ", ".join(f"{value:.3g} in {key}" for value, key in zip(found.scale, problem.coordinates, strict=True))
        if open_network and found.residual > RESOLVED:
            reasons.append(f"but random features leave {found.residual:.0e} of its residual")
            network = None
        else:
            reasons.append(f"random sine features of scale {chosen}, the best of {found.trials} by fresh residuals")
            network = partial(network, scale=found.scale)
    if network is None:
        network = partial(Refined, features=max(1, REFINEMENT // len(problem.fields)))
    if stages is None and linear and makes(network, RandomFeatures):
        reasons.append("one least-squares solve")
        stages = {"lstsq": Stage(LeastSquares, steps=1, block=1, resample=0)}
    elif stages is None and makes(network, Refined):
        reasons.append("Levenberg-Marquardt for a tanh network, then least squares for the features of its layers")
        rows = ROWS_PER_REFINEMENT_UNKNOWN * REFINEMENT
        stages = refinement(draws=math.ceil(rows / _count_rows(problem, collocation)))
    elif stages is None:
        reasons.append("Levenberg-Marquardt")
        stages = {"levenberg_marquardt": Stage(LevenbergMarquardt, steps=5000, resample=10, block=10)}
    return Plan(network, stages, weighting or Equilibrated(weights), "; ".join(reasons))


def refinement(draws: int) -> dict[str, Stage]:
    """Return the stages of a `Refined` network: its trunk for 0.6 of the time, then its features on so many draws."""
    return {
        "levenberg_marquardt": Stage(LevenbergMarquardt, steps=5000, resample=10, block=10, part="trunk", share=0.6),
        "refinement": Stage(LeastSquares, steps=5, resample=0, block=1, patience=1, part="features", draws=draws),
    }


def _count_rows(problem: Problem, collocation: Collocation) -> int:
    model = scaled(problem, RandomFeatures(len(problem.coordinates), len(problem.fields), features=1))
    return Objective(model.to(next(collocation.buffers())), collocation(0), Equilibrated()).rows


def makes(network: NetworkFactory, kind: type) -> bool:
    """Tell whether a factory makes networks of a class."""
    return (network.func if isinstance(network, partial) else network) is kind


def _arguments(network: NetworkFactory) -> Mapping[str, Any]:
    return network.keywords if isinstance(network, partial) else {}
