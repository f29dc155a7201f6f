"""The objective says the same thing in each of its forms."""

import pytest
import torch
from helpers.shipped import SHIPPED
from helpers.small import Decay, Ring, model_of, points_of
from torch import Tensor

from pinn.objective import Objective
from pinn.problems import Kovasznay, Poisson, Problem
from pinn.weighting import Fixed

PROBLEMS = {**{name: shipped.problem for name, shipped in SHIPPED.items()}, "decay": Decay, "ring": Ring}


def objective_of(problem: Problem, weights: dict[str, float] | None = None) -> Objective:
    return Objective(model_of(problem), points_of(problem), Fixed(weights))


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss_vector_and_closure_agree(name: str) -> None:
    objective = objective_of(PROBLEMS[name]())
    vector = objective.vector()
    # The same numbers summed in the same order.
    assert objective.loss().item() == (vector.dot(vector) / 2).item()
    assert objective().item() == objective.loss().item()
    assert not objective().requires_grad


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_trial_without_gradients_gives_the_same_numbers(name: str) -> None:
    objective = objective_of(PROBLEMS[name]())
    with torch.no_grad():
        trial, residuals = objective.vector(), objective.residuals()
    assert not trial.requires_grad
    assert all(not row.requires_grad for row in residuals.values())
    assert torch.equal(trial, objective.vector())
    assert objective.vector().requires_grad


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_closure_sets_the_gradient(name: str) -> None:
    """∇L = Jᵀ r, and a parameter on which nothing depends has gradient zero, not none."""
    objective = objective_of(PROBLEMS[name]())
    objective()
    gradient = torch.cat([parameter.grad.flatten() for parameter in objective.parameters])
    matrix, rows = objective.jacobian()
    # Sums of some hundred products.
    torch.testing.assert_close(gradient, rows @ matrix, rtol=0, atol=1e-12 * gradient.abs().max().item())


@pytest.mark.parametrize("name", PROBLEMS)
def test_terms_are_what_the_loss_is_made_of(name: str) -> None:
    objective = objective_of(PROBLEMS[name]())
    for evaluate in (objective.loss, objective.vector, objective.jacobian):
        objective.terms = {}
        evaluate()
        assert list(objective.terms) == list(objective.residuals())
        total = sum(objective.terms.values(), torch.zeros(()))
        # Another order of the sum.
        assert total.item() == pytest.approx(2 * objective.loss().item(), rel=1e-13)


def test_spans_tell_the_rows_of_each_residual() -> None:
    objective = objective_of(Kovasznay())
    vector = objective.vector()
    spans = objective.spans()
    assert spans["equation.momentum_x"] == range(12)
    assert spans["equation.momentum_y"] == range(12, 24)
    assert spans["gauge"] == range(len(vector) - 1, len(vector))
    for name, row in objective.residuals().items():
        span = spans[name]
        # One rounding of √N, one of the product.
        torch.testing.assert_close(vector[span.start : span.stop], row / len(row) ** 0.5, rtol=1e-15, atol=0)


def mean_squares(objective: Objective) -> dict[str, float]:
    return {name: row.square().mean().item() for name, row in objective.residuals().items()}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, {}),
        ({"boundary": 4.0}, {"boundary": 4.0}),
        ({"equation": 0.25, "boundary": 3.0}, {"equation": 0.25, "boundary": 3.0}),
    ],
)
def test_the_loss_is_half_the_weighted_mean_squares(weights: dict[str, float], expected: dict[str, float]) -> None:
    objective = objective_of(Poisson(), weights)
    total = sum(expected.get(name, 1.0) * value for name, value in mean_squares(objective).items())
    assert objective.loss().item() == pytest.approx(total / 2, rel=1e-13)


def test_one_residual_of_a_system_can_have_a_weight_of_its_own() -> None:
    objective = objective_of(Kovasznay(), {"equation": 2.0, "equation.continuity": 50.0})
    weights = {"equation.momentum_x": 2.0, "equation.momentum_y": 2.0, "equation.continuity": 50.0}
    total = sum(weights.get(name, 1.0) * value for name, value in mean_squares(objective).items())
    assert objective.loss().item() == pytest.approx(total / 2, rel=1e-13)


def test_points_that_were_given_are_left_alone() -> None:
    problem = Poisson()
    points = points_of(problem)
    objective = Objective(model_of(problem), points, Fixed())
    objective()
    given: list[Tensor] = [value for quantities in points.values() for value in quantities.values()]
    assert all(not value.requires_grad and value.grad is None for value in given)
