"""A second march along a first one: finer, so that its distance from the first tells the error of that."""

from collections.abc import Mapping
from typing import cast

import torch

from pinn.errors import NotFinite
from pinn.marching import Marching
from pinn.networks import Marched
from pinn.networks.marched import resized
from pinn.optimizers import Unlimited
from pinn.optimizers.radau import derivatives, powers
from pinn.optimizers.slab_solver import SlabSolver
from pinn.weighting import Equilibrated

MORE_DEGREES = 3
MORE_FUNCTIONS = 1.2
"""Of each coordinate of space."""
SHARE = 0.1
"""Of the distance between the two, to which the second one is found."""
TOLERANCE = 1e-12
"""Of its residuals, at least."""


@torch.no_grad()
def second_march(model: Marching, weights: Mapping[str, float]) -> Marching:
    """Solve the slabs of a march again, with polynomials of higher degree and more functions of space.

    The fields of the first are the first guess, and its error all that is left to be found: a tenth of that is good
    enough. Each slab starts where the second march ends the one before, so that errors are carried along.

    Args:
        model: over `pinn.networks.Marched`; the slabs that are known are solved again.
        weights: of constraints and residuals.

    Raises:
        NotFinite: the first march did not reach the end of time, or a slab cannot be solved again.
    """
    first = cast(Marched, model.slabs)
    if not first.is_whole:
        raise NotFinite(f"the march ended at {model.reached()}")
    periodic = [index for index, wraps in zip(first.space, first.periodic, strict=True) if wraps]
    again = Marched(
        len(first.space) + 1, first.outputs, first.degree + MORE_DEGREES, first.time, periodic, len(first.sizes) - 1
    ).to(first.weights)
    corrected = Marching(model.problem, again, model.hard).to(first.weights)
    corrected.engines = model.engines
    solver = SlabSolver(corrected, again, Equilibrated(weights))
    at_start = derivatives(first.degree, -1.0, solver.most).to(first.weights).T
    straight = powers(first.degree, solver.most).to(first.weights).T
    before = 2.0
    for slab in range(len(first)):
        start, end = first.interval(slab)
        sizes = [2 * int(MORE_FUNCTIONS * size / 2) + 1 for size in first.functions(slab)]
        values = solver.end_values(slab - 1) if slab else solver.initial_values(sizes)
        solver.begin(values, end - start, before, sizes)
        # The first march, but for what it starts with.
        guess = first.coefficients(slab)
        for field, order in enumerate(solver.orders):
            count = max(1, order)
            guess = guess.clone() if field == 0 else guess
            guess[field] -= guess[field] @ at_start[:, :count] @ straight[:count]
        guess = resized(guess, [*sizes, again.degree + 1]).flatten(0, -2)
        if not solver.solve(TOLERANCE, Unlimited(), guess, SHARE):
            raise NotFinite(f"the march cannot be repeated from {model.time} = {model.interval(slab)[0]:.4g} on")
        again.accept()
        before = end - start
    corrected.select(None)
    return corrected
