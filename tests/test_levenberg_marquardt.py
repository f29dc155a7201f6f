"""Levenberg-Marquardt: its steps are those of damped least squares, and it walks curved valleys."""

from itertools import pairwise

import pytest
import torch
from helpers.small import Constants, Rosenbrock, model_of, points_of
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from pinn.errors import InputError
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt
from pinn.optimizers.levenberg_marquardt import _gram, _Linearisation
from pinn.problems import Constraint, Poisson, Problem
from pinn.weighting import Fixed


def objective_of(problem: Problem, count: int = 40, network: type | None = None) -> Objective:
    return Objective(model_of(problem, network), points_of(problem, count), Fixed())


def damped(matrix: Tensor, rows: Tensor, damping: float) -> Tensor:
    """argmin ‖J p + r‖² + λ‖p‖², solved as one tall least-squares problem."""
    columns = matrix.shape[1]
    tall = torch.cat([matrix, damping**0.5 * torch.eye(columns, dtype=matrix.dtype)])
    right = torch.cat([-rows, rows.new_zeros(columns)])
    return torch.linalg.lstsq(tall, right.unsqueeze(1), driver="gelsd").solution.squeeze(1)


@pytest.mark.parametrize("count", [8, 60], ids=["wide", "tall"])
@pytest.mark.parametrize("damping", [1e2, 1.0, 1e-3, 1e-6, 1e-9, 1e-13])
def test_a_straight_step_is_one_of_damped_least_squares(damping: float, count: int) -> None:
    objective = objective_of(Poisson(), count)
    assert (len(objective.vector()) > sum(p.numel() for p in objective.parameters)) == (count == 60)
    optimizer = LevenbergMarquardt(objective.parameters, damping=damping, bend=0)
    start = parameters_to_vector(objective.parameters).detach().clone()
    matrix, rows = objective.jacobian()
    matrix, rows = matrix.clone(), rows.clone()
    optimizer.run(objective, 1)
    taken = parameters_to_vector(objective.parameters).detach() - start
    expected = damped(matrix, rows, optimizer.damping)
    assert (taken - expected).norm() <= 1e-8 * expected.norm()


@pytest.mark.parametrize("damping", [1e2, 1.0, 1e-3, 1e-6])
def test_fewer_rows_than_parameters_make_no_other_step(damping: float) -> None:
    """Every row said twice, each with half the weight, is the same problem with more rows than parameters."""
    torch.manual_seed(0)
    matrix, rows, nudged = (torch.randn(20, n, dtype=torch.float64).squeeze(1) for n in (30, 1, 1))
    wide = _Linearisation(matrix, rows)
    tall = _Linearisation(torch.cat([matrix, matrix]) / 2**0.5, torch.cat([rows, rows]) / 2**0.5)
    assert tall.tall
    assert not wide.tall
    (step, predicted), (other, other_predicted) = wide.step(damping), tall.step(damping)
    # JᵀJ has ten eigenvalues of zero: its factor has a condition of ‖J‖² / λ, at most 1e8, which costs that of 1e-16.
    torch.testing.assert_close(step, other, rtol=0, atol=1e-7 * step.norm().item())
    torch.testing.assert_close(predicted, other_predicted, rtol=1e-7, atol=0)
    bend = wide.acceleration(step, damping, nudged)
    other_bend = tall.acceleration(step, damping, torch.cat([nudged, nudged]) / 2**0.5)
    torch.testing.assert_close(bend, other_bend, rtol=0, atol=1e-7 * bend.norm().item())


@pytest.mark.parametrize("columns", [1, 3, 4, 5, 17])
def test_the_triangle_of_a_gram_matrix(columns: int) -> None:
    matrix = torch.randn(20, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # The same sums in another order.
    torch.testing.assert_close(_gram(matrix).tril(), (matrix.T @ matrix).tril(), rtol=1e-13, atol=1e-13)


def test_no_step_raises_the_objective() -> None:
    objective = objective_of(Poisson())
    optimizer = LevenbergMarquardt(objective.parameters)
    losses = [objective.loss().item()]
    for _ in range(20):
        optimizer.run(objective, 1)
        losses.append(objective.loss().item())
    assert all(after <= before for before, after in pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize("bend", [0.0, 2.0])
@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 3.0), (3.0, -3.0)])
def test_the_valley_of_rosenbrock_is_walked_to_its_end(start: tuple[float, float], bend: float) -> None:
    objective = objective_of(Rosenbrock(), network=Constants)
    [values] = objective.parameters
    values.data.copy_(torch.tensor(start))
    optimizer = LevenbergMarquardt(objective.parameters, bend=bend)
    for _ in range(100):
        optimizer.run(objective, 1)
    # The least is a zero of the residuals, reached to round-off: 10 (b - a²) is computed to 10 ulp.
    torch.testing.assert_close(values.data, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_at_the_least_nothing_moves() -> None:
    objective = objective_of(Rosenbrock(), network=Constants)
    [values] = objective.parameters
    values.data.fill_(1.0)
    optimizer = LevenbergMarquardt(objective.parameters)
    assert optimizer.run(objective, 1) == (1, None, None)
    assert objective.loss() == 0
    assert values.tolist() == [1, 1]


def test_a_trial_that_is_no_number_is_refused() -> None:
    class Fenced(Rosenbrock):
        """1 + √(4 - a) wants a = 4, and there is nothing beyond: the first undamped step would end at a = 12."""

        def constraints(self) -> dict[str, Constraint]:
            return {"fence": Constraint(self.domain.point(x=0), lambda a, b: {"root": 1 + (4 - a) ** 0.5, "b": b})}

    objective = objective_of(Fenced(), network=Constants)
    optimizer = LevenbergMarquardt(objective.parameters, damping=1e-12)
    optimizer.run(objective, 1)
    assert objective.loss() < 4.5
    [values] = objective.parameters
    assert 0 < values[0] <= 4


BAD = [
    {"damping": 0.0},
    {"damping": -1.0},
    {"damping": 1e-40},
    {"damping": 1e9},
    {"factor": 1.0},
    {"ratio": 0.0},
    {"ratio": 1.0},
    {"bend": -1.0},
    {"floor": 0.0},
]


@pytest.mark.parametrize("settings", BAD, ids=str)
def test_settings_outside_their_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="LevenbergMarquardt needs"):
        LevenbergMarquardt([torch.zeros(2, requires_grad=True)], **settings)


def test_what_it_cannot_work_with_is_refused() -> None:
    first, second = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    with pytest.raises(InputError, match="one group of parameters"):
        LevenbergMarquardt([{"params": [first]}, {"params": [second]}])
