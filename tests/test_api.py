"""The same from Python: solve, evaluate anywhere, differentiate, save, load."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runs import cut_after
from helpers.small import Decay
from torch import nn

import pinn
from pinn import MLP, Exact, InputError, Solution, Stage, solve
from pinn.derivatives import gradient, laplacian
from pinn.optimizers import LevenbergMarquardt
from pinn.problems import Burgers, Kovasznay, Poisson, Problem
from pinn.sampling import ResidualAdaptive, Sobol
from pinn.weighting import Fixed

QUICK = {
    "network": partial(MLP, width=8, depth=2),
    "stages": {"levenberg_marquardt": Stage(LevenbergMarquardt, steps=40, block=10)},
    "weighting": Fixed(),
    "points": 100,
    "boundary_points": 40,
    "seconds": None,
    "grid": 15,
    "estimate": False,
    "progress": False,
}


@pytest.fixture(scope="module")
def poisson() -> Solution:
    return solve(Poisson(), **QUICK)


def test_a_few_steps_come_near_the_solution(poisson: Solution) -> None:
    """Forty steps of Levenberg-Marquardt left 1.2e-3 to 2.9e-3 for five seeds of six; a start leaves 1."""
    assert poisson.metrics["relative_l2"]["u"] < 0.02
    assert poisson(x=0.5, y=0.5)["u"].item() == pytest.approx(1, abs=0.02)


def test_points_are_given_by_name_in_any_form(poisson: Solution) -> None:
    x, y = [0.1, 0.2, 0.3], 0.5
    expected = poisson(x=torch.tensor(x, dtype=torch.float64), y=torch.full((3,), y, dtype=torch.float64))["u"]
    assert expected.shape == (3,)
    assert torch.equal(poisson(x=x, y=y)["u"], expected)
    assert torch.equal(poisson(y=y, x=np.array(x))["u"], expected)
    assert poisson(x=0.1, y=0.5)["u"].shape == ()
    # One point alone goes through another product of matrices: one rounding more or less.
    torch.testing.assert_close(poisson(x=0.1, y=0.5)["u"], expected[0], rtol=0, atol=1e-13)
    grid = poisson(x=np.linspace(0, 1, 4)[:, None], y=np.linspace(0, 1, 3)[None, :])["u"]
    assert grid.shape == (4, 3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_solve_early_and_a_warning_says_so(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_after(monkeypatch, 2, number)
    with pytest.warns(UserWarning, match="interrupted: a signal ended the training after 2 steps") as said:
        solution = solve(Poisson(), **QUICK)
    assert said[0].filename == __file__
    assert solution.metrics["status"] == "interrupted"
    assert solution.metrics["steps"] == 2


def test_no_points_give_no_values(poisson: Solution) -> None:
    assert poisson(x=[], y=[])["u"].shape == (0,)


def test_many_points_are_taken_in_blocks(poisson: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.linspace(0, 1, 101, dtype=torch.float64)
    whole = poisson(x=x, y=x)["u"]
    monkeypatch.setattr("pinn.solution.POINTS_AT_ONCE", 7)
    # Other shapes of matrices sum in another order.
    torch.testing.assert_close(poisson(x=x, y=x)["u"], whole, rtol=0, atol=1e-13)


def test_the_solution_can_be_differentiated_where_it_is_asked_for(poisson: Solution) -> None:
    x = torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64, requires_grad=True)
    u = poisson(x=x, y=y)["u"]
    u_x, u_y = gradient(u, (x, y))
    step = 1e-6
    shifted = (poisson(x=x.detach() + step, y=y)["u"] - poisson(x=x.detach() - step, y=y)["u"]) / (2 * step)
    # A central difference: error of order step², and round-off of 1e-16 / step.
    torch.testing.assert_close(u_x, shifted, rtol=0, atol=1e-8)
    assert u_y.shape == (3,)
    right_side = -2 * torch.pi**2 * torch.sin(torch.pi * x) * torch.sin(torch.pi * y)
    # The residual after forty steps, beside a right side of 20.
    torch.testing.assert_close(laplacian(u, (x, y)), right_side, rtol=0, atol=1.0)


def test_without_gradients_nothing_is_recorded(poisson: Solution) -> None:
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert not poisson(x=[0.1], y=[0.2])["u"].requires_grad
    with torch.no_grad():
        assert not poisson(x=x, y=x)["u"].requires_grad
    assert poisson(x=x, y=x)["u"].requires_grad


@pytest.mark.parametrize("given", [{}, {"x": 0.5}, {"x": 0.5, "z": 0.5}, {"x": 0.5, "y": 0.5, "z": 0.5}])
def test_coordinates_that_do_not_fit_are_refused(given: dict[str, float], poisson: Solution) -> None:
    with pytest.raises(InputError, match="the coordinates are x, y; it was given"):
        poisson(**given)


def test_what_is_saved_is_loaded_to_the_bit(poisson: Solution, tmp_path: Path) -> None:
    poisson.save(tmp_path / "poisson.pt")
    again = pinn.load(tmp_path / "poisson.pt")
    x = torch.rand(50, dtype=torch.float64)
    assert torch.equal(again(x=x, y=x)["u"], poisson(x=x, y=x)["u"])
    assert again.metrics == poisson.metrics
    assert again.history == poisson.history
    assert type(again.problem) is Poisson
    assert again.evaluate(15).relative_l2 == poisson.metrics["relative_l2"]


def test_arguments_of_problem_and_network_are_saved_too(tmp_path: Path) -> None:
    quick = QUICK | {"stages": {"adam": Stage(torch.optim.Adam, steps=2)}, "dtype": "float32"}
    solution = solve(Burgers(viscosity=0.25), **quick | {"network": partial(MLP, width=3, depth=1, activation="sine")})
    solution.save(tmp_path / "burgers.pt")
    again = pinn.load(tmp_path / "burgers.pt")
    assert again.problem.arguments == {"viscosity": 0.25}
    assert again(x=0.5, t=0.5)["u"].dtype == torch.float32
    assert torch.equal(again(x=[0.5], t=[0.5])["u"], solution(x=[0.5], t=[0.5])["u"])


class Own(Poisson):
    """A problem that lies in no module that pinn trusts."""


class OwnNetwork(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 4), nn.Tanh(), nn.Linear(4, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_own_classes_are_loaded_when_they_are_trusted_or_given(tmp_path: Path) -> None:
    quick = QUICK | {"stages": {"adam": Stage(torch.optim.Adam, steps=1)}, "network": OwnNetwork}
    path = tmp_path / "own.pt"
    solution = solve(Own(), **quick)
    solution.save(path)
    with pytest.raises(InputError, match=r"may not be built.*trust=\[test_api\]"):
        pinn.load(path)
    expected = solution(x=[0.5], y=[0.5])["u"]
    assert torch.equal(pinn.load(path, trust=["test_api"])(x=[0.5], y=[0.5])["u"], expected)
    assert torch.equal(pinn.load(path, problem=Own(), network=OwnNetwork)(x=[0.5], y=[0.5])["u"], expected)


def test_what_cannot_be_written_down_is_asked_for(tmp_path: Path) -> None:
    quick = QUICK | {"stages": {"adam": Stage(torch.optim.Adam, steps=1)}}
    solve(Poisson(), **quick | {"network": lambda inputs, outputs: MLP(inputs, outputs, width=3, depth=1)}).save(
        tmp_path / "x.pt"
    )
    with pytest.raises(InputError, match=r"was not written down.*pass it yourself"):
        pinn.load(tmp_path / "x.pt")
    network = partial(MLP, width=3, depth=1)
    assert pinn.load(tmp_path / "x.pt", network=network)(x=0.5, y=0.5)["u"].shape == ()
    with pytest.raises(
        InputError, match=r"state.network.*is a tensor of shape \(3, 2\).*expected a tensor of shape \(4, 2\)"
    ):
        pinn.load(tmp_path / "x.pt", network=partial(MLP, width=4, depth=1))


def test_a_system_gives_every_field() -> None:
    solution = solve(Kovasznay(), **QUICK)
    fields = solution(x=[0.0, 0.5], y=[0.0, 0.5])
    assert {name: values.shape for name, values in fields.items()} == dict.fromkeys("uvp", (2,))
    assert set(solution.metrics["residual_rms"]) == {
        *("equation.momentum_x", "equation.momentum_y", "equation.continuity", "sides.u", "sides.v", "gauge")
    }


def test_an_unknown_coefficient_is_found() -> None:
    """u(t) = exp(-k t) was measured with k = 2; the initial guess is 0.3."""
    solution = solve(Decay(), **QUICK)
    # The measurement is one point of a network that fits to some 1e-4 after forty steps.
    assert solution.metrics["unknowns"]["rate"] == pytest.approx(2, rel=1e-2)
    assert solution.metrics["relative_l2"] == {}
    assert solution.metrics["reference"] is None


def test_a_call_of_solve_leaves_random_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    solve(Poisson(), **QUICK | {"stages": {"adam": Stage(torch.optim.Adam, steps=1)}})
    assert torch.equal(before, torch.random.get_rng_state())


BAD = [
    ({"seed": -1}, "seed must be"),
    ({"dtype": "float16"}, "dtype must be one of float64, float32, mixed; it was given 'float16'"),
    ({"accelerator": "abacus"}, "accelerator must be one of"),
    ({"points": 0}, "points must be a whole number from 1 to 1,073,741,824; it was given 0"),
    ({"points": 100.0}, "points must be a whole number"),
    ({"counts": [1]}, "counts must be whole numbers from 1 to 1,073,741,824 by constraint"),
    ({"weights": {"walls": "a"}}, "weights must be positive numbers"),
    ({"threads": "two"}, "threads must be a whole number"),
    ({"compile": 1}, "compile must be auto, true or false"),
    ({"chunk": "all"}, "chunk must be auto, null or a whole number"),
    ({"engine": "jets"}, "engine must be one of auto, reverse, taylor"),
    ({"hard": 1}, "hard must be true or false"),
    ({"slabs": 0}, "slabs must be auto or a whole number"),
    ({"network": "nope"}, "there is no network 'nope'; choose one of auto, marched, mlp"),
    ({"network": MLP(2, 1)}, "network must be what makes one from the numbers of inputs and outputs"),
    ({"network": lambda inputs, outputs: 5}, "the network must be a torch.nn.Module; it was given a int"),
    ({"sampler": "nope"}, "there is no sampling 'nope'; choose one of grid, rad, sobol, uniform"),
    ({"sampler": Sobol}, "sampler must be a pinn.sampling.Sampler, or the name of an option"),
    ({"weighting": Fixed}, "weighting must be a pinn.weighting.Weighting, or the name of an option"),
    ({"stages": "nope"}, "there is no training 'nope'"),
    ({"stages": [Stage(LevenbergMarquardt, steps=1)]}, "stages must be a dict of pinn.Stage by name"),
    ({"stages": {"a": torch.optim.Adam}}, r"stages\['a'\] must be a pinn.Stage"),
    ({"stages": {"a": Stage(lambda p: p, steps=1)}}, "a stage's optimizer must make a torch.optim.Optimizer"),
    ({"stages": {"a": Stage(partial(torch.optim.Adam, lr=-1), steps=1)}}, "optimizer of stage 'a' cannot be made"),
    ({"counts": {"walls": 3}}, "names walls"),
    ({"weighting": Fixed({"walls": 3})}, "weights name walls"),
    ({"seconds": 0}, "seconds must be a positive number"),
    ({"grid": 1}, "grid must be a whole number of nodes from 2"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_arguments_that_cannot_be_used_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        solve(Poisson(), **QUICK | change)


@pytest.mark.parametrize(
    ("problem", "message"), [(Poisson, r"write Poisson\(\)"), ("poisson", "a pinn.Problem is needed")]
)
def test_a_problem_is_an_object(problem: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        solve(problem)


def test_options_go_by_their_names_and_have_the_defaults_of_their_files() -> None:
    """The same as the same classes with the values of configs/, to the bit."""
    quick = {
        "points": 60,
        "boundary_points": 20,
        "seconds": None,
        "grid": 9,
        "estimate": False,
        "progress": False,
        "compile": False,
    }
    stage = Stage(partial(torch.optim.Adam, lr=1e-2), steps=3)
    named = solve(Poisson(), network="mlp", sampler="rad", weighting="fixed", stages={"a": stage}, **quick)
    made = solve(
        Poisson(),
        **quick,
        network=partial(MLP, width=20, depth=3),
        sampler=ResidualAdaptive(),
        weighting=Fixed(),
        stages={"a": stage},
    )
    assert named.recipe == made.recipe
    assert all(torch.equal(named.model.state_dict()[name], value) for name, value in made.model.state_dict().items())


def test_an_option_brings_what_it_is_for() -> None:
    solution = solve(Poisson(), stages="lstsq", points=1500, grid=9, estimate=False, progress=False)
    assert solution.recipe["network"]["_target_"].endswith("RandomFeatures")
    assert solution.metrics["stopped"] == ["lstsq: the residuals are what linear ones would be after 1 step"]


def test_relative_errors_are_those_of_the_definition(poisson: Solution) -> None:
    evaluation = poisson.evaluate({"x": 9, "y": 7})
    assert evaluation.fields["u"].shape == (9, 7)
    difference = evaluation.fields["u"] - evaluation.reference["u"]
    size = evaluation.reference["u"].square().sum() ** 0.5
    # Another order of the sum.
    assert evaluation.relative_l2["u"] == pytest.approx((difference.square().sum() ** 0.5 / size).item(), rel=1e-13)
    assert evaluation.max_error["u"] == difference.abs().max().item()
    assert set(evaluation.residuals) == {"equation"}


def test_a_problem_without_a_reference_claims_no_error() -> None:
    class Unknown(Poisson):
        def reference(self) -> None:
            return None

    metrics = solve(Unknown(), **QUICK | {"stages": {"adam": Stage(torch.optim.Adam, steps=1)}}).metrics
    assert metrics["relative_l2"] == {}
    assert metrics["relative_l2_total"] is None


PUBLIC = {
    *("MLP", "Box", "Constraint", "Exact", "InputError", "Problem", "Solution", "Stage", "load", "solve"),
}


def test_public_names_are_there() -> None:
    assert set(dir(pinn)) >= PUBLIC
    for name in dir(pinn):
        assert getattr(pinn, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nope'; it has MLP, Box"):
        pinn.nope  # noqa: B018
    assert issubclass(InputError, ValueError)
    assert issubclass(Poisson, Problem)
    assert Exact.__module__ == "pinn.references.reference"


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import pinn", {"torch", "numpy", "lightning", "hydra", "omegaconf", "matplotlib", "scipy"}),
        (
            "import pinn.derivatives; from pinn import Problem, Box, MLP, Exact",
            {"lightning", "hydra", "omegaconf", "matplotlib", "scipy"},
        ),
        ("from pinn import load", {"lightning", "hydra", "omegaconf", "matplotlib"}),
        ("from pinn import solve", {"hydra", "omegaconf", "pinn.figures"}),
    ],
)
def test_imports_load_nothing_that_they_do_not_need(program: str, absent: set[str]) -> None:
    check = f"{program}; import sys; print(sorted(sys.modules.keys() & {absent!r}))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_solving_leaves_the_problem_as_it_was_and_solutions_to_themselves() -> None:
    problem = Decay()
    # A float64 that float32 rounds.
    problem.register_buffer("data", torch.tensor(1 / 3, dtype=torch.float64))
    before = {name: value.clone() for name, value in problem.state_dict().items()}
    first = solve(problem, **QUICK)
    found, at = first.problem.rate.item(), first(t=0.3)["u"].item()
    second = solve(problem, dtype="float32", **QUICK)
    after = problem.state_dict()
    assert all(torch.equal(after[name], value) and after[name].dtype == value.dtype for name, value in before.items())
    # The second begins anew, at other points in float32, and the first is not touched.
    assert second.history[0]["validation"] == pytest.approx(first.history[0]["validation"], rel=1e-2)
    assert (first.problem.rate.item(), first(t=0.3)["u"].item()) == (found, at)
    assert abs(found - before["rate"].item()) > 0.1


def test_a_problem_that_cannot_be_copied_is_refused() -> None:
    problem = Decay()
    problem.log = sys.stderr
    with pytest.raises(InputError, match="Decay holds what cannot be copied, so it cannot be solved"):
        solve(problem, **QUICK)


def test_outside_of_its_domain_a_solution_says_nothing_unless_it_is_asked_to(poisson: Solution) -> None:
    with pytest.warns(
        UserWarning, match=r"1 of 3 points lie outside of Box.*the first at x=5, y=0.5; the fields are NaN"
    ):
        fields = poisson(x=[0.5, 5.0, 1.0], y=0.5)["u"]
    assert fields.isnan().tolist() == [False, True, False]
    with pytest.raises(InputError, match=r"1 of 1 points lie outside of Box.*the first at x=0.5, y=-1"):
        poisson(outside="raise", x=0.5, y=-1)
    beyond = poisson(outside="extrapolate", x=[0.5, 5.0, 1.0], y=0.5)["u"]
    assert beyond.isfinite().all()
    assert torch.equal(beyond[[0, 2]], fields[[0, 2]])
    with pytest.raises(InputError, match="outside must be one of nan, raise, extrapolate; it was given 'zero'"):
        poisson(outside="zero", x=0.5, y=0.5)


def test_ends_that_were_rounded_to_float32_lie_inside() -> None:
    solution = solve(Burgers(), **{**QUICK, "stages": {"lm": Stage(LevenbergMarquardt, steps=1)}}, dtype="float32")
    assert solution(x=np.linspace(-1, 1, 5, dtype=np.float32), t=np.float32(1))["u"].isfinite().all()
    box = pinn.Box(x=(0, 2 * np.pi))
    assert box.contains({"x": torch.tensor([2 * np.pi], dtype=torch.float32).double()}).all()
