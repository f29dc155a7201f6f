"""What to do with a problem when nobody says: network, stages and weighting, chosen from what can be seen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Literal

from torch import nn

from pinn.errors import InputError
from pinn.feature_scales import find_scale
from pinn.model import scaled
from pinn.networks import MLP, RandomFeatures, Refined, Slabs
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.problems import Problem
from pinn.problems.linearity import is_linear
from pinn.sampling import Collocation
from pinn.slab_count import LADDER, find_slab_count, time_of
from pinn.training import Stage
from pinn.weighting import Equilibrated, Weighting

NetworkFactory = Callable[..., nn.Module]

ROWS_PER_UNKNOWN = 3
"""Residual rows for each unknown of a network of random features: `points` says how many features there are."""
MOST_UNKNOWNS = 4000
"""Of random features: a solve takes a quarter of a minute."""
MOST_COORDINATES = 3
"""With more of them features of all coordinates fill the space too thinly: each takes one coordinate, for fields that
are sums of functions of one coordinate each. The trials tell whether this one is; if not, a network is trained."""
RESOLVED = 1e-3
"""Relative objective of a trial with half of the features, below which all of them will do."""
REFINEMENT = 2000
"""Unknowns of a refinement: a step takes seven seconds of one core. Solitons of Korteweg and de Vries need as many."""
TRUNK_SHARE = 0.6
"""Of the time, for the trunk."""
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
    slabs: int | Literal["auto"] = "auto",
) -> Plan:
    """Fill in what was not given; what is given stays, and nothing here looks at a reference.

    * A problem that is linear in its fields is one least-squares solve over frozen sine features, their scale found
      from the residuals of trials; unless even the best trial leaves it unresolved.
    * Anything else is a small tanh network, trained by Levenberg-Marquardt for a part of the time, and then
      refined: one to five least-squares solves for the random features of its layers.
    * If it develops in time, trials say whether it is marched through in slabs of time, each with its own network.

    Args:
        problem: what is to be solved.
        collocation: its points.
        network: called with the numbers of inputs and outputs, or None.
        stages: by name, or None.
        weighting: or None.
        weights: for the weighting that is chosen.
        slabs: of time, for the network that is chosen; `auto` finds their number.

    Raises:
        InputError: a number of slabs for a problem that cannot be marched through, or beside a network or stages.
    """
    linear = is_linear(problem)
    reasons = [f"{type(problem).__name__} is {'linear' if linear else 'not linear'} in its fields"]
    open_network = network is None
    if network is None and linear:
        unknowns = min(_count_rows(problem, collocation) // ROWS_PER_UNKNOWN, MOST_UNKNOWNS)
        many = len(problem.coordinates) > MOST_COORDINATES
        network = partial(
            RandomFeatures, features=max(1, unknowns // len(problem.fields)), **({"interactions": 1} if many else {})
        )
    if network is not None and linear and makes(network, RandomFeatures) and "scale" not in _arguments(network):
        features = _arguments(network).get("features", signature(RandomFeatures).parameters["features"].default)
        found = find_scale(problem, collocation, features, _arguments(network).get("interactions"))
        chosen = ", ".join(f"{value:.3g} in {key}" for value, key in zip(found.scale, problem.coordinates, strict=True))
        if len(set(found.scale)) == 1:
            chosen = f"{found.scale[0]:.3g}"
        if open_network and found.residual > RESOLVED:
            reasons.append(f"but random features leave {found.residual:.0e} of its residual")
            network = None
        else:
            reasons.append(f"random sine features of scale {chosen}, the best of {found.trials} by fresh residuals")
            network = partial(network, scale=found.scale)
    if slabs != "auto":
        _require_slabs(slabs, problem, alone=network is None and stages is None)
    if network is None and stages is not None:
        network = partial(MLP, width=20, depth=3)
    if network is None:
        count, time, reason = _slabs(problem, collocation, slabs)
        features = max(1, REFINEMENT // len(problem.fields))
        network = partial(Refined, features=features)
        if count > 1:
            network = partial(Slabs, features=features, slabs=count, time=time)
        reasons += [reason] if reason else []
        reasons.append("Levenberg-Marquardt for a tanh network, then least squares for the features of its layers")
        rows = ROWS_PER_REFINEMENT_UNKNOWN * REFINEMENT
        stages = refinement(math.ceil(rows / _count_rows(problem, collocation)), count)
    elif stages is None and linear and makes(network, RandomFeatures):
        reasons.append("one least-squares solve")
        stages = {"lstsq": Stage(LeastSquares, steps=1, block=1, resample=0)}
    elif stages is None:
        reasons.append("Levenberg-Marquardt")
        stages = {"levenberg_marquardt": Stage(LevenbergMarquardt, steps=5000, resample=10, block=10)}
    return Plan(network, stages, weighting or Equilibrated(weights), "; ".join(reasons))


def refinement(draws: int, slabs: int = 1) -> dict[str, Stage]:
    """Return the stages of a `Refined` network, or of each of `Slabs`, by name.

    The trunk has 0.6 of the time of its slab, the features have the rest, and so many draws of points.
    """
    stages = {}
    for slab in range(slabs):
        prefix, number = (f"slab {slab + 1} of {slabs}, ", slab) if slabs > 1 else ("", None)
        stages[f"{prefix}levenberg_marquardt"] = Stage(
            LevenbergMarquardt,
            steps=5000,
            resample=10,
            block=10,
            part="trunk",
            slab=number,
            share=(slab + TRUNK_SHARE) / slabs,
        )
        stages[f"{prefix}refinement"] = Stage(
            LeastSquares,
            steps=5,
            resample=0,
            block=1,
            patience=1,
            part="features",
            slab=number,
            share=(slab + 1) / slabs,
            draws=draws,
        )
    return stages


def _slabs(problem: Problem, collocation: Collocation, slabs: int | Literal["auto"]) -> tuple[int, int, str]:
    """Return the number of slabs, which coordinate is time, and why."""
    time = time_of(problem)
    if time is None:
        return 1, 0, ""
    if slabs != "auto":
        return slabs, time, f"{slabs} slabs of time, as given"
    count, left = find_slab_count(problem, collocation, time)
    trials = ", ".join(f"{tried}: {residual:.0e}" for tried, residual in zip(LADDER, left, strict=False))
    slabs_of_time = "one slab of time" if count == 1 else f"{count} slabs of time"
    return count, time, f"{slabs_of_time}, by what trials on the first of so many left ({trials})"


def _require_slabs(slabs: object, problem: Problem, *, alone: bool) -> None:
    if isinstance(slabs, bool) or not isinstance(slabs, int) or slabs < 1:
        raise InputError(f"slabs must be auto or a whole number of at least 1; it was given {slabs!r}.")
    if slabs > 1 and not alone:
        raise InputError(
            "slabs is for the network and the training that are chosen together; leave network and training at auto, "
            "or say slabs=auto and choose network=slabs."
        )
    if slabs > 1 and time_of(problem) is None:
        raise InputError(
            f"{type(problem).__name__} cannot be cut into {slabs} slabs of time: that needs a coordinate t with "
            f"conditions where it starts and none where it ends. Say slabs=1."
        )


def _count_rows(problem: Problem, collocation: Collocation) -> int:
    model = scaled(problem, RandomFeatures(len(problem.coordinates), len(problem.fields), features=1))
    return Objective(model.to(next(collocation.buffers())), collocation(0), Equilibrated()).rows


def makes(network: NetworkFactory, kind: type) -> bool:
    """Tell whether a factory makes networks of a class."""
    return (network.func if isinstance(network, partial) else network) is kind


def _arguments(network: NetworkFactory) -> Mapping[str, Any]:
    return network.keywords if isinstance(network, partial) else {}
