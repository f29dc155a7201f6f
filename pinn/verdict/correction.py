"""How far a solution is from another one that was found independently."""

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pinn.marching import Marching
from pinn.model import Model
from pinn.networks import Corrected, PeriodicInputs, RandomFeatures, Scaled, Slabs
from pinn.objective import Objective
from pinn.optimizers.least_squares import solve
from pinn.references import relative_errors
from pinn.sampling import Collocation
from pinn.verdict.second_march import second_march
from pinn.weighting import Equilibrated

UNKNOWNS = 600
"""Of a correction. On Burgers' equation, solved by six times 2,000, so many told an error of 6.1e-3 to 5 %."""
HALF = 0.5
"""Of the features of a solution that has random features of its own; then the solve takes an eighth of its time."""
MOST_UNKNOWNS = 2000
ROWS_PER_UNKNOWN = 5
SCALE = 2.0
"""Of the sines, where the solution has none of its own."""
DRAW = -2
"""Number of the draw of points that neither a step nor the held-out points use."""
POINTS = 2000
"""Of the interior, at which two solutions are compared."""


@dataclass(frozen=True)
class Correction:
    """A solution u beside u + e, where e is found independently and takes away most of what is left of the residuals.

    Attributes:
        error: ‖e‖₂ / ‖u + e‖₂ by field: an estimate of the relative L2 error of u.
        unknowns: the change of each unknown coefficient, relative.
        left: ‖r(u + e)‖ / ‖r(u)‖, of the worst slab of time. Where it is not small, e is no better than u, and its size
            tells less.
        model: u + e.
    """

    error: dict[str, float]
    unknowns: dict[str, float]
    left: float
    model: Model


@torch.no_grad()
def find_correction(model: Model, collocation: Collocation, weights: Mapping[str, float], seed: int) -> Correction:
    """Find e = C sin(W z + b) by one Gauss-Newton step min ‖r(u) + J c‖ on points and features of its own.

    e solves the equation that is linearised around u with the residual of u as its source, so that its size is that of
    the error of u, however u was found. In slabs of time each one starts where the corrected one before it ends: errors
    are carried along.

    Args:
        model: the solution; it is copied.
        collocation: its points; those of the correction are drawn anew.
        weights: of constraints and residuals, as they were in the training.
        seed: of the features.
    """
    left = 0.0
    if isinstance(model, Marching) and model.slabs.grows:
        corrected: Model = second_march(model, weights)
    else:
        corrected = _corrected(model, seed)
        slabs = range(len(corrected.slabs)) if isinstance(corrected, Marching) else [None]
        for slab in slabs:
            if isinstance(corrected, Marching):
                corrected.slabs.active = slab
            left = max(left, _step(corrected, collocation, weights))
        if isinstance(corrected, Marching):
            corrected.slabs.active = None
    corrected.requires_grad_(False)
    return Correction(*_compare(model, corrected), left, corrected)


def put_beside(model: Model, make: Callable[[nn.Module, int, Collection[int]], nn.Module]) -> None:
    """Replace the network of a model, inside of all that prepares its inputs, by one made of it.

    Args:
        model: the model.
        make: called with the network, how many inputs a network beside it sees, and which inputs it has to make
            periodic itself, as the network does.
    """
    coordinates = model.problem.coordinates
    periodic = [coordinates.index(name) for name in model.hard.periodic]
    inputs = PeriodicInputs.seen(len(coordinates), periodic)
    holder = cast(Scaled | PeriodicInputs, model.network)
    while isinstance(holder.network, PeriodicInputs):
        holder, periodic = holder.network, []
    holder.network = make(holder.network, inputs, periodic)


def _corrected(model: Model, seed: int) -> Model:
    """Return a copy of a model in which features stand beside every network, and they and the unknowns are trained."""
    copy = deepcopy(model)
    outputs, generator = len(copy.problem.fields), torch.Generator().manual_seed(seed)
    unknown = {name for name, parameter in copy.problem.named_parameters() if parameter.requires_grad}

    def beside(network: nn.Module, inputs: int, periodic: Collection[int]) -> nn.Module:
        if isinstance(network, Slabs):
            network.networks = nn.ModuleList(beside(each, inputs, periodic) for each in network.networks)
            return network
        own = isinstance(network, RandomFeatures)
        unknowns = HALF * len(network.directions) * outputs if isinstance(network, RandomFeatures) else UNKNOWNS
        features = max(1, int(min(unknowns, MOST_UNKNOWNS) / outputs))
        scale = 1.0 if own else SCALE
        return Corrected(network, inputs, outputs, features, scale, generator, periodic=periodic)

    copy.requires_grad_(False)
    put_beside(copy, beside)
    for name, parameter in copy.problem.named_parameters():
        parameter.requires_grad_(name in unknown)
    return copy.to(next(model.parameters()))


def _step(model: Model, collocation: Collocation, weights: Mapping[str, float]) -> float:
    """Take one Gauss-Newton step for what is trained and return ‖r‖ after it, relative to before."""
    weighting = Equilibrated(weights)
    first = Objective(model, collocation(DRAW), weighting)
    unknowns = sum(parameter.numel() for parameter in first.parameters)
    points = collocation.more_or_fewer(model.problem, ROWS_PER_UNKNOWN * unknowns / first.rows, DRAW)
    objective = Objective(model, points, weighting)
    weighting.adapt(objective.jacobian_by_residual)
    jacobian, rows = objective.jacobian()
    step = solve(jacobian, -rows)
    vector_to_parameters(parameters_to_vector(objective.parameters) + step, objective.parameters)
    after, before = torch.linalg.vector_norm(objective.vector()), torch.linalg.vector_norm(rows)
    return (after / before).item() if before > 0 else 0.0


def _compare(model: Model, corrected: Model) -> tuple[dict[str, float], dict[str, float]]:
    """Return the distance of two solutions by field, and of their unknowns by name."""
    problem = model.problem
    like = next(model.parameters())
    scattered = problem.domain.interior.scattered(POINTS, torch.Generator().manual_seed(0))
    points = {name: values.to(like) for name, values in scattered.items()}
    errors = relative_errors(model.fields(points), corrected.fields(points))
    pairs = zip(problem.named_parameters(), corrected.problem.parameters(), strict=True)
    unknowns = {
        name: ((found - other).abs().max() / other.abs().max()).item()
        for (name, found), other in pairs
        if found.requires_grad
    }
    return {name: error.item() for name, error in errors.items()}, unknowns
