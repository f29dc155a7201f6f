"""What to do with a problem when nobody says: network, stages and weighting, chosen from what can be seen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Literal

from torch import nn

from pinn.errors import InputError
from pinn.marching import can_be_marched, is_initial_value_problem, time_of
from pinn.model import scaled
from pinn.networks import MLP, Marched, RandomFeatures, Refined, Slabs
from pinn.objective import Objective
from pinn.optimizers import LeastSquares
from pinn.optimizers.least_squares import step_work
from pinn.plan.feature_scales import FeatureScale, find_scale
from pinn.plan.march import march_stage, marched, scout
from pinn.plan.refinement import (
    LEVENBERG_MARQUARDT,
    REFINEMENT_SECONDS,
    ROWS_PER_UNKNOWN_OF_REFINEMENT,
    TRUNK_SHARE,
    as_many_as_fit,
    count_unknowns,
    refinement,
)
from pinn.plan.slab_count import LADDER, find_slab_count
from pinn.problems import Problem
from pinn.problems.linearity import examine
from pinn.sampling import Collocation
from pinn.training import Stage
from pinn.training.budget import Budget
from pinn.weighting import Equilibrated, Weighting

NetworkFactory = Callable[..., nn.Module]

ROWS_PER_UNKNOWN = 3
"""Residual rows for each unknown of a network of random features: `points` says how many features there are."""
MOST_UNKNOWNS = 4000
"""Of random features: a solve takes a quarter of a minute."""
MOST_COORDINATES = 3
"""With more of them features of all coordinates fill the space too thinly: each takes one coordinate, for fields that
are sums of functions of one coordinate each. The trials tell whether this one is; if not, a network is trained."""
AROUND = 1.25
"""Time for a solve with what comes around it, weights and looks, in units of the solve alone."""
STEPS = 20
"""Of least squares, at most. Linear residuals take one; what was taken for linear and is not takes some more."""
RESOLVED = 1e-3
"""Relative objective of a trial with half of the features, below which all of them will do."""
RESOLVED_IN_TIME = 1e-20
"""The same where a march is the other way, which leaves as little in any case."""
TRIALS_SHARE = 0.25
"""Of the time, for trials that tell how many slabs there are, at most."""
SCOUT_SHARE = 0.5
"""The same for the march to a loose tolerance, whose slabs and functions are bounded as well."""
SLAB_SECONDS = REFINEMENT_SECONDS / (1 - TRUNK_SHARE)
"""No slab has less, so that each has time for a whole refinement."""


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
    budget: Budget | None = None,
) -> Plan:
    """Fill in what was not given; what is given stays, and nothing here looks at a reference.

    * A problem that is linear in its fields is one least-squares solve over frozen sine features, their scale found
      from the residuals of trials; unless even the best trial leaves it unresolved.
    * Anything else is a small tanh network, trained by Levenberg-Marquardt for a part of the time, and then
      refined: one to five least-squares solves for the random features of its layers.
    * What follows from its start is marched through in slabs whose lengths and functions are controlled, if a march
      to a loose tolerance comes to the end. Otherwise trials say into how many slabs of time it is cut, each with its
      own network.

    Args:
        problem: what is to be solved.
        collocation: its points.
        network: called with the numbers of inputs and outputs, or None.
        stages: by name, or None.
        weighting: or None.
        weights: for the weighting that is chosen.
        slabs: of time, for the network that is chosen; `auto` finds their number.
        budget: the time that there is for trials and training. No solve is planned that it has no room for, and no
            trial is begun that would take the time of the training.

    Raises:
        InputError: a number of slabs for a problem that cannot be marched through, or beside a network or stages.
    """
    budget = budget or Budget(None)
    linearity = examine(problem.copied())
    linear, reasons = linearity.linear, [f"{type(problem).__name__} is linear in its fields"]
    if not linear:
        reasons = [f"{type(problem).__name__} is not linear, as {linearity.reason}"]
    if slabs != "auto":
        _require_slabs(slabs, problem, alone=network is None and stages is None)
    if network is None and stages is None and linear and slabs in ("auto", 1):
        network, reason = _features_that_resolve(problem, collocation, budget)
        reasons.append(reason)
    elif network is not None and makes(network, RandomFeatures) and "scale" not in _arguments(network):
        if linear:
            found = _find_scale(problem, collocation, network, budget)
            network = partial(network, scale=found.scale)
            reasons.append(_describe_scale(problem, found))
        else:
            reasons.append(f"random sine features of the default scale, {_argument(network, 'scale'):g}")
    if network is None and stages is not None:
        network = partial(MLP, width=20, depth=3)
    elif network is None:
        if slabs == "auto" and can_be_marched(problem):
            network, reason = _marched(problem, collocation, budget)
            reasons.append(reason)
        if network is None:
            network, reason = _refined(problem, collocation, slabs, budget)
            reasons.append(reason)
    if stages is None:
        stages, reason = _stages(problem, collocation, network, linear)
        reasons.append(reason)
    return Plan(network, stages, weighting or Equilibrated(weights), "; ".join(filter(None, reasons)))


def _marched(problem: Problem, collocation: Collocation, budget: Budget) -> tuple[NetworkFactory | None, str]:
    """Return a march, or None where the fields are not smooth enough for it, and why."""
    if is_initial_value_problem(problem):
        return marched(problem), "ordinary differential equations with all conditions at the start"
    budget.begin_stage(SCOUT_SHARE)
    found = scout(problem, collocation, budget)
    return marched(problem) if found.is_whole else None, found.reason


def _features_that_resolve(
    problem: Problem, collocation: Collocation, budget: Budget
) -> tuple[NetworkFactory | None, str]:
    """Return random features of the scale that trials find, or None where they do not resolve the problem, and why."""
    rows = _count_rows(problem, collocation)
    most = min(rows // ROWS_PER_UNKNOWN, MOST_UNKNOWNS)
    # Half of the time is for the trials.
    unknowns = as_many_as_fit(most, lambda count: budget.has_time_for(2 * AROUND * step_work(rows, count)))
    network = partial(RandomFeatures, features=max(1, unknowns // len(problem.fields)))
    if len(problem.coordinates) > MOST_COORDINATES:
        network = partial(network, interactions=1)
    found = _find_scale(problem, collocation, network, budget)
    few = f"; {unknowns} unknowns, for {budget.seconds:g} s are too few for {most}" if unknowns < most else ""
    resolved = RESOLVED_IN_TIME if is_initial_value_problem(problem) else RESOLVED
    if found.residual > resolved and not few:
        return None, f"but random features leave {found.residual:.0e} of its residual"
    return partial(network, scale=found.scale), _describe_scale(problem, found) + few


def _find_scale(problem: Problem, collocation: Collocation, network: NetworkFactory, budget: Budget) -> FeatureScale:
    """Find the scale in the time that the solve itself leaves."""
    features = _argument(network, "features")
    work = step_work(_count_rows(problem, collocation), features * len(problem.fields))
    budget.begin_stage(share=1.0, reserve=AROUND * work)
    return find_scale(problem, collocation, features, _argument(network, "interactions"), budget)


def _describe_scale(problem: Problem, found: FeatureScale) -> str:
    chosen = ", ".join(f"{value:.3g} in {key}" for value, key in zip(found.scale, problem.coordinates, strict=True))
    if len(set(found.scale)) == 1:
        chosen = f"{found.scale[0]:.3g}"
    late = "" if found.in_time else ", for more of which there was no time"
    return f"random sine features of scale {chosen}, the best of {found.trials} by fresh residuals{late}"


def _refined(
    problem: Problem, collocation: Collocation, slabs: int | Literal["auto"], budget: Budget
) -> tuple[NetworkFactory, str]:
    """Return a refined network, or one for each of several slabs of time, and why so many."""
    time, seconds = time_of(problem), math.inf if budget.seconds is None else budget.seconds
    most = max(1, seconds // SLAB_SECONDS) if budget.seconds else math.inf
    count, why = 1, ""
    if time is not None and slabs != "auto":
        count, why = slabs, "as given"
    elif time is not None and most == 1:
        why = f"as {seconds:g} s are too few for more"
    elif time is not None:
        budget.begin_stage(TRIALS_SHARE)
        found = find_slab_count(problem, collocation, time, budget)
        count = int(min(found.slabs, most))
        trials = ", ".join(f"{tried}: {residual:.0e}" for tried, residual in zip(LADDER, found.left, strict=False))
        why = f"by what trials on the first of so many left ({trials or 'none'})"
        if not found.in_time:
            why += ", for more of which there was no time"
        if count < found.slabs:
            why = f"for {seconds:g} s are too few for {found.slabs}, which would be better {why}"
    features = max(1, count_unknowns(seconds / count, budget) // len(problem.fields))
    if time is None or count == 1:
        return partial(Refined, features=features), f"one slab of time, {why}" if why else ""
    return partial(Slabs, features=features, slabs=count, time=time), f"{count} slabs of time, {why}"


def _stages(
    problem: Problem, collocation: Collocation, network: NetworkFactory, linear: bool
) -> tuple[Mapping[str, Stage], str]:
    """Return the stages that suit a network, and in words what they are."""
    if linear and makes(network, RandomFeatures):
        return {"lstsq": Stage(LeastSquares, steps=STEPS, block=1, resample=0, patience=2)}, "one least-squares solve"
    if makes(network, Marched):
        return {"march": march_stage(problem)}, "Newton's method in slabs of time, as long as their residuals allow"
    if makes(network, Refined) or makes(network, Slabs):
        rows = ROWS_PER_UNKNOWN_OF_REFINEMENT * _argument(network, "features") * len(problem.fields)
        slabs = _argument(network, "slabs") if makes(network, Slabs) else None
        return (
            refinement(math.ceil(rows / _count_rows(problem, collocation)), slabs),
            "Levenberg-Marquardt for a tanh network, then least squares for the features of its layers",
        )
    return {"levenberg_marquardt": LEVENBERG_MARQUARDT}, "Levenberg-Marquardt"


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


def makes(factory: Callable[..., Any], kind: type) -> bool:
    """Tell whether a factory, such as `partial(MLP, width=20)`, makes objects of a class."""
    return (factory.func if isinstance(factory, partial) else factory) is kind


def _arguments(network: NetworkFactory) -> Mapping[str, Any]:
    return network.keywords if isinstance(network, partial) else {}


def _argument(network: NetworkFactory, name: str) -> Any:
    """Return what a factory gives its class for an argument: its own value, or the default."""
    kind = network.func if isinstance(network, partial) else network
    return _arguments(network).get(name, signature(kind).parameters[name].default)
