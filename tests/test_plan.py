"""The plan: linear or not, features or not, and what is given stays."""

from functools import partial

import pytest
import torch

from pinn.derivatives import partial as derivative
from pinn.domains import Box
from pinn.errors import InputError
from pinn.model import scaled
from pinn.networks import MLP, RandomFeatures, Refined, Slabs
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.plan import plan
from pinn.plan.slab_count import SlabCount
from pinn.problems import Burgers, Constraint, Heat, Kovasznay, Poisson, PoissonCosines, Problem, Wave
from pinn.problems.linearity import is_linear
from pinn.sampling import Collocation, Sobol
from pinn.training import Stage
from pinn.training.budget import Budget
from pinn.weighting import Equilibrated, Fixed


def few_points(problem: Problem, points: int = 200, boundary_points: int = 40) -> Collocation:
    return Collocation(problem, Sobol(), points, boundary_points).double()


class Inverse(Poisson):
    """Its coefficient is unknown, so the residual is bilinear."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor(1.0))

    def equation(self, u, x, y):
        return self.strength * super().equation(u, x, y)


class NonlinearWall(Poisson):
    """Only a boundary condition is not linear."""

    def boundary(self, u):
        return u + u**2


@pytest.mark.parametrize(
    ("problem", "linear"),
    [
        (Poisson(), True),
        (Heat(), True),
        (Wave(), True),
        (Burgers(), False),
        (Kovasznay(), False),
        (Inverse(), False),
        (NonlinearWall(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Problem) else None,
)
def test_linear_problems_are_told_from_others(problem: Problem, linear: bool) -> None:
    assert is_linear(problem.copied()) is linear


class Rod(Problem):
    """An equation on (0, length), a value at the left end, and a value or a slope at the right one."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self, equation, left=0.0, right=None, slope=0.0, length=1.0) -> None:
        super().__init__()
        self.domain = Box(x=(0, length))
        self.equation, self.left, self.right, self.slope = equation, left, right, slope

    def constraints(self):
        end = self.domain.face(x=self.domain.upper[0])
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "left": Constraint(self.domain.face(x=0), lambda u: u - self.left),
            "right": Constraint(end, self.held if self.right is not None else self.insulated),
        }

    def held(self, u):
        return u - self.right

    def insulated(self, u, x):
        return derivative(u, x) - self.slope


def second(u, x):
    return derivative(u, x, x)


