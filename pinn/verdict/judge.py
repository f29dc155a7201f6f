"""How good a solution is, in words and numbers, without any reference."""

import math
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from operator import itemgetter

import torch

from pinn.errors import NotFinite
from pinn.marching import is_initial_value_problem
from pinn.model import Model
from pinn.relative import Left, field_sizes, relative_residuals
from pinn.sampling import Collocation
from pinn.verdict.conditions import fields_without_equation, what_is_missing
from pinn.verdict.contradictions import Contradiction, find_contradictions
from pinn.verdict.correction import Correction, find_correction
from pinn.verdict.determinacy import Determinacy, find_determinacy
from pinn.verdict.jumps import Jump, find_jumps
from pinn.verdict.verdict import Status, Verdict

SOLVED = 1e-2
"""The largest estimated error of a solution that is called one. Estimates are within a factor of ten of the truth for
all but a few in a hundred, so that an error above a tenth is never called solved."""
MET = 3e-2
"""The largest relative residual of a solution: what a change of the fields by so much would leave."""
ROUND_OFF = 1e-15
"""Relative, of values in float64; what is smaller is no error that could be told."""
TAKEN_AWAY = 0.3
"""Of the residuals, what a correction leaves whose size is that of the error. One that leaves more is a part of it."""
CONTRADICTED = 1e-2
"""Of a source or of given values, what must be left where no field can meet all conditions."""
HELD_OUT = -1
"""Number of the draw of points that no step trains on."""
MOST_POINTS = 20_000
"""At which residuals are looked at, so that time and memory are bounded."""


def judge(
    model: Model, collocation: Collocation, weights: Mapping[str, float], *, estimate: bool = True, seed: int = 0
) -> Verdict:
    """Say how good a solution is.

    Residuals on points that no step saw tell whether the equations are met; an independent correction tells how far the
    fields are from the solution; the least change that residuals see tells whether there is only one; coefficients that
    jump and conditions that contradict each other are looked for in the problem itself.

    Args:
        model: the solution.
        collocation: the points of its training; those used here are drawn anew.
        weights: of constraints and residuals in the training.
        estimate: whether the error is estimated and the conditions are examined, which takes a part of the time of a
            solve; without it the residuals alone decide.
        seed: of the training; other features and points than those are drawn.
    """
    started = time.perf_counter()
    device = next(model.parameters()).device
    own = deepcopy(model).to(torch.float64)
    collocation = deepcopy(collocation).to(device, torch.float64)
    problem = own.problem.copied()
    count = sum(map(sum, collocation.sizes.values()))
    points = collocation.more_or_fewer(problem, min(1.0, MOST_POINTS / count), HELD_OUT)
    left = relative_residuals(own, points)
    correction, determinacy, still_left, cannot = None, None, ("", 0.0), ""
    if estimate and all(math.isfinite(each.rms) for each in left.values()):
        try:
            correction = find_correction(own, collocation, weights, seed=_other(seed, 1))
            after = relative_residuals(correction.model, points)
            shares = {name: _share_of_data(min(each.rms, after[name].rms), each.data) for name, each in left.items()}
            still_left = max(shares.items(), key=itemgetter(1))
            determinacy = find_determinacy(own, collocation, left, field_sizes(own), seed=_other(seed, 2))
        except NotFinite as error:
            cannot = str(error)
    from_start = is_initial_value_problem(problem)
    found = _Found(
        left=left,
        still_left=still_left,
        correction=correction,
        determinacy=determinacy,
        contradictions=find_contradictions(problem),
        jumps=find_jumps(problem),
        missing=what_is_missing(problem) if from_start or (determinacy is not None and determinacy.free) else [],
        from_start=from_start,
        without_equation=fields_without_equation(problem),
        cannot=cannot,
    )
    status, reason = found.verdict()
    return Verdict(
        status,
        reason,
        correction.error if correction else {},
        correction.unknowns if correction else {},
        {name: each.relative for name, each in left.items()},
        {name: each.rms for name, each in left.items()},
        found.notes(),
        time.perf_counter() - started,
    )


def _other(seed: int, number: int) -> int:
    """Return a seed that neither a training with this one nor another number uses."""
    return (seed * 1_000_003 + 7919 * number) % 2**63


