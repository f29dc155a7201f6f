"""The line search: what it returns obeys the strong Wolfe conditions, whatever the function and the first step."""

import math
from collections.abc import Callable

import pytest
import torch

from pinn.optimizers.line_search import Trial, strong_wolfe

Function = Callable[[float], tuple[float, float]]


def rational(a: float) -> tuple[float, float]:
    """-α / (α² + 2)."""
    return -a / (a**2 + 2), (a**2 - 2) / (a**2 + 2) ** 2


def quintic(a: float) -> tuple[float, float]:
    """(α + β)⁵ - 2 (α + β)⁴ with β = 0.004: almost flat at first."""
    b = a + 0.004
    return b**5 - 2 * b**4, 5 * b**4 - 8 * b**3


def wavy(a: float) -> tuple[float, float]:
    """A wave on a slope that ends at α = 1: many points look like the least."""
    wave = 2 * (1 - 0.01) / (39 * math.pi)
    base, slope = (1 - a, -1.0) if a <= 0.99 else (a - 1, 1.0)
    if abs(a - 1) < 0.01:
        base, slope = (a - 1) ** 2 / 0.02 + 0.005, (a - 1) / 0.01
    return base + wave * math.sin(39 * math.pi * a / 2), slope + (1 - 0.01) * math.cos(39 * math.pi * a / 2)


def yanai(first: float, second: float) -> Function:
    """γ(β₁) √((1 - α)² + β₂²) + γ(β₂) √(α² + β₁²) with γ(β) = √(1 + β²) - β."""

    def gamma(beta: float) -> float:
        return math.sqrt(1 + beta**2) - beta

    def function(a: float) -> tuple[float, float]:
        left, right = math.hypot(1 - a, second), math.hypot(a, first)
        value = gamma(first) * left + gamma(second) * right
        return value, -gamma(first) * (1 - a) / left + gamma(second) * a / right

    return function


def fenced(a: float) -> tuple[float, float]:
    """-log(1 - α) - 3α: no number from α = 1 on."""
    return (-math.log(1 - a) - 3 * a, 1 / (1 - a) - 3) if a < 1 else (math.nan, math.nan)


# The six functions of Moré and Thuente (1994) with their c₁ and c₂, and one with an end.
CASES = {
    "rational": (rational, 1e-3, 0.1),
    "quintic": (quintic, 0.1, 0.1),
    "wavy": (wavy, 0.1, 0.1),
    "yanai, even": (yanai(1e-3, 1e-3), 1e-3, 1e-2),
    "yanai, least at 0": (yanai(1e-2, 1e-3), 1e-3, 1e-2),
    "yanai, least at 1": (yanai(1e-3, 1e-2), 1e-3, 1e-2),
    "fenced": (fenced, 1e-4, 0.1),
}


def search(
    function: Function, step: float, decrease: float = 1e-4, curvature: float = 0.9, evaluations: int = 25
) -> tuple[Trial, Trial, int]:
    made = 0

    def evaluate(a: float) -> Trial:
        nonlocal made
        made += 1
        return Trial(a, *function(a), torch.empty(0))

    start = Trial(0.0, *function(0.0), torch.empty(0))
    return start, strong_wolfe(evaluate, start, step, decrease, curvature, evaluations), made


@pytest.mark.parametrize("step", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize("case", CASES)
def test_the_strong_wolfe_conditions_hold(case: str, step: float) -> None:
    function, decrease, curvature = CASES[case]
    start, end, made = search(function, step, decrease, curvature)
    assert (end.value, end.slope) == function(end.step)
    assert end.value <= start.value + decrease * end.step * start.slope
    assert abs(end.slope) <= curvature * abs(start.slope)
    # Measured: at most 14; Moré and Thuente need up to 12 on their functions.
    assert made <= 18


def test_a_cubic_is_minimised_by_its_second_trial() -> None:
    """With tight conditions only the least of the cubic will do: -3α + α³ has it at 1."""
    _, end, made = search(lambda a: (a**3 - 3 * a, 3 * a**2 - 3), 1.5, 1e-4, 1e-3)
    assert end.step == pytest.approx(1, abs=1e-14)  # the round-off of a root
    assert made == 2


def test_without_a_decrease_the_start_is_returned() -> None:
    """A slope that lies, as round-off makes it at the end of a training."""
    start, end, made = search(lambda a: (a, -1.0), 1.0, evaluations=7)
    assert end is start
    assert made == 7


def test_the_best_trial_is_returned_when_evaluations_run_out() -> None:
    """-α falls forever: the last of three trials is the lowest."""
    _, end, made = search(lambda a: (-a, -1.0), 1.0, evaluations=3)
    assert made == 3
    assert end.step == 100


def test_a_well_is_not_stepped_over() -> None:
    """Behind the well the slope is flat and the value below the start, but above what the first trial has seen."""

    def well(a: float) -> tuple[float, float]:
        depth = 10 * math.exp(-((a - 2) ** 2))
        return -a / 10 - depth, -1 / 10 + 2 * (a - 2) * depth

    _, end, _ = search(well, 1.0)
    assert end.value < well(1.0)[0]
