"""Self-scaled L-BFGS: H is the recursion of the literature, forgetting is bounded, no number is absolute."""

from typing import Any

import pytest
import torch
from helpers.small import model_of, points_of
from torch import Tensor

from pinn.errors import InputError
from pinn.objective import Objective
from pinn.optimizers import SelfScaledLBFGS
from pinn.optimizers.limited_memory import FEWEST, NUMBERS
from pinn.optimizers.line_search import Trial
from pinn.problems import Poisson
from pinn.weighting import Fixed

SIZE = 6


def poisson() -> Objective:
    return Objective(model_of(Poisson()), points_of(Poisson(), 40), Fixed())


def outer(a: Tensor, b: Tensor) -> Tensor:
    return a.unsqueeze(1) @ b.unsqueeze(0)


def made(pairs: int, history: int | None = None) -> tuple[SelfScaledLBFGS, list[tuple[Tensor, Tensor, float]]]:
    """An optimizer after so many steps of a function whose curvature falls, and the pairs with their τ."""
    torch.manual_seed(0)
    optimizer = SelfScaledLBFGS([torch.zeros(SIZE, dtype=torch.float64, requires_grad=True)], history=history)
    optimizer.state = {"n_iter": 0}
    optimizer.reset(optimizer.parameters[0])
    seen: list[tuple[Tensor, Tensor, float]] = []
    for index in range(pairs):
        gradient, step = torch.randn(SIZE, dtype=torch.float64), 0.7
        bent = torch.randn(SIZE, SIZE, dtype=torch.float64)
        direction = -optimizer.times(gradient)
        s = step * direction
        y = 0.3**index * (bent @ bent.T @ s + 0.1 * s)
        slope = direction.dot(gradient).item()
        optimizer.update(Trial(0.0, 0.0, slope, gradient), Trial(step, 0.0, 0.0, gradient + y), direction)
        seen.append((s, y, min(1.0, (y.dot(s) / -(step**2 * slope)).item()) if index else 1.0))
    return optimizer, seen


def inverse_of(optimizer: SelfScaledLBFGS) -> Tensor:
    return torch.stack([optimizer.times(unit) for unit in torch.eye(SIZE, dtype=torch.float64)], dim=1)


@pytest.mark.parametrize("pairs", [1, 2, 5, 20])
def test_the_inverse_is_that_of_the_recursion(pairs: int) -> None:
    """H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) / τ + ρ s sᵀ, pair by pair, from (y·s / y·y) I."""
    optimizer, seen = made(pairs, history=pairs)
    one = torch.eye(SIZE, dtype=torch.float64)
    s, y, _ = seen[0]
    expected = one * y.dot(s) / y.dot(y)
    for s, y, tau in seen:
        left = one - outer(s, y) / y.dot(s)
        expected = left @ expected @ left.T / tau + outer(s, s) / y.dot(s)
    assert pairs == 1 or min(tau for *_, tau in seen) < 1
    # Round-off, times the condition of the products, up to 1e6 here.
    torch.testing.assert_close(inverse_of(optimizer), expected, rtol=1e-9, atol=1e-9 * expected.norm().item())


@pytest.mark.parametrize("history", [1, 3, 40])
def test_it_keeps_the_last_pairs(history: int) -> None:
    optimizer, seen = made(50, history)
    kept = optimizer.state["steps"]
    assert history * 0.9 - 1 <= len(kept) <= history
    for row, (s, *_) in zip(kept, seen[-len(kept) :], strict=True):
        assert torch.equal(row, s)
    s, y, _ = seen[-1]
    torch.testing.assert_close(optimizer.times(y), s, rtol=1e-7, atol=1e-7 * s.norm().item())


def test_what_no_pair_speaks_for_is_not_scaled_without_an_end() -> None:
    """Along one axis the curvature is 100 and 1 in turn: each fall has τ = 1/100, for all other directions too."""
    optimizer, _ = made(0, history=3)
    axis, other = torch.eye(SIZE, dtype=torch.float64)[:2]
    for index in range(200):
        direction = -optimizer.times(axis)
        change = (100.0, 1.0)[index % 2] * direction
        here = Trial(0.0, 0.0, direction.dot(axis).item(), axis)
        optimizer.update(here, Trial(1.0, 0.0, 0.0, axis + change), direction)
    # The longest s·s / y·s is 1, and among three pairs there are two falls at most. Unbounded it would be 1e200.
    assert 0 < optimizer.times(other)[1] <= 100.0**2 * (1 + 1e-12)


def test_a_step_without_positive_curvature_changes_nothing() -> None:
    optimizer, _ = made(3)
    before = inverse_of(optimizer)
    gradient = torch.ones(SIZE, dtype=torch.float64)
    optimizer.update(Trial(0.0, 0.0, -6.0, gradient), Trial(1.0, 0.0, 0.0, 2 * gradient), -gradient)
    assert torch.equal(inverse_of(optimizer), before)


@pytest.mark.parametrize("factor", [2.0**-60, 2.0**60])
def test_a_multiple_of_the_objective_has_the_same_iterations(factor: float) -> None:
    """Torch's L-BFGS drops each pair with y·s below 1e-10: as soon as the loss is small it learns nothing more."""
    ends = []
    for scale in (1.0, factor):
        objective = poisson()
        optimizer = SelfScaledLBFGS(objective.parameters)

        def closure(objective: Objective = objective, scale: float = scale) -> Tensor:
            loss = objective()
            for parameter in objective.parameters:
                assert parameter.grad is not None
                parameter.grad = parameter.grad * scale
            return loss * scale

        # The very first step is bounded, so that its length depends on the size of the gradient: it is left out.
        optimizer.state = {"n_iter": 0}
        optimizer.reset(torch.cat([parameter.detach().flatten() for parameter in objective.parameters]))
        optimizer.state |= {"start": 1e-3 / scale, "updates": 1}
        assert optimizer.run(closure, 30).taken == 30
        ends.append(objective.loss())
    assert ends[0] == ends[1]


def test_it_gets_further_than_that_of_torch() -> None:
    """On a small Poisson network, where curvatures span many decades: compared after equally many iterations."""
    ends = []
    for kind in (SelfScaledLBFGS, None):
        objective = poisson()
        if kind:
            kind(objective.parameters).run(objective, 150)
        else:
            torch.optim.LBFGS(
                objective.parameters, max_iter=150, tolerance_change=0, tolerance_grad=0, line_search_fn="strong_wolfe"
            ).step(objective)
        ends.append(objective.loss().item())
    assert ends[0] < 0.5 * ends[1]  # measured 0.27


@pytest.mark.parametrize(
    ("count", "history"), [(5, FEWEST), (501, 501), (10_000, NUMBERS // 10_000), (10_000_000, FEWEST)]
)
def test_the_memory_is_as_long_as_there_are_parameters_where_that_is_not_too_much(count: int, history: int) -> None:
    assert SelfScaledLBFGS([torch.zeros(count, requires_grad=True)]).history == history
    assert SelfScaledLBFGS([torch.zeros(count, requires_grad=True)], history=7).history == 7


@pytest.mark.parametrize("settings", [{"history": 0}, {"history": True}, {"history": 2.5}, {"curvature": 1.0}], ids=str)
def test_settings_outside_their_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="SelfScaledLBFGS needs"):
        SelfScaledLBFGS([torch.zeros(2, requires_grad=True)], **settings)
