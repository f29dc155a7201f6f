"""The stages of a network that is refined, and how many features it has time for."""

from collections.abc import Callable
from dataclasses import replace

from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.optimizers.least_squares import step_work
from pinn.training import Stage
from pinn.training.budget import MOST_OVERRUN, Budget

REFINEMENT = 2000
"""Unknowns of a refinement, at most. Solitons of Korteweg and de Vries need as many."""
REFINEMENT_SECONDS = 8.0
"""Of one core, for a refinement with so many: points, weights, a step and a look. It grows with their cube."""
TRUNK_SHARE = 0.6
"""Of the time of a slab, for the trunk."""
ROWS_PER_UNKNOWN_OF_REFINEMENT = 7
"""Features of trained layers are no even basis. On Burgers' equation, with 6.4 rows or more, the objective on fresh
points was at most ten times that on the rows that were solved."""
LEVENBERG_MARQUARDT = Stage(LevenbergMarquardt, steps=5000, resample=10, block=10)
"""Of a whole network or of its trunk; to redraw points more often costs time and gains nothing."""


def count_unknowns(seconds: float, budget: Budget) -> int:
    """Return how many unknowns the refinement of a slab has that takes so many seconds.

    On a machine of common speed their number follows from the seconds alone.
    """
    room = (1 - TRUNK_SHARE) * seconds
    most = round(REFINEMENT * min(1.0, (room / REFINEMENT_SECONDS) ** (1 / 3)))

    def fit(unknowns: int) -> bool:
        work = step_work(ROWS_PER_UNKNOWN_OF_REFINEMENT * unknowns, unknowns)
        return budget.takes_at_most(work, MOST_OVERRUN * room)

    return as_many_as_fit(most, fit)


def as_many_as_fit(most: int, fit: Callable[[int], bool]) -> int:
    """Return the largest number that fits, to a tenth or so, of 1 to `most`."""
    while most > 1 and not fit(most):
        most = int(0.9 * most)
    return most


def refinement(draws: int, slabs: int | None = None) -> dict[str, Stage]:
    """Return the stages of a `Refined` network, or of each of so many of `Slabs`, by name.

    The slabs that are left share the time that is left: 0.6 of it for the trunk, the rest for the features.

    Args:
        draws: of points, together, for the features.
        slabs: how many; None for a network without any.
    """
    stages = {}
    count = slabs or 1
    for index in range(count):
        prefix, slab = (f"slab {index + 1} of {count}, ", index) if slabs else ("", None)
        stages[f"{prefix}levenberg_marquardt"] = replace(
            LEVENBERG_MARQUARDT, part="trunk", slab=slab, share=TRUNK_SHARE / (count - index)
        )
        stages[f"{prefix}refinement"] = Stage(
            LeastSquares,
            steps=5,
            resample=0,
            block=1,
            patience=1,
            part="features",
            slab=slab,
            share=(1 - TRUNK_SHARE) / (count - index - TRUNK_SHARE),
            draws=draws,
        )
    return stages
