"""`pinn.solve` on the device: plans and their trials, problems with data of their own, graphs, and what comes out."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.documents import blocks
from helpers.small import Ring
from torch import Tensor, nn
from torch.optim import Adam

import pinn
from pinn import MLP, Problem, Solution, Stage
from pinn.compilation import CompiledStep
from pinn.derivatives import gradient
from pinn.derivatives import partial as derivative
from pinn.networks import RandomFeatures, Slabs
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt
from pinn.plan import refinement, slab_count
from pinn.problems import Burgers
from pinn.sampling import Collocation, Sobol
from pinn.solution import build_model
from pinn.training import budget
from pinn.weighting import Fixed

QUICK = {
    "points": 60,
    "boundary_points": 10,
    "seconds": None,
    "estimate": False,
    "progress": False,
    "grid": 5,
    "compile": False,
}
SMALL = partial(MLP, width=6, depth=2)


class Measured(Problem):
    """u' = k f(x) on (0, 1), u(0) = 0 and three measurements, with f in a buffer and k unknown; u = k sin(x)."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = pinn.Box(x=(0, 1))
        # The Taylor series of the cosine: its error on (0, 1) is below 1 / 10!.
        series = [1.0, 0.0, -1 / 2, 0.0, 1 / 24, 0.0, -1 / 720, 0.0, 1 / 40320]
        self.register_buffer("series", torch.tensor(series, dtype=torch.float64))
        self.strength = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def constraints(self) -> dict[str, pinn.Constraint]:
        measured = {
            f"measured_{at}": pinn.Constraint(self.domain.point(x=at / 10), lambda u, x: u - 2 * torch.sin(x))
            for at in (3, 6, 9)
        }
        return {
            "equation": pinn.Constraint(self.domain.interior, self.equation),
            "start": pinn.Constraint(self.domain.face(x=0), lambda u: u),
            **measured,
        }

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        powers = x.unsqueeze(1) ** torch.arange(len(self.series), device=x.device)
        return derivative(u, x) - self.strength * (powers @ self.series)


def is_there(solution: Solution, device: torch.device) -> bool:
    places = {value.device for value in (*solution.model.parameters(), *solution.model.buffers())}
    return places == {device}


def test_a_problem_with_data_and_an_unknown(device: torch.device) -> None:
    stages = {"levenberg_marquardt": Stage(LevenbergMarquardt, steps=15, block=5)}
    solution = pinn.solve(Measured(), network=SMALL, stages=stages, **QUICK)
    assert is_there(solution, device)
    assert solution.metrics["unknowns"]["strength"] == pytest.approx(2, abs=1e-3)  # what 15 steps leave


def test_a_linear_plan_with_its_trials(device: torch.device) -> None:
    class Known(Measured):
        def __init__(self) -> None:
            super().__init__()
            self.strength.requires_grad_(False).fill_(2.0)

    solution = pinn.solve(Known(), **QUICK)
    assert is_there(solution, device)
    assert any(isinstance(module, RandomFeatures) for module in solution.model.modules())
    # The series and the sines of the network, whose scale the trials have found, are better than that.
    assert solution(x=0.5)["u"].item() == pytest.approx(2 * math.sin(0.5), abs=1e-6)


def test_the_speed_that_is_measured_is_that_of_the_device(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = []
    monkeypatch.setattr(budget, "solve", lambda matrix, right: places.append(matrix.device) or right)
    budget.measure_speed(torch.zeros(0, dtype=torch.float64, device=device))
    assert set(places) == {device}


def test_trials_tell_the_number_of_slabs(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slab_count, "STEPS", 2)
    monkeypatch.setattr(slab_count, "LADDER", (1, 2))
    points = Collocation(Burgers(), Sobol(), points=40, boundary_points=10).to(device, torch.float64)
    found = slab_count.find_slab_count(Burgers().copied(device), points, time=1)
    assert all(0 < left < 1 for left in found.left)
    assert len(found.left) == 2


def test_slabs_of_time(device: torch.device) -> None:
    stages = {name: Stage(**{**vars(stage), "steps": 2, "block": 1}) for name, stage in refinement(1, slabs=2).items()}
    network = partial(Slabs, slabs=2, time=1, width=4, depth=2, features=8)
    solution = pinn.solve(Burgers(), network=network, stages=stages, **QUICK)
    assert is_there(solution, device)
    assert len(solution.metrics["stopped"]) == 4


@pytest.mark.parametrize("problem", [Ring(), Measured()], ids=["ansatz and a ring", "buffer and unknown"])
def test_captured_steps_are_those_that_are_not(problem: Problem, device: torch.device) -> None:
    problem = problem.copied(device)
    draw = Collocation(problem, Sobol(), points=20, boundary_points=5).to(device, torch.float64)(0)
    model = build_model(problem, SMALL, torch.float64).to(device)
    step = CompiledStep(compile=True, say=pytest.fail)
    step.settle("captured")
    step.jacobians.way = step.evaluations.way = "captured"
    step.evaluations.patient = False
    plain, captured = (Objective(model, draw, Fixed(), by, chunk=20) for by in (None, step))
    for one, other in ((plain(), captured()), (plain.vector(), captured.vector())):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
    with torch.no_grad():
        for one, other in zip(plain.jacobian(), captured.jacobian(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.fixture(scope="module")
def solved() -> dict[str, Solution]:
    """A solution that the first test makes."""
    return {}


@pytest.fixture
def solution(solved: dict[str, Solution]) -> Solution:
    if not solved:
        stages = {"adam": Stage(partial(Adam, lr=1e-2), steps=4, block=2)}
        solved["one"] = pinn.solve(Ring(), network=SMALL, stages=stages, **QUICK)
    return solved["one"]


def test_fields_lie_where_the_coordinates_do(solution: Solution, device: torch.device) -> None:
    assert is_there(solution, device)
    cpu = torch.device("cpu")
    for x in (0.5, [0.25, 0.5], np.array([0.25, 0.5]), torch.tensor([0.25, 0.5])):
        u = solution(x=x, t=0.5)["u"]
        assert u.device == cpu
        assert np.isfinite(u.numpy()).all()
    there = solution(x=torch.tensor([0.25, 0.5], device=device), t=0.5)["u"]
    assert there.device == device
    assert torch.equal(there.cpu(), solution(x=[0.25, 0.5], t=0.5)["u"])
    with pytest.warns(UserWarning, match="1 of 2 points lie outside"):
        assert solution(x=[0.25, 2.5], t=0.5)["u"].isnan().tolist() == [False, True]


def test_fields_can_be_differentiated_by_coordinates_on_the_cpu(solution: Solution) -> None:
    x, t = (torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    u_x, u_t = gradient(solution(x=x, t=t)["u"], (x, t))
    assert u_x.device == u_t.device == torch.device("cpu")


def test_a_saved_solution_is_the_same_on_the_cpu(solution: Solution, tmp_path: Path) -> None:
    solution.save(tmp_path / "ring.pt")
    loaded = pinn.load(tmp_path / "ring.pt", problem=Ring(), network=SMALL)
    assert is_there(loaded, torch.device("cpu"))
    at = {"x": [0.25, 0.5], "t": 0.5}
    torch.testing.assert_close(loaded(**at)["u"], solution(**at)["u"], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("code", blocks("README.md", "python"), ids=lambda code: code.splitlines()[-1][:40])
def test_snippets_of_the_readme_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
