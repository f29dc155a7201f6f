"""What follows from its start: slabs whose lengths and functions are controlled, against integrators."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from helpers.sampled import sampled
from helpers.small import Decay
from scipy.integrate import solve_ivp
from torch import Tensor

import pinn
from pinn import Box, Constraint, Problem, Stage
from pinn.derivatives import partial as derivative
from pinn.errors import InputError
from pinn.hard_conditions import periodic_conditions
from pinn.marching import Marching, is_initial_value_problem, time_of
from pinn.networks import Marched
from pinn.objective import Objective
from pinn.optimizers import March, Unlimited
from pinn.problems import Duffing, Heat, LotkaVolterra
from pinn.sampling import Collocation, Sobol
from pinn.solution import build_model
from pinn.weighting import Equilibrated

QUIET = {"progress": False, "seconds": None}


class Given(Problem):
    """Equations and a start that are given as functions, and for SciPy the rate of the same."""

    def __init__(
        self,
        interval: tuple[float, float],
        equation: Callable[..., Any],
        start: Callable[..., Any],
        rate: Callable[..., Any],
        first: Sequence[float],
        fields: tuple[str, ...] = ("u",),
        time: str = "t",
    ) -> None:
        super().__init__()
        self.coordinates, self.fields = (time,), fields
        self.domain = Box(**{time: interval})
        self.equation, self.start, self.rate, self.first = equation, start, rate, first

    def constraints(self) -> dict[str, Constraint]:
        [(time, (begin, _))] = self.domain.intervals.items()
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "start": Constraint(self.domain.face(**{time: begin}), self.start),
        }

    def error(self, solution: pinn.Solution, method: str = "DOP853") -> float:
        """The relative L2 error of the worst field, against an integrator with a tolerance of 1e-12."""
        [(time, interval)] = self.domain.intervals.items()
        at = np.linspace(*interval, 1001)
        smallest = 1e-14 * (max(map(abs, self.first)) or 1)
        expected = solve_ivp(self.rate, interval, self.first, method, at, rtol=1e-12, atol=smallest).y
        found = solution(**{time: torch.tensor(at)})
        return max(
            float(np.linalg.norm(found[name].numpy() - row) / np.linalg.norm(row))
            for name, row in zip(self.fields, expected, strict=False)
        )


def d(u: Tensor, t: Tensor, order: int = 1) -> Tensor:
    return derivative(u, *[t] * order)


STRANGERS = {
    "pendulum": lambda: Given(
        (0, 10),
        lambda u, t: d(u, t, 2) + 9.81 * torch.sin(u),
        lambda u, t: {"angle": u - 3, "speed": d(u, t)},
        lambda t, y: [y[1], -9.81 * np.sin(y[0])],
        [3, 0],
    ),
    "an orbit": lambda: Given(
        (0, 2 * math.pi),
        lambda x, y, t: {
            "x": d(x, t, 2) + x / (x**2 + y**2) ** 1.5,
            "y": d(y, t, 2) + y / (x**2 + y**2) ** 1.5,
        },
        lambda x, y, t: {"x": x - 0.4, "u": d(x, t), "y": y, "v": d(y, t) - 2},
        lambda t, s: [s[2], s[3], *(-z / (s[0] ** 2 + s[1] ** 2) ** 1.5 for z in s[:2])],
        [0.4, 0, 0, 2],
        ("x", "y"),
    ),
    "stiff and linear": lambda: Given(
        (0, 1.5),
        lambda u, t: d(u, t) + 2000 * (u - torch.cos(t)),
        lambda u: u,
        lambda t, y: [-2000 * (y[0] - np.cos(t))],
        [0],
    ),
    "many periods": lambda: Given(
        (0, 100),
        lambda u, t: d(u, t, 2) + 4 * u,
        lambda u, t: {"value": u - 1, "speed": d(u, t)},
        lambda t, y: [y[1], -4 * y[0]],
        [1, 0],
    ),
    "radiation in kelvin, from 100 s on": lambda: Given(
        (100, 3700),
        lambda u, t: d(u, t) + 2e-12 * (u**4 - 300**4),
        lambda u: u - 1200,
        lambda t, y: [-2e-12 * (y[0] ** 4 - 300**4)],
        [1200],
    ),
    "a trace in a microsecond": lambda: Given(
        (0, 1e-6), lambda u, t: d(u, t) + 1e15 * u**2, lambda u: u - 1e-9, lambda t, y: [-1e15 * y[0] ** 2], [1e-9]
    ),
    "a root": lambda: Given(
        (0, 3), lambda u, t: d(u, t) + torch.sqrt(u) / 2, lambda u: u - 1, lambda t, y: [-np.sqrt(y[0]) / 2], [1]
    ),
    "near a pole": lambda: Given(
        (0, 0.95), lambda u, t: d(u, t) - u**2, lambda u: u - 1, lambda t, y: [y[0] ** 2], [1]
    ),
    "another name for time": lambda: Given(
        (0, 3), lambda u, s: d(u, s) - s**2 + u**2, lambda u: u - 1, lambda t, y: [t**2 - y[0] ** 2], [1], time="s"
    ),
    "an epidemic": lambda: Given(
        (0, 160),
        lambda s, i, t: {"s": d(s, t) + 3e-4 * s * i, "i": d(i, t) - 3e-4 * s * i + 0.1 * i},
        lambda s, i: {"s": s - 999, "i": i - 1},
        lambda t, y: [-3e-4 * y[0] * y[1], 3e-4 * y[0] * y[1] - 0.1 * y[1]],
        [999, 1],
        ("s", "i"),
    ),
}


@pytest.mark.parametrize("name", sampled(STRANGERS, 5))
def test_what_nobody_tuned_is_solved_and_its_error_is_told(name: str) -> None:
    problem = STRANGERS[name]()
    solution = pinn.solve(problem, **QUIET)
    verdict = solution.verdict
    assert verdict is not None
    assert verdict.solved, verdict
    error = problem.error(solution, "Radau" if name.startswith("stiff") else "DOP853")
    assert error < 1e-7
    # The integrator's own error is up to a hundred tolerances.
    assert max(verdict.error.values()) > (error - 1e-10) / 30


@pytest.mark.parametrize("number", sampled([0, 1, 2], 3))
def test_equations_that_ship_come_out_whatever_the_seed(number: int) -> None:
    solution = pinn.solve(Duffing(), seed=number, estimate=False, **QUIET)
    assert solution.metrics["relative_l2"]["u"] < 1e-7
    assert solution.metrics["stopped"][0].startswith("march: the end of time is reached after")


def test_a_tolerance_is_what_it_says() -> None:
    def solved(tolerance: float) -> tuple[float, int]:
        stages = {"march": Stage(lambda p: March(p, tolerance), steps=500, block=50, resample=0, part="slab")}
        solution = pinn.solve(Duffing(), network=Marched, stages=stages, estimate=False, points=200, **QUIET)
        return solution.metrics["relative_l2"]["u"], solution.metrics["steps"]

    loose, tight = solved(1e-4), solved(1e-10)
    assert 1e-8 < loose[0] < 1e-2
    assert tight[0] < 1e-8
    assert loose[1] < tight[1]


def marching(problem: Problem, degree: int = 10) -> tuple[Marching, Objective]:
    model = build_model(problem, partial(Marched, degree=degree), torch.float64, periodic_conditions(problem))
    assert isinstance(model, Marching)
    model.select("slab")
    points = Collocation(problem, Sobol(), 60, 20).double()(0)
    return model, Objective(model, points, Equilibrated())


class Until(Unlimited):
    """Says that there is no more time at the n-th question, and after it."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def fits(self, operations: float = 0) -> bool:
        self.left -= 1
        return self.left >= 0


