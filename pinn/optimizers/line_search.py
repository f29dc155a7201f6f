"""A step length that obeys the strong Wolfe conditions."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Trial:
    """One point of φ(α) = f(x + α p).

    Args:
        step: α.
        value: φ(α).
        slope: φ'(α) = p·∇f.
        gradient: ∇f there, (parameters,), for the caller's own use.
    """

    step: float
    value: float
    slope: float
    gradient: Tensor


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    start: Trial,
    step: float,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    evaluations: int = 25,
) -> Trial:
    """Return a trial with φ(α) ≤ φ(0) + c₁ α φ'(0) and |φ'(α)| ≤ c₂ |φ'(0)|.

    Steps grow until an interval must hold such a point, which cubic interpolation then narrows (Nocedal and Wright
    2006, algorithms 3.5 and 3.6). A value that is no number counts as too large. When the evaluations are used up, the
    best trial that obeys the first condition is returned; `start` itself says that there was none.

    Args:
        evaluate: computes the trial at α > 0.
        start: the trial at α = 0, with a negative slope.
        step: the first α.
        decrease: c₁.
        curvature: c₂, between c₁ and 1.
        evaluations: the most calls of `evaluate`.
    """

    def too_high(trial: Trial, low: Trial) -> bool:
        bound = start.value + decrease * trial.step * start.slope
        # Near the least values agree to round-off; then slopes, which still tell the sides apart, have to decide.
        return not (trial.value <= bound and trial.value <= low.value and math.isfinite(trial.slope))

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -curvature * start.slope

    # `low` obeys the first condition and is the lowest so far. Between it and `high`, once that is known, lies a point
    # that obeys both: the slope at `low` points towards `high`.
    low: Trial = start
    high: Trial | None = None
    for _ in range(evaluations):
        trial = evaluate(step)
        if too_high(trial, low):
            high = trial
        elif flat(trial):
            return trial
        else:
            if high is None:
                high = low if trial.slope >= 0 else None
                step = _beyond(low, trial)
            elif trial.slope * (high.step - low.step) >= 0:
                high = low
            low = trial
        if high is not None:
            step = _between(low, high)
    return low


def _beyond(low: Trial, trial: Trial) -> float:
    """Return a step further out than `trial`, where the cubic through both turns, 2 to 10 times as far."""
    cubic = _cubic(low, trial)
    least, most = 2 * trial.step, 10 * trial.step
    return min(max(cubic, least), most) if cubic > trial.step else most


def _between(low: Trial, high: Trial) -> float:
    """Return a step between the two, where the cubic through both is least, away from the ends by a tenth at least."""
    width = high.step - low.step
    cubic = _cubic(low, high)
    if not math.isfinite(cubic):
        # Without a value there, the end of the interval says nothing about the scale of φ.
        return low.step + 0.1 * width if not math.isfinite(high.value) else low.step + 0.5 * width
    share = min(max((cubic - low.step) / width, 0.1), 0.9)
    return low.step + share * width


def _cubic(a: Trial, b: Trial) -> float:
    """Return where the cubic with the values and slopes of two trials is least; NaN if it is nowhere."""
    width = b.step - a.step
    if width == 0:
        return math.nan
    first = a.slope + b.slope - 3 * (b.value - a.value) / width
    square = first**2 - a.slope * b.slope
    if not square >= 0:
        return math.nan
    second = math.copysign(math.sqrt(square), width)
    bottom = b.slope - a.slope + 2 * second
    return b.step - width * (b.slope + second - first) / bottom if bottom else math.nan
