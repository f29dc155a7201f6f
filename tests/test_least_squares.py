"""Frozen features, the exact solve, equilibrated weights, and the search for the features' scale."""

from functools import partial

import pytest
import torch

import pinn
from pinn.errors import InputError
from pinn.model import Model, scaled
from pinn.networks import RandomFeatures
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, Unlimited
from pinn.optimizers.least_squares import solve
from pinn.plan.feature_scales import find_scale
from pinn.problems import Heat, Poisson, Wave
from pinn.sampling import Collocation, Sobol
from pinn.training import Stage
from pinn.weighting import Equilibrated, Fixed


def features_model(problem: pinn.Problem, features: int, scale: float) -> Model:
    torch.manual_seed(0)
    return scaled(problem, RandomFeatures(2, 1, features, scale)).double()


def points_of(problem: pinn.Problem, points: int) -> Collocation:
    return Collocation(problem, Sobol(), points, points // 5).double()


def test_features_are_the_formula() -> None:
    torch.manual_seed(0)
    network = RandomFeatures(2, 3, features=7, scale=[2.0, 5.0]).double()
    network.output.weight.data.normal_()
    x = torch.rand(4, 2, dtype=torch.float64)
    for n in range(4):
        for k in range(3):
            total = sum(
                network.output.weight[k, m]
                * torch.sin((network.scale * network.directions[m] * x[n]).sum() + network.phases[m])
                for m in range(7)
            )
            # Round-off of a sum of seven terms of order one.
            assert abs(network(x)[n, k] - total) < 1e-13


def test_only_the_output_layer_is_trained() -> None:
    assert [name for name, _ in RandomFeatures(2, 1, features=5).named_parameters()] == ["output.weight"]


@pytest.mark.parametrize("arguments", [{"features": 0}, {"features": 2.5}, {"scale": -1.0}, {"scale": [1.0, 2.0, 3.0]}])
def test_features_refuse_what_makes_no_sense(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError, match="RandomFeatures"):
        RandomFeatures(2, 1, **arguments)


def test_one_step_is_the_least_squares_solution() -> None:
    model = features_model(Poisson(), 60, 3.0)
    objective = Objective(model, points_of(model.problem, 200)(0), Fixed())
    matrix, rows = objective.jacobian()
    expected = torch.linalg.lstsq(matrix, -rows.unsqueeze(1), driver="gelsd", rcond=1e-16).solution.flatten()
    LeastSquares(objective.parameters).run(objective, 1)
    # Two backward stable solvers agree in the residual to round-off times the condition of the problem, not in θ.
    reached, best = objective.loss().item(), (rows + matrix @ expected).square().sum().item() / 2
    assert reached == pytest.approx(best, rel=1e-6)


def test_step_that_cannot_help_changes_nothing() -> None:
    model = features_model(Poisson(), 40, 3.0)
    objective = Objective(model, points_of(model.problem, 100)(0), Fixed())
    optimizer = LeastSquares(objective.parameters)
    for _ in range(3):
        optimizer.run(objective, 1)
    before = objective.loss().item()
    optimizer.run(objective, 1)
    assert objective.loss().item() <= before


def test_fewer_rows_than_unknowns_are_refused() -> None:
    model = features_model(Poisson(), 200, 3.0)
    objective = Objective(model, points_of(model.problem, 20)(0), Fixed())
    with pytest.raises(InputError, match="at least as many rows"):
        LeastSquares(objective.parameters).run(objective, 1)


def table(name: str) -> torch.Tensor:
    """Sixty rows of twenty columns that depend on each other."""
    matrix = torch.randn(60, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if name == "a column of zeros":
        matrix[:, 3] = 0
    if name == "columns of zeros":
        matrix[:, [0, 7, 19]] = 0
    if name == "equal columns":
        matrix[:, 5] = matrix[:, 2]
    if name == "equal columns of whole numbers":
        matrix = matrix.round()
        matrix[:, 5] = matrix[:, 2]
    if name == "multiples":
        matrix[:, 5], matrix[:, 9] = 3 * matrix[:, 2], matrix[:, 1] + matrix[:, 2]
    if name == "zeros and equals":
        matrix[:, 3], matrix[:, 5] = 0, matrix[:, 2]
    if name == "rows of zeros":
        matrix[10:50] = 0
    if name == "fewer rows than columns but for zeros":
        matrix[10:] = 0
    if name == "one row":
        matrix[1:] = 0
    if name == "rank one":
        matrix[:] = matrix[:, :1]
    if name == "zeros":
        matrix[:] = 0
    return matrix


TABLES = [
    "full",
    "a column of zeros",
    "columns of zeros",
    "equal columns",
    "equal columns of whole numbers",
    "multiples",
    "zeros and equals",
    "rows of zeros",
    "fewer rows than columns but for zeros",
    "one row",
    "rank one",
    "zeros",
]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("name", TABLES)
def test_columns_may_depend_on_each_other(name: str, scale: float) -> None:
    """The misfit is the least there is, though no x reaches b, and x does not grow beyond what that takes."""
    matrix, right = scale * table(name), torch.ones(60, dtype=torch.float64)
    found = solve(matrix, right)
    shortest = torch.linalg.lstsq(matrix, right.unsqueeze(1), driver="gelsd").solution.squeeze(1)
    # LAPACK cuts at another singular value; here all are either of order one or zero.
    misfit, least = (torch.linalg.vector_norm(matrix @ x - right) for x in (found, shortest))
    torch.testing.assert_close(misfit, least, rtol=1e-12, atol=0)
    torch.testing.assert_close(found, shortest, rtol=1e-10, atol=1e-10 * shortest.abs().max().item())
    assert not found[~matrix.any(dim=0)].any()


def test_columns_that_do_not_are_solved_for_as_before() -> None:
    matrix, right = table("rows of zeros"), torch.arange(60.0, dtype=torch.float64)
    expected = torch.linalg.lstsq(matrix, right.unsqueeze(1), driver="gels").solution.squeeze(1)
    assert torch.equal(solve(matrix, right), expected)


def test_a_step_with_a_column_of_zeros_leaves_its_parameter_alone() -> None:
    """A feature that no point sees: the others are found as without it."""
    model = features_model(Poisson(), 60, 3.0)
    network = model.network.network
    network.directions[7], network.phases[7] = 0, 0  # sin 0
    objective = Objective(model, points_of(model.problem, 200)(0), Fixed())
    matrix, rows = objective.jacobian()
    assert not matrix[:, 7].any()
    LeastSquares(objective.parameters).run(objective, 1)
    assert network.output.weight[0, 7] == 0
    others = torch.cat([matrix[:, :7], matrix[:, 8:]], dim=1)
    best = others @ torch.linalg.lstsq(others, -rows.unsqueeze(1), driver="gels").solution.squeeze(1) + rows
    # Two backward stable solvers agree in the residual to round-off times the condition of the problem.
    assert objective.loss().item() == pytest.approx(best.square().sum().item() / 2, rel=1e-6)


def test_equilibrated_rows_answer_equally() -> None:
    model = features_model(Wave(), 50, 8.0)
    weighting = Equilibrated()
    objective = Objective(model, points_of(model.problem, 100)(0), weighting)
    weighting.adapt(objective.jacobian_by_residual)
    sizes = [
        weighting.scale(name, 1) ** 2 * block.square().sum(dim=1).mean().item()
        for name, block in objective.jacobian_by_residual().items()
    ]
    # The factors are computed from the very rows that they scale: equal to round-off of the sums.
    assert max(sizes) == pytest.approx(min(sizes), rel=1e-10)
    assert max(weighting.factors.values()) == 1.0


def test_scale_follows_the_solution() -> None:
    """A wave four times as fast in time as in space needs features that oscillate faster in time."""
    problem = Wave(speed=4.0)
    found = find_scale(problem, points_of(problem, 600), features=250)
    in_space, in_time = found.scale
    assert in_time > 1.5 * in_space
    again = find_scale(problem, points_of(problem, 600), features=250)
    assert again == found


@pytest.mark.parametrize("trials", [1, 3, 9])
def test_the_search_takes_the_best_that_it_had_time_for(trials: int) -> None:
    """Without time for any trial the first one is made all the same."""

    class Until(Unlimited):
        asked = 0

        def fits(self, operations: float = 0) -> bool:
            self.asked += 1
            return self.asked < trials

    problem = Wave(speed=4.0)
    found = find_scale(problem, points_of(problem, 300), 120, None, Until())
    assert (found.trials, found.in_time) == (trials, False)
    whole = find_scale(problem, points_of(problem, 300), 120)
    assert whole.in_time
    assert whole.trials > 9
    # The best one is the ninth, and the first ones are worse.
    assert (found.scale == whole.scale) == (trials == 9)
    assert (whole.residual < found.residual) == (trials < 9)


def test_a_scale_that_solves_ends_the_search() -> None:
    """Poisson's equation comes to round-off on the first rung; there is nothing that another could do better."""
    found = find_scale(Poisson(), points_of(Poisson(), 1500), features=900)
    assert (found.scale, found.trials) == ([2.0, 2.0], 1)
    assert found.residual < 1e-26


@pytest.mark.parametrize(
    ("problem", "bound"),
    [
        # Measured on seeds 0, 1, 2: at most 2e-14, 6e-11, 3e-7 with so few points; a factor of ten above that.
        (Poisson(), 2e-13),
        (Heat(), 6e-10),
        (Wave(), 3e-6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, pinn.Problem) else None,
)
def test_linear_problems_are_solved_to_many_digits_in_a_second(problem: pinn.Problem, bound: float) -> None:
    solution = pinn.solve(
        problem, points=1500, boundary_points=200, seconds=None, estimate=False, progress=False, grid=51
    )
    assert solution.metrics["relative_l2"]["u"] < bound


def test_features_reproduce_a_solution_of_their_own_kind() -> None:
    """A teacher of the same frozen features is found again: its coefficients solve the problem exactly."""
    problem = Poisson()
    model = features_model(problem, 30, 2.0)
    network = model.network.network
    objective = Objective(model, points_of(problem, 200)(0), Fixed())
    zero = objective.vector().detach()
    network.output.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    matrix, rows = objective.jacobian()
    teacher = network.output.weight.detach().clone().flatten()
    # The residual is affine in the coefficients, to the round-off of second derivatives of size 2π².
    assert torch.allclose(rows, zero + matrix @ teacher, atol=1e-12 * matrix.abs().max().item())


def test_lstsq_stage_runs_alone() -> None:
    stages = {"lstsq": Stage(LeastSquares, steps=1, block=1, resample=0)}
    network = partial(RandomFeatures, features=200, scale=3.0)
    solution = pinn.solve(
        Poisson(),
        network=network,
        stages=stages,
        points=600,
        boundary_points=100,
        estimate=False,
        progress=False,
        grid=21,
    )
    # Measured 2e-14 at worst over seeds 0 to 4.
    assert solution.metrics["relative_l2"]["u"] < 1e-12