NOT_LINEAR = {
    "weak square": Rod(lambda u: u + 1e-3 * u**2),
    "radiation": Rod(lambda u, x: 200 * second(u, x) - 5.67e-8 * (u**4 - 300.0**4), left=1000.0),
    "weak radiation": Rod(lambda u, x: second(u, x) - 5.67e-10 * u**4, left=300.0, right=300.0),
    "root": Rod(lambda u, x: second(u, x) + torch.sqrt(u), left=1.0, right=1.0),
    "logarithm": Rod(lambda u, x: second(u, x) + u * torch.log(u), left=1.0, right=1.0),
    "power": Rod(lambda u, x: second(u, x) + u**1.5, left=1.0, right=1.0),
    "reciprocal": Rod(lambda u, x: second(u, x) + 1 / u, left=1.0, right=1.0),
    "Arrhenius": Rod(lambda u, x: second(u, x) + torch.exp(-5000 / u), left=1000.0, right=1000.0),
    "threshold": Rod(lambda u, x: second(u, x) + torch.relu(u - 5), left=1.0, right=1.0),
    "switch": Rod(lambda u, x: second(u, x) + torch.where(u > 350, u, 0 * u), left=300.0, right=400.0),
    "bound": Rod(lambda u, x: second(u, x) + torch.clamp(u, max=20.0), left=1.0, right=1.0),
    "kink": Rod(lambda u, x: second(u, x) + u.abs(), left=1.0, right=1.0),
    "small in a small domain": Rod(lambda u, x: 1e-12 * second(u, x) - 1e3 * u**2, left=1e-9, length=1e-6),
    "weak in a large domain": Rod(lambda u, x: second(u, x) - 1e-15 * u**2, left=1.0, length=1e6),
    "slope that heats": Rod(lambda u, x: second(u, x) - 1e-7 * u**2, slope=1e4),
    "source that lifts": Rod(lambda u, x: 1e-5 * second(u, x) + 1.0 - 1e-9 * u**2),
}
LINEAR = {
    "scales far apart": Rod(lambda u, x: 1e-7 * second(u, x) - 3 * u + torch.exp(x), left=1e5, right=3.0),
    "varying coefficient": Rod(
        lambda u, x: derivative((1 + x**2) * derivative(u, x), x) - 1e6 * torch.sin(x), left=1e-5
    ),
    "homogeneous": Rod(lambda u, x: second(u, x) - u),
    "small domain": Rod(lambda u, x: 1e-12 * second(u, x) - 1e3 * u, left=1e-9, length=1e-6),
    "beam": Rod(lambda u, x: 1.6e6 * derivative(u, x, x, x, x) - 1e3, length=10.0),
    "mean temperature": Rod(lambda u, x: 400 * second(u, x) + 1e-3 * (u - 293.15), left=293.15, right=294.15),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_nonlinearity_is_seen_at_the_scales_that_a_problem_names(name: str) -> None:
    assert not is_linear(NOT_LINEAR[name].copied())


@pytest.mark.parametrize("name", LINEAR)
def test_linear_problems_are_linear_at_any_scale(name: str) -> None:
    assert is_linear(LINEAR[name].copied())


def test_linear_problem_gets_one_solve_over_features() -> None:
    problem = Poisson()
    chosen = plan(problem, few_points(problem), None, None, None)
    assert isinstance(chosen.network, partial)
    assert chosen.network.func is RandomFeatures
    # A third of 240 rows.
    assert chosen.network.keywords["features"] == 80
    assert [stage.optimizer for stage in chosen.stages.values()] == [LeastSquares]
    assert isinstance(chosen.weighting, Equilibrated)


@pytest.mark.parametrize("problem", [Kovasznay(), Burgers()], ids=["Kovasznay", "Burgers"])
def test_nonlinear_problem_gets_a_network_that_is_refined(problem: Problem) -> None:
    chosen = plan(problem, few_points(problem), None, None, None, slabs=1)
    assert isinstance(chosen.network, partial)
    assert chosen.network.func is Refined
    trunk, features = chosen.stages.values()
    assert (trunk.optimizer, trunk.part) == (LevenbergMarquardt, "trunk")
    assert (features.optimizer, features.part) == (LeastSquares, "features")
    # Seven rows for each of 2,000 unknowns.
    rows = Objective(scaled(problem, MLP(2, len(problem.fields))).double(), few_points(problem)(0), Fixed()).rows
    assert (features.draws - 1) * rows < 7 * 2000 <= features.draws * rows


def test_slabs_of_time_are_trained_in_order_and_share_the_time() -> None:
    problem = Burgers()
    chosen = plan(problem, few_points(problem), None, None, None, slabs=4)
    assert isinstance(chosen.network, partial)
    assert (chosen.network.func, chosen.network.keywords["slabs"], chosen.network.keywords["time"]) == (Slabs, 4, 1)
    assert [(stage.slab, stage.part) for stage in chosen.stages.values()] == [
        (slab, part) for slab in range(4) for part in ("trunk", "features")
    ]
    shares = [stage.share for stage in chosen.stages.values()]
    spent = [0.0]
    for share in shares:
        spent.append(spent[-1] + share * (1 - spent[-1]))
    # 0.6 of a quarter for the trunk of the first, all of it for both its parts, and so on.
    assert spent[1:] == pytest.approx([0.15, 0.25, 0.4, 0.5, 0.65, 0.75, 0.9, 1.0])


@pytest.mark.parametrize(("seconds", "unknowns"), [(None, 2000), (40.0, 2000), (20.0, 1587), (4.0, 928)])
def test_a_refinement_fits_into_its_time(seconds: float | None, unknowns: int) -> None:
    """Two slabs with 0.2 of the time each, 8 s for 2,000 unknowns, and the cube of their number."""
    chosen = plan(Burgers(), few_points(Burgers()), None, None, None, slabs=2, budget=Budget(seconds, speed=1e10))
    assert chosen.network.keywords["features"] == unknowns


@pytest.mark.parametrize(
    ("seconds", "count", "reason"),
    [
        (None, 4, "4 slabs of time, by what trials on the first of so many left (1: 5e-01, 2: 1e-04)"),
        (80.0, 4, "4 slabs of time, by what trials"),
        (79.0, 3, "3 slabs of time, for 79 s are too few for 4, which would be better by what trials"),
        (39.0, 1, "one slab of time, as 39 s are too few for more"),
    ],
)
def test_there_are_as_many_slabs_as_there_is_time_for(
    seconds: float | None, count: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty seconds each; trials are made only where there is a choice."""
    monkeypatch.setattr("pinn.plan.choose.find_slab_count", lambda *_: SlabCount(4, [0.5, 1e-4], in_time=True))
    chosen = plan(Burgers(), few_points(Burgers()), None, None, None, budget=Budget(seconds, speed=1e10))
    assert chosen.network.keywords.get("slabs", 1) == count
    assert reason in chosen.reason


@pytest.mark.parametrize(
    ("slabs", "problem", "message"),
    [
        (0, Burgers(), "slabs must be auto or a whole number of at least 1; it was given 0"),
        ("many", Burgers(), "slabs must be auto"),
        (2, Kovasznay(), "Kovasznay cannot be cut into 2 slabs of time"),
    ],
)
def test_slabs_that_make_no_sense_are_refused(slabs: object, problem: Problem, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(problem, few_points(problem), None, None, None, slabs=slabs)


def test_slabs_beside_a_network_are_refused() -> None:
    with pytest.raises(InputError, match="leave network and training at auto"):
        plan(Burgers(), few_points(Burgers()), MLP, None, None, slabs=2)


def test_many_coordinates_get_sines_of_one_each() -> None:
    problem = PoissonCosines(dimension=4)
    chosen = plan(problem, few_points(problem, 300, 100), None, None, None)
    assert isinstance(chosen.network, partial)
    assert chosen.network.func is RandomFeatures
    assert chosen.network.keywords["interactions"] == 1


def test_linear_problem_that_features_cannot_resolve_gets_a_network() -> None:
    """A front of width 1e-3 is far beyond twenty sines."""

    class Front(Problem):
        coordinates, fields = ("x", "y"), ("u",)

        def __init__(self) -> None:
            super().__init__()
            self.domain = Box(x=(-1, 1), y=(-1, 1))

        def constraints(self):
            return {"equation": Constraint(self.domain.interior, lambda u, x: u - torch.tanh(1000 * x))}

    problem = Front()
    chosen = plan(problem, few_points(problem, 60, 1), None, None, None)
    assert chosen.network.func is Refined
    assert "leave" in chosen.reason


def test_what_is_given_stays() -> None:
    problem = Poisson()
    network, stages, weighting = partial(MLP, width=5), {"one": Stage(torch.optim.Adam, steps=1)}, Fixed()
    chosen = plan(problem, few_points(problem), network, stages, weighting)
    assert chosen.network is network
    assert chosen.stages is stages
    assert chosen.weighting is weighting


@pytest.mark.parametrize(
    ("network", "slabs"),
    [
        (Refined, [None]),
        (partial(Refined, features=70), [None]),
        (partial(Slabs, slabs=2, time=1), [0, 1]),
        (partial(Slabs, slabs=1, time=1), [0]),
    ],
)
def test_a_given_network_with_parts_is_trained_part_by_part(network, slabs: list[int | None]) -> None:
    problem = Burgers()
    chosen = plan(problem, few_points(problem), network, None, None)
    assert chosen.network is network
    assert [(stage.slab, stage.part) for stage in chosen.stages.values()] == [
        (slab, part) for slab in slabs for part in ("trunk", "features")
    ]
    draws = {stage.draws for stage in chosen.stages.values() if stage.part == "features"}
    # Seven rows for each of 70 or, the default, 1,500 features, from 200 + 40 + 40 points.
    assert draws == {2 if network is not Refined and network.keywords.get("features") else 38}


def test_given_stages_without_a_network_train_a_tanh_network() -> None:
    """Also on a linear problem: whoever names an optimizer wants to see it work on a network."""
    stages = {"one": Stage(torch.optim.Adam, steps=1)}
    chosen = plan(Poisson(), few_points(Poisson()), None, stages, None)
    assert (chosen.network.func, chosen.network.keywords) == (MLP, {"width": 20, "depth": 3})


def test_a_linear_problem_is_marched_through_where_slabs_are_given() -> None:
    chosen = plan(Wave(), few_points(Wave()), None, None, None, slabs=2)
    assert chosen.network.func is Slabs
    assert "2 slabs of time, as given" in chosen.reason


def test_the_scale_of_features_for_a_nonlinear_problem_is_said() -> None:
    chosen = plan(Burgers(), few_points(Burgers()), partial(RandomFeatures, features=20), None, None)
    assert "random sine features of the default scale, 4" in chosen.reason


def test_given_scale_is_not_searched() -> None:
    problem = Poisson()
    network = partial(RandomFeatures, features=20, scale=3.0)
    assert plan(problem, few_points(problem), network, None, None).network is network
