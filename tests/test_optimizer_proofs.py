"""The optimizers against SciPy, against dense linear algebra, and on problems whose answers are known."""

import copy
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import torch
from helpers.expansions import Expansion, Measured
from helpers.small import Constants, Rosenbrock, model_of, points_of
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pinn.derivatives import gradient
from pinn.derivatives import partial as partial_derivative
from pinn.domains import Box
from pinn.model import Model, scaled
from pinn.networks import MLP, Scaled
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt, Optimizer, SelfScaledBroyden, SelfScaledLBFGS
from pinn.problems import Constraint, Poisson, Problem
from pinn.sampling import Collocation, Sobol
from pinn.weighting import Fixed

Broyden = partial(SelfScaledBroyden, update="broyden")
BFGS = partial(SelfScaledBroyden, update="bfgs")


class Counted:
    """An objective for SciPy: functions of a numpy vector, and how often they were called."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.start = parameters_to_vector(objective.parameters).detach().numpy().copy()

    def at(self, vector: np.ndarray) -> Objective:
        vector_to_parameters(torch.from_numpy(vector.copy()), self.objective.parameters)
        return self.objective

    def rows(self, vector: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.at(vector).vector().numpy().copy()

    def jacobian(self, vector: np.ndarray) -> np.ndarray:
        return self.at(vector).jacobian()[0].numpy()

    def loss(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        loss = self.at(vector)().item()
        return loss, torch.cat([p.grad.flatten() for p in self.objective.parameters]).numpy().copy()


def rosenbrock(start: tuple[float, float]) -> Objective:
    objective = Objective(model_of(Rosenbrock(), Constants), points_of(Rosenbrock()), Fixed())
    objective.parameters[0].data.copy_(torch.tensor(start))
    return objective


def fit(degree: int) -> Objective:
    """The fit of a function by powers: a quadratic function of the coefficients, badly conditioned."""
    return Objective(model_of(Measured(), partial(Expansion, degree=degree, basis="powers")), FIT_POINTS, Fixed())


FIT_POINTS = points_of(Measured(), 60)
STARTS = [(-1.2, 1.0), (2.0, -2.0), (0.0, 5.0)]
SELF_SCALED = pytest.mark.parametrize("optimizer", [Broyden, BFGS, SelfScaledLBFGS], ids=["broyden", "bfgs", "lbfgs"])


@pytest.mark.parametrize("start", STARTS)
def test_levenberg_marquardt_on_rosenbrock(start: tuple[float, float]) -> None:
    counted = Counted(rosenbrock(start))
    theirs = scipy.optimize.least_squares(counted.rows, counted.start, counted.jacobian, method="lm")
    objective = rosenbrock(start)
    optimizer = LevenbergMarquardt(objective.parameters)
    steps = 0
    while objective.loss() > max(theirs.cost, 1e-20):
        optimizer.run(objective, 1)
        steps += 1
    # λ has to come down from its first value, which MINPACK starts without.
    assert steps <= theirs.njev + 2


@SELF_SCALED
@pytest.mark.parametrize("start", STARTS)
def test_self_scaled_methods_on_rosenbrock(start: tuple[float, float], optimizer: Any) -> None:
    counted = Counted(rosenbrock(start))
    theirs = scipy.optimize.minimize(counted.loss, counted.start, jac=True, method="BFGS", options={"gtol": 1e-10})
    objective = rosenbrock(start)
    iterations = iterations_to(max(theirs.fun, 1e-20), objective, optimizer(objective.parameters))
    # Measured: at most 1.08 times as many as SciPy's BFGS.
    assert iterations <= 1.3 * theirs.nit


def iterations_to(loss: float, objective: Objective, optimizer: Optimizer, most: int = 2000) -> int:
    for iteration in range(most):
        if objective.loss() <= loss:
            return iteration
        optimizer.run(objective, 1)
    return most


DEGREE = 14


def test_the_quadratic_has_a_condition_of_1e10() -> None:
    matrix, _ = fit(DEGREE).jacobian()
    assert 1e10 < torch.linalg.cond(matrix) ** 2 < 1e11


@SELF_SCALED
def test_self_scaled_methods_on_a_quadratic(optimizer: Any) -> None:
    counted = Counted(fit(DEGREE))
    theirs = scipy.optimize.minimize(
        counted.loss, counted.start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}
    )
    objective = fit(DEGREE)
    least, _ = counted.loss(best(counted))
    iterations = iterations_to(least * (1 + 1e-6), objective, optimizer(objective.parameters))
    # Measured: 74 and 77, SciPy 269.
    assert iterations <= 0.5 * theirs.nit


def best(counted: Counted) -> Any:
    """The least-squares solution from the start by SciPy's dense solver, where residuals are linear."""
    solution, *_ = scipy.linalg.lstsq(counted.jacobian(counted.start), -counted.rows(counted.start))
    return counted.start + solution


def test_least_squares_of_a_quadratic() -> None:
    objective = fit(DEGREE)
    LeastSquares(objective.parameters).run(objective, 1)
    found, expected = parameters_to_vector(objective.parameters).detach().numpy(), best(Counted(fit(DEGREE)))
    # Round-off times the condition of J, 2e5, and of JᵀJ times the residual, 1e10 × 1e-3: about 1e-9.
    assert np.linalg.norm(found - expected) <= 1e-8 * np.linalg.norm(expected)