def state(model: Marching) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_trials_are_the_same_in_one_call_and_in_many() -> None:
    (one, objective), (many, other) = marching(LotkaVolterra()), marching(LotkaVolterra())
    March(objective.parameters).run(objective, 7)
    for _ in range(7):
        assert March(other.parameters).run(other, 1) == (1, None, None)
    assert all(torch.equal(value, state(many)[name]) for name, value in state(one).items())
    assert len(one.slabs) > 1


def test_a_trial_without_time_never_was() -> None:
    """It is left at its first, second, … question for time; the last one of these has time enough."""
    model, objective = marching(LotkaVolterra())
    optimizer = March(objective.parameters)
    optimizer.run(objective, 4)
    before, questions = state(model), 0
    while optimizer.run(objective, 1, Until(questions)).taken == 0:
        assert all(torch.equal(value, before[name]) for name, value in state(model).items())
        questions += 1
    assert questions > 3


def test_behind_what_is_known_fields_stay_and_the_verdict_says_how_far_it_came() -> None:
    stages = {"march": Stage(March, steps=6, block=3, resample=0, part="slab")}
    with pytest.warns(UserWarning, match=r"not solved: the march ended at t = .* of 10; "):
        solution = pinn.solve(LotkaVolterra(), network=Marched, stages=stages, points=200, **QUIET)
    slabs = solution.model.slabs
    reached = 5 * (slabs.edges[len(slabs)].item() + 1)
    assert 0 < reached < 9
    end, later = solution(t=reached - 1e-12)["x"], solution(t=[reached + 1e-9, 10.0])["x"]
    torch.testing.assert_close(later, end.expand(2), rtol=1e-9, atol=1e-9)
    # What is known is right all the same.
    expected = solution.problem.reference()(t=torch.linspace(0, reached, 50, dtype=torch.float64))
    found = solution(t=torch.linspace(0, reached - 1e-12, 50, dtype=torch.float64))
    torch.testing.assert_close(found["x"], expected["x"], rtol=0, atol=1e-6)
    assert not solution.verdict.error
    assert any("cannot be estimated: the march ended at" in note for note in solution.verdict.notes)