@dataclass(frozen=True)
class _Found:
    """Everything that is known of a solution.

    Attributes:
        still_left: the residual of which neither the solution nor its correction takes away the source or the data, and
            the share of them that is left.
        missing: which conditions are fewer than the orders of the derivatives.
        from_start: whether it goes from a start alone. Then solutions may grow so that hardly anything of them is seen
            at the start, and conditions that are missing are what leaves them open.
        cannot: why the error cannot be estimated, or nothing.
    """

    left: dict[str, Left]
    still_left: tuple[str, float]
    correction: Correction | None
    determinacy: Determinacy | None
    contradictions: list[Contradiction]
    jumps: list[Jump]
    missing: list[str]
    from_start: bool
    without_equation: list[str]
    cannot: str

    def verdict(self) -> tuple[Status, str]:
        """Return the status and why, the gravest first."""
        worst = max(self.left, key=lambda name: _comparable(self.left[name].relative))
        most = _comparable(self.left[worst].relative)
        missed = f"{worst} is missed by {_share(most)} of its terms{_near(self.left[worst])}"
        if not math.isfinite(self.left[worst].rms):
            return "not solved", f"{worst} is not finite{_near(self.left[worst])}"
        if whole := [each for each in self.contradictions if each.whole]:
            return "contradictory", f"{whole[0]}; no field can meet both, take one of them away"
        if self.without_equation:
            return "not determined", f"{', '.join(self.without_equation)}: no equation on the interior names this field"
        if self._is_open():
            hint = "; ".join(self.missing) or ILL_POSED
            row, share = self.still_left
            if self.determinacy is not None and self.determinacy.exactly_free and share > CONTRADICTED:
                return "contradictory", (
                    f"no field meets all conditions: {_share(share)} of what {row} asks for is always left; what can "
                    f"be met leaves the fields open: {hint}"
                )
            return "not determined", f"other fields meet all conditions as well: {hint}"
        leading = [jump for jump in self.jumps if jump.leading]
        if leading:
            return "not solved", (
                f"{leading[0]}, and an equation for one smooth field does not say how its two sides join; give each "
                f"side fields of its own, with the conditions that join them"
            )
        error = self._error()
        if error is not None and error > SOLVED:
            by = "about" if self.correction is not None and self.correction.left < TAKEN_AWAY else "at least"
            return "not solved", f"the fields are off by {by} {_share(error)}; {missed}. {REMEDY}"
        if most > MET:
            return "not solved", f"{missed}. {REMEDY}"
        if error is None:
            return "solved", f"as far as residuals tell: {missed}"
        return "solved", f"to about {error:.0e}" if error > ROUND_OFF else "to round-off"

    def _is_open(self) -> bool:
        """Tell whether other fields meet all conditions as well."""
        free = self.determinacy is not None and self.determinacy.free
        if not self.from_start:
            return free
        error = self._error()
        return bool(self.missing) and (free or error is None or error > SOLVED)

    def _error(self) -> float | None:
        """Return the estimated error of the worst field or coefficient; None if there is none."""
        if self.correction is None:
            return None
        errors = [*self.correction.error.values(), *self.correction.unknowns.values()]
        return max((_comparable(error) for error in errors), default=0.0)

    def notes(self) -> tuple[str, ...]:
        """Return what is not grave."""
        jumps = [f"{jump}: smooth fields come near it slowly" for jump in self.jumps if not jump.leading]
        corners = [f"{each}: no smooth field can meet both" for each in self.contradictions if not each.whole]
        return (*jumps, *corners, *([f"the error cannot be estimated: {self.cannot}"] if self.cannot else []))


ILL_POSED = "is it ill-posed, as heat conduction backwards in time is, or in resonance?"
REMEDY = "Give it more seconds, points or features, or another training"


def _share_of_data(left: float, data: float) -> float:
    """Return which share of a source or of data is left; zero where there are none."""
    return left / data if 0 < data < math.inf else 0.0


def _comparable(value: float) -> float:
    """Return a number that can be compared: what is none is infinite."""
    return math.inf if math.isnan(value) else value


def _share(value: float) -> str:
    """Return a share in words: 3e-05, 4 %, 40 %, 3 times."""
    if value < 1e-3:
        return f"{value:.0e}"
    return f"{100 * value:.2g} %" if value < 1 else f"{value:.0f} times the size" if value < 1e4 else "orders"


def _near(left: Left) -> str:
    return " near " + ", ".join(f"{name} = {value:.3g}" for name, value in left.place.items())
