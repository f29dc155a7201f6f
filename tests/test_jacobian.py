"""The Jacobian of the residuals equals what autograd says of one row after another."""

import pytest
import torch
from helpers.networks import NETWORKS
from helpers.shipped import SHIPPED
from helpers.small import Decay, Ring, Rosenbrock, model_of, points_of
from torch import Tensor, nn

from pinn import objective as objective_module
from pinn.errors import InputError
from pinn.model import Model
from pinn.objective import Objective
from pinn.problems import Kovasznay, Poisson, Problem
from pinn.weighting import Fixed


def row_by_row(objective: Objective) -> Tensor:
    """The definition: the gradient of each row by itself."""
    rows = objective.vector()
    gradients = [
        torch.autograd.grad(row, objective.parameters, retain_graph=True, materialize_grads=True) for row in rows
    ]
    return torch.stack([torch.cat([g.flatten() for g in gradient]) for gradient in gradients])


def check(model: Model, problem: Problem, dtype: torch.dtype = torch.float64) -> None:
    objective = Objective(model, points_of(problem, dtype=dtype), Fixed())
    matrix, rows = objective.jacobian()
    expected = row_by_row(objective)
    assert expected.abs().max() > 0
    # Both are sums of some hundred products, in another order: round-off beside the largest entry.
    tolerance = 1e3 * torch.finfo(dtype).eps
    torch.testing.assert_close(matrix, expected, rtol=0, atol=tolerance * expected.abs().max().item())
    torch.testing.assert_close(rows, objective.vector().detach(), rtol=0, atol=tolerance * rows.abs().max().item())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_problem(name: str) -> None:
    problem = SHIPPED[name].problem()
    check(model_of(problem), problem)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_way_to_use_a_weight(name: str) -> None:
    problem = Kovasznay()
    check(model_of(problem, NETWORKS[name]), problem)


@pytest.mark.parametrize("network", ["mlp", "gated"])
@pytest.mark.parametrize("problem", [Decay, Ring, Rosenbrock])
def test_unknown_coefficients_images_and_an_ansatz(problem: type[Problem], network: str) -> None:
    made = problem()
    check(model_of(made, NETWORKS[network]), made)


def test_float32() -> None:
    problem = Poisson()
    check(model_of(problem, dtype=torch.float32), problem, torch.float32)


@pytest.mark.parametrize("size", [1, 5, 12])
def test_blocks_of_points_make_no_difference(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Kovasznay()
    objective = Objective(model_of(problem), points_of(problem), Fixed())
    whole, rows = objective.jacobian()
    monkeypatch.setattr(objective_module, "POINTS_PER_BLOCK", size)
    in_blocks, rows_in_blocks = objective.jacobian()
    # Products of matrices of other shapes sum in another order.
    torch.testing.assert_close(in_blocks, whole, rtol=0, atol=1e-13 * whole.abs().max().item())
    torch.testing.assert_close(rows_in_blocks, rows, rtol=0, atol=1e-13 * rows.abs().max().item())


def test_memory_that_is_offered_is_used() -> None:
    problem = Poisson()
    objective = Objective(model_of(problem), points_of(problem), Fixed())
    matrix, _ = objective.jacobian()
    expected = matrix.clone()
    again, _ = objective.jacobian(out=matrix.fill_(torch.nan))
    assert again is matrix
    assert torch.equal(again, expected)
    other, _ = objective.jacobian(out=torch.empty(3, 3))
    assert torch.equal(other, expected)


def test_no_gradient_is_left_behind() -> None:
    """The Jacobian is numbers: it neither keeps a graph nor touches the gradients of the parameters."""
    problem = Decay()
    model = model_of(problem)
    matrix, rows = Objective(model, points_of(problem), Fixed()).jacobian()
    assert not matrix.requires_grad
    assert not rows.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_an_unknown_coefficient_must_be_a_number() -> None:
    problem = Decay()
    problem.rate = nn.Parameter(torch.ones(2))
    objective = Objective(model_of(problem), {"initial": points_of(problem)["initial"]}, Fixed())
    with pytest.raises(InputError, match=r"'rate' has shape \(2,\); make it one nn.Parameter of shape \(\)"):
        objective.jacobian()