def test_fields_go_on_from_slab_to_slab() -> None:
    model, objective = marching(Duffing())
    March(objective.parameters).run(objective, 500)
    slabs = model.slabs
    assert slabs.is_whole
    assert len(slabs) > 3
    model.select(None)
    for slab in range(1, len(slabs)):
        x = slabs.edges[slab].reshape(1, 1).requires_grad_()
        values = [slabs.evaluate(index, x) for index in (slab - 1, slab)]
        slopes = [torch.autograd.grad(value, x)[0] for value in values]
        torch.testing.assert_close(values[0], values[1], rtol=0, atol=1e-13)
        # The slope at the start of a slab is that of a polynomial through the nodes, of which the start is none.
        torch.testing.assert_close(slopes[0], slopes[1], rtol=0, atol=1e-6)
        assert torch.equal(slabs(x), values[1])
    end = torch.ones(1, 1, dtype=torch.float64)
    assert torch.equal(slabs(end), slabs.evaluate(len(slabs) - 1, end))


def test_the_first_slab_begins_with_its_initial_conditions() -> None:
    model, objective = marching(Duffing())
    March(objective.parameters).run(objective, 0)
    rows = model("initial", objective.points["initial"])
    assert rows["initial.value"].abs().max() < 1e-12
    assert rows["initial.speed"].abs().max() < 1e-12


@pytest.mark.slow
def test_a_correction_tells_the_error_of_a_march() -> None:
    """Off by a thousandth from the second slab on, and where nothing was found yet."""
    model, objective = marching(Duffing())
    March(objective.parameters).run(objective, 500)
    model.select(None)
    with torch.no_grad():
        model.slabs.known[model.slabs.coefficients(0).numel() :] *= 1.001
    collocation = Collocation(Duffing(), Sobol(), 300, 1).double()
    from pinn.verdict.correction import find_correction

    correction = find_correction(model.requires_grad_(False), collocation, {}, seed=5)
    assert correction.model.slabs.degree > model.slabs.degree
    exact = Duffing().reference()
    t = torch.linspace(0, 10, 500, dtype=torch.float64)
    true = (model.fields({"t": t})["u"] - exact(t=t)["u"]).norm() / exact(t=t)["u"].norm()
    # The step in the value after the first slab is a condition that it does not meet: it goes on for ever.
    assert correction.error["u"] == pytest.approx(true.item(), rel=0.1)