def test_levenberg_marquardt_on_a_quadratic() -> None:
    """It comes as near as the objective can tell: J p of the remaining way p raises ½‖r‖² by ½‖J p‖²."""
    objective = fit(DEGREE)
    optimizer = LevenbergMarquardt(objective.parameters)
    for _ in range(40):
        optimizer.run(objective, 1)
    counted = Counted(fit(DEGREE))
    expected = best(counted)
    rows = counted.rows(expected)
    way = parameters_to_vector(objective.parameters).detach().numpy() - expected
    # A row is a sum of coefficients times powers of at most 1, so that its round-off is at most ε Σ|c| / √N, and that
    # of the objective ‖r‖ times the length of N such. At the start ½‖J p‖² is 5e12 times that.
    round_off = np.finfo(float).eps * np.abs(expected).sum() * np.linalg.norm(rows)
    assert np.linalg.norm(counted.jacobian(expected) @ way) ** 2 / 2 <= round_off


class Manufactured(Problem):
    """u_t + u u_x - ν u_xx = s, u = g at the start and the walls, with s and g chosen so that a function solves it."""

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, exact: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.domain = Box(x=(-1, 1), t=(0, 1))
        self.exact = exact

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.difference),
            "walls": Constraint(self.domain.boundary("x"), self.difference),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return self.left(u, x, t) - self.left(self.exact(x, t), x, t)

    def difference(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return u - self.exact(x, t)

    def left(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        u_x, u_t = gradient(u, (x, t))
        return u_t + u * u_x - 0.1 * partial_derivative(u_x, x)


def near_teacher(width: int, depth: int, points: int, distance: float) -> tuple[Objective, Collocation]:
    """A problem solved by a network, and the same network with its parameters moved by so much times N(0, 1)."""
    torch.manual_seed(0)
    teacher = Scaled(MLP(2, 1, width=width, depth=depth), (-1, 0), (1, 1)).double().requires_grad_(False)
    problem = Manufactured(lambda x, t: teacher(torch.stack([x, t], dim=-1)).squeeze(-1))
    model = Model(problem, copy.deepcopy(teacher).requires_grad_(True))
    collocation = Collocation(problem, Sobol(), points, points // 8).double()
    objective = Objective(model, collocation(0), Fixed())
    assert objective.loss() <= 1e-24
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += distance * torch.randn_like(parameter)
    return objective, collocation


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(LeastSquares, halvings=0),
        partial(LevenbergMarquardt, damping=1e-30, floor=1e-30, ceiling=1e-29, ratio=1e-9, bend=0),
    ],
    ids=["least squares", "levenberg-marquardt"],
)
def test_a_step_of_gauss_newton_is_that_of_dense_least_squares(optimizer: Any) -> None:
    objective, _ = near_teacher(width=4, depth=1, points=60, distance=1e-3)
    counted = Counted(objective)
    expected = best(counted) - counted.start
    vector_to_parameters(torch.from_numpy(counted.start.copy()), objective.parameters)
    optimizer(objective.parameters).run(objective, 1)
    taken = parameters_to_vector(objective.parameters).detach().numpy() - counted.start
    assert np.linalg.norm(taken - expected) <= 1e-8 * np.linalg.norm(expected)


def test_a_teacher_of_the_shipped_architecture_is_found_again() -> None:
    """Its own parameters solve its problem; from near them Levenberg-Marquardt comes back, in value and as a field."""
    objective, collocation = near_teacher(width=20, depth=3, points=800, distance=1e-4)
    assert objective.loss() > 1e-10
    optimizer = LevenbergMarquardt(objective.parameters, damping=1e-4, factor=10)
    steps = 0
    # Measured: 16 and 21 steps on two processors; from 1e-22 on, where λ is at the round-off of JᵀJ, steps are small.
    while objective.loss() > 1e-24 and steps < 40:
        optimizer.run(objective, 1)
        steps += 1
    assert objective.loss() <= 1e-24
    model, fresh = objective.model, collocation(1)["equation"]
    # Rows of length 1.4e-12 bound the error up to the stability of the equation; measured 3e-13.
    assert (model.fields(fresh)["u"] - model.problem.exact(**fresh)).abs().max() <= 1e-11


def test_chebyshev_polynomials_converge_spectrally() -> None:
    """On a smooth linear problem the error of a basis of polynomials falls faster than any power of the degree."""
    problem = Poisson()
    collocation = Collocation(problem, Sobol(), 1000, 150).double()
    points = collocation(1)["equation"]
    exact = problem.reference()(**points)["u"]
    errors = []
    for degree in (4, 8, 12, 16):
        model = scaled(problem, Expansion(2, 1, degree)).double()
        objective = Objective(model, collocation(0), Fixed())
        LeastSquares(objective.parameters).run(objective, 1)
        with torch.no_grad():
            errors.append(((model.fields(points)["u"] - exact).norm() / exact.norm()).item())
    # The Chebyshev coefficients of sin πx fall by (π/4)⁴ n! / (n + 4)!, more than a hundred at every second degree.
    assert all(after <= before / 100 for before, after in pairwise(errors))
    assert errors[-1] <= 1e-10
