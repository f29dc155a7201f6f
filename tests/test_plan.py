"""The plan: linear or not, features or not, and what is given stays."""

from functools import partial

import pytest
import torch

from pinn.domains import Box
from pinn.networks import MLP, RandomFeatures
from pinn.optimizers import LeastSquares, LevenbergMarquardt
from pinn.plan import plan
from pinn.problems import Burgers, Constraint, Heat, Kovasznay, Poisson, Problem, Wave
from pinn.problems.linearity import is_linear
from pinn.sampling import Collocation, Sobol
from pinn.training import Stage
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
    assert is_linear(problem) is linear


def test_weak_nonlinearity_is_seen() -> None:
    """One part in a thousand of u² is far above the round-off that the check allows."""

    class Weak(Problem):
        coordinates, fields = ("x",), ("u",)

        def __init__(self) -> None:
            super().__init__()
            self.domain = Box(x=(0, 1))

        def constraints(self):
            return {"equation": Constraint(self.domain.interior, lambda u: u + 1e-3 * u**2)}

    assert not is_linear(Weak())


def test_linear_problem_gets_one_solve_over_features() -> None:
    problem = Poisson()
    chosen = plan(problem, few_points(problem), None, None, None)
    assert isinstance(chosen.network, partial)
    assert chosen.network.func is RandomFeatures
    # A third of 240 rows.
    assert chosen.network.keywords["features"] == 80
    assert [stage.optimizer for stage in chosen.stages.values()] == [LeastSquares]
    assert isinstance(chosen.weighting, Equilibrated)


def test_smooth_nonlinear_problem_gets_features_and_thin_front_a_network() -> None:
    smooth, thin = Kovasznay(), Burgers()
    for problem, network in ((smooth, RandomFeatures), (thin, MLP)):
        chosen = plan(problem, few_points(problem, 400, 100), None, None, None)
        assert isinstance(chosen.network, partial)
        assert chosen.network.func is network
        optimizer = next(iter(chosen.stages.values())).optimizer
        assert (optimizer.func if isinstance(optimizer, partial) else optimizer) is LevenbergMarquardt


def test_what_is_given_stays() -> None:
    problem = Poisson()
    network, stages, weighting = partial(MLP, width=5), {"one": Stage(torch.optim.Adam, steps=1)}, Fixed()
    chosen = plan(problem, few_points(problem), network, stages, weighting)
    assert chosen.network is network
    assert chosen.stages is stages
    assert chosen.weighting is weighting


def test_given_scale_is_not_searched() -> None:
    problem = Poisson()
    network = partial(RandomFeatures, features=20, scale=3.0)
    assert plan(problem, few_points(problem), network, None, None).network is network