def test_which_problems_are_of_time_alone() -> None:
    assert is_initial_value_problem(LotkaVolterra())
    assert is_initial_value_problem(STRANGERS["another name for time"]())
    # Data later, and an unknown rate.
    assert not is_initial_value_problem(Decay())
    assert not is_initial_value_problem(Heat())
    assert time_of(Heat()) == 1
    ends = Given((0, 1), lambda u, x: d(u, x, 2) - u**2, lambda u: u, lambda t, y: [], [0], time="x")
    at_both = ends.domain.boundary("x")
    ends.constraints = lambda: {  # type: ignore[method-assign]
        "equation": Constraint(ends.domain.interior, ends.equation),
        "ends": Constraint(at_both, ends.start),
    }
    assert not is_initial_value_problem(ends)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"degree": 0}, "degree must be a whole number of at least 1"),
        ({"degree": True}, "degree must be a whole number"),
        ({"slabs": 1.5}, "slabs must be a whole number"),
        ({"time": 2}, "the inputs are 0 to 1; it was given 2"),
        ({"periodic": [-1]}, "the inputs are 0 to 1; it was given -1"),
        ({"time": True}, "the inputs are 0 to 1"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Marched(**{"inputs": 2, "outputs": 1, **wrong})


@pytest.mark.parametrize("functions", [0, 1.5, True, "many"])
def test_wrong_numbers_of_functions_are_refused(functions: Any) -> None:
    with pytest.raises(InputError, match="functions must be a whole number of at least 1"):
        March([torch.zeros(2)], functions=functions)


@pytest.mark.parametrize("tolerance", [0, 1, -1, math.nan, True, "small"])
def test_wrong_tolerances_are_refused(tolerance: Any) -> None:
    with pytest.raises(InputError, match="tolerance must be a number between 0 and 1"):
        March([torch.zeros(2)], tolerance)


def test_a_march_needs_its_network() -> None:
    stages = {"march": Stage(March, steps=5, block=5, resample=0)}
    with pytest.raises(InputError, match=r"March marches through the slabs of pinn\.networks\.Marched"):
        pinn.solve(Duffing(), network="mlp", stages=stages, points=50, **QUIET)


def test_unknown_coefficients_are_refused() -> None:
    class Unknown(Duffing):
        def __init__(self) -> None:
            super().__init__()
            self.damping = torch.nn.Parameter(torch.tensor(0.1))

        def reference(self) -> None:  # type: ignore[override]
            """None: what is unknown has no solution yet."""

    with pytest.raises(InputError, match="a march finds fields, and no unknown coefficients such as damping"):
        pinn.solve(Unknown(), stages="march", **QUIET)


@pytest.mark.slow
def test_in_single_precision_it_goes_as_far_as_that_allows() -> None:
    solution = pinn.solve(Duffing(), dtype="float32", estimate=False, **QUIET)
    assert solution.metrics["relative_l2"]["u"] < 1e-2
    assert "the end of time is reached" in solution.metrics["stopped"][0]


def test_what_grows_from_its_start_is_determined_by_it() -> None:
    """e^30: a change that is seen nowhere but at the end, and one condition for an equation of first order."""
    grows = Given((0, 30), lambda u, t: d(u, t) - u, lambda u: u - 1, lambda t, y: [y[0]], [1])
    solution = pinn.solve(grows, **QUIET)
    assert solution.verdict.solved, solution.verdict
    assert grows.error(solution) < 1e-6
    assert pinn.check(grows).ok


def test_a_start_without_a_speed_is_named() -> None:
    pendulum = Given((0, 5), lambda u, t: d(u, t, 2) + torch.sin(u), lambda u: u - 1, lambda t, y: [], [1])
    with pytest.warns(UserWarning, match=r"not determined: .*one condition on the sides across t, .* of order 2"):
        pinn.solve(pendulum, **QUIET)


def test_a_source_that_jumps_is_met_where_it_jumps() -> None:
    """u' + u = 0 until t = 3.3, and 1 from there on."""
    switched = Given(
        (0, 10), lambda u, t: d(u, t) + u - torch.where(t > 3.3, 1.0, 0.0), lambda u: u - 1, lambda t, y: [], [1]
    )
    solution = pinn.solve(switched, **QUIET)
    assert solution.verdict.solved
    t = torch.linspace(0, 10, 500, dtype=torch.float64)
    expected = torch.exp(-t) + torch.where(t > 3.3, 1 - torch.exp(3.3 - t), 0.0)
    torch.testing.assert_close(solution(t=t)["u"], expected, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_march_ends_at_a_pole() -> None:
    pole = Given((0, 2), lambda u, t: d(u, t) - u**2, lambda u: u - 1, lambda t, y: [], [1])
    with pytest.warns(UserWarning, match="not solved: the march ended at t = 1 of 2"):
        pinn.solve(pole, **QUIET)


def test_room_for_slabs_that_is_used_up_is_told() -> None:
    stages = {"march": Stage(March, steps=500, block=50, resample=0, part="slab")}
    with pytest.warns(UserWarning, match="the march ended at"):
        solution = pinn.solve(
            Duffing(), network=lambda **sizes: Marched(**sizes, slabs=3), stages=stages, points=200, **QUIET
        )
    assert "3 slabs are all that there may be" in solution.metrics["stopped"][0]
