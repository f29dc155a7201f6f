"""What `pinn.check` tells of a problem before anything is trained."""

from pathlib import Path

import pytest
import torch
from benchmarks.verdict_cases import CONTRADICTORY, NOT_DETERMINED, NOT_JOINED, WELL_POSED
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from helpers.small import Decay

import pinn
from pinn.figures.points import plot_points
from pinn.problems import Burgers, Cavity, Heat2D, Poisson

FEW = {"points": 200, "boundary_points": 40}


@pytest.mark.parametrize("name", sampled([name for name in SHIPPED if name != "poisson_100d"], 4))
def test_nothing_speaks_against_a_problem_that_ships(name: str) -> None:
    found = pinn.check(SHIPPED[name].problem(), **FEW)
    assert found.ok, found
    assert found.notes == ()


@pytest.mark.parametrize("name", WELL_POSED)
def test_nothing_speaks_against_a_problem_that_is_well_posed(name: str) -> None:
    assert pinn.check(WELL_POSED[name], **FEW).ok


@pytest.mark.parametrize("name", [*NOT_DETERMINED, *CONTRADICTORY, *NOT_JOINED])
def test_a_problem_without_one_solution_is_told_before_anything_is_trained(name: str) -> None:
    problem = (NOT_DETERMINED | CONTRADICTORY | NOT_JOINED)[name]
    found = pinn.check(problem, **FEW)
    assert not found.ok
    assert "it has no solution, or many" in str(found)


def test_everything_is_said_that_can_be_known() -> None:
    problem = Burgers()
    found = pinn.check(problem, points=200, boundary_points=41, counts={"initial": 30})
    assert (found.title, found.linearity.linear) == ("Burgers", False)
    assert found.points == {"equation": [200], "initial": [30], "walls": [21, 20]}
    # Of sin πx.
    assert found.residuals["initial"].data == pytest.approx(0.5**0.5, rel=0.05)
    assert found.residuals["walls"].data == 0
    assert 0.3 < found.scales["u"] < 3
    text = str(found)
    assert text.startswith("Burgers: nothing speaks against it\n")
    for line in ("Box(x=(-1, 1), t=(0, 1))", "no, equation is not linear in u", "41, of its 2 parts 1 × 21 + 1 × 20"):
        assert line in text
    # 200 + 30 + 41 rows of a network of 2 × 20, 2 layers of 20 × 20 and 20 weights with their biases, 8 bytes each.
    assert found.cost.memory == (200 + 30 + 41) * (3 * 20 + 2 * 21 * 20 + 21) * 8
    assert found.seconds > 0


def test_it_changes_nothing() -> None:
    problem, generator = Decay(), torch.random.get_rng_state()
    before = {name: value.clone() for name, value in problem.state_dict().items()}
    pinn.check(problem, **FEW)
    assert all(torch.equal(value, before[name]) for name, value in problem.state_dict().items())
    assert all(value.dtype == before[name].dtype for name, value in problem.state_dict().items())
    assert torch.equal(generator, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "problem", [Decay(), Poisson(), Heat2D(), Cavity()], ids=lambda problem: type(problem).__name__
)
def test_the_points_are_drawn(problem: pinn.Problem, tmp_path: Path) -> None:
    found = pinn.check(problem, **FEW)
    path = found.plot(tmp_path / "points.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    figure = plot_points(found.drawn, "title")
    dimensions = len(problem.coordinates)
    assert len(figure.axes) == {1: 1, 2: 1, 3: 3}[dimensions]
    curves = figure.axes[0].get_lines()
    assert len(curves) == len(found.drawn)
    for curve, points in zip(curves, found.drawn.values(), strict=True):
        assert curve.get_xdata().tolist() == points[problem.coordinates[0]].tolist()
