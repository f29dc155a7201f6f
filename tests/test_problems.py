"""Every problem that ships is the one that its documentation states: its exact solution solves it and no other."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.mutants import mutants
from helpers.sampled import sampled
from helpers.shipped import SHIPPED, Shipped
from torch import Tensor

from pinn.config import options
from pinn.domains import Points
from pinn.errors import InputError
from pinn.problems import Bratu, Problem, SineGordon, navier_stokes
from pinn.references.reference import Solution

FLAT_PRESSURE = "the exact pressure does not depend on y"
SAME_GAUGE = "the exact pressure, given at another point of the domain, fixes the same constant"
ANY_WAVENUMBER = "the source is made for the wavenumber, so that the same u solves the equation for all of them"
QUIET_SEAM = "v is zero at the seam, to 1e-13, however it is continued"
POWERS_OF_ONE = "coefficients that are 1 by default, as are all their powers"
REFUSED_ONLY = "it only says which coefficients are refused"
FLAT_CORNER = "the pressure is so flat in a corner at rest that it is the same to 1e-5 a thousandth away"
EQUIVALENT = {
    "arrhenius": {"2 -> 2.002 in reaction": POWERS_OF_ONE},
    "bratu": {"3.5138307191251 -> 3.517344549844225": REFUSED_ONLY},
    "cavity": {"0 -> 0.0009999999999998899 in self.domain.point(x=0, y=0)": FLAT_CORNER},
    "gray_scott": {
        "v -> 1.001 * v in ring": QUIET_SEAM,
        "v_image -> 1.001 * v_image in ring": QUIET_SEAM,
        "v_image - v -> v_image + v in ring": QUIET_SEAM,
    },
    "helmholtz": {"1.0 -> 1.001 in __init__": ANY_WAVENUMBER, "2 -> 2.002 in equation": POWERS_OF_ONE},
    "kovasznay": {"-0.5 -> 0.5 in self.domain.point(x=-0.5, y=-0.5)": SAME_GAUGE},
    "navier_stokes": {
        "u * v_x + v * v_y + p_y -> u * v_x + v * v_y - p_y in steady_navier_stokes": FLAT_PRESSURE,
        "p_y -> 1.001 * p_y in steady_navier_stokes": FLAT_PRESSURE,
    },
    "sine_gordon": {"1 -> 1.001": REFUSED_ONLY},
}
"""By problem or equation: mutants that the same solution solves, with the reason why."""


def left(problem: Problem, reference: Solution, expected: Shipped) -> Iterator[tuple[str, Tensor, float]]:
    """Yield name, residual at random points of its region, and tolerance of every row that a solution is to fulfil."""
    generator = torch.Generator().manual_seed(0)

    def solution(at: Points) -> Points:
        return reference(**{name: at[name] for name in problem.coordinates})

    for name, constraint in problem.constraints().items():
        unit = torch.rand(expected.points, constraint.region.dimension, dtype=torch.float64, generator=generator)
        unit = expected.margin + (1 - 2 * expected.margin) * unit
        points = constraint.region.points(unit)
        leaves = {key: value.requires_grad_(key in problem.coordinates) for key, value in points.items()}
        tolerance = expected.tolerance
        if name != "equation" and expected.of_conditions is not None:
            tolerance = expected.of_conditions
        for row_name, row in problem.residuals(name, leaves, solution).items():
            yield row_name, row, tolerance


def solves(problem: Problem, reference: Solution, expected: Shipped) -> bool:
    """Whether the reference solves this problem on the domain that was promised."""
    if problem.domain.intervals != expected.domain:
        return False
    return all(row.abs().max() <= tolerance for _, row, tolerance in left(problem, reference, expected))


def test_every_configured_problem_is_tested_here() -> None:
    assert sorted(SHIPPED) == options("problem")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_exact_solution_leaves_no_residual(name: str) -> None:
    expected = SHIPPED[name]
    problem = expected.problem()
    reference = expected.solution(problem)
    assert problem.domain.intervals == expected.domain
    for name_of_row, row, tolerance in left(problem, reference, expected):
        assert row.shape == (expected.points,)
        assert row.abs().max() <= tolerance, name_of_row


@pytest.mark.parametrize("name", sampled(SHIPPED, 2))
def test_the_exact_solution_solves_no_mutant_of_the_problem(name: str) -> None:
    expected = SHIPPED[name]
    reference = expected.solution(expected.problem())
    source = Path(inspect.getfile(expected.problem)).read_text(encoding="utf-8")
    survivors, count = set(), 0
    for mutant in mutants(source, untouched=expected.of_the_reference):
        count += 1
        try:
            problem = mutant.run(expected.problem.__module__)[expected.problem.__name__]()
            alive = solves(problem, reference, expected)
        except (TypeError, ValueError):
            continue
        if alive:
            survivors.add(mutant.change)
    assert count >= 9, "a problem has more numbers and signs than that"
    assert survivors == set(EQUIVALENT.get(name, {}))


def test_the_exact_flow_solves_no_mutant_of_the_navier_stokes_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems share these equations, so they are not among the mutants of a problem's own file."""
    expected = SHIPPED["kovasznay"]
    problem = expected.problem()
    survivors, count = set(), 0
    for mutant in mutants(inspect.getsource(navier_stokes), untouched=()):
        count += 1
        changed = mutant.run(navier_stokes.__name__)["steady_navier_stokes"]
        monkeypatch.setattr("pinn.problems.kovasznay.steady_navier_stokes", changed)
        if solves(problem, expected.solution(problem), expected):
            survivors.add(mutant.change)
    assert count >= 10, "there are more operands and signs than that"
    assert survivors == set(EQUIVALENT["navier_stokes"])


def test_what_has_no_solution_in_closed_form_is_refused() -> None:
    with pytest.raises(InputError, match=r"no state is steady with a rate above 3\.5138307191251; it was given 3\.52"):
        Bratu(rate=3.52)
    with pytest.raises(InputError, match="a breather has a frequency below 1, that of small waves; it was given 1"):
        SineGordon(frequency=1)
