"""Self-scaled quasi-Newton methods: the update is the literature's, safeguards hold, the state is whole."""

from typing import Any

import pytest
import torch
from helpers.small import Constants, Rosenbrock, model_of, points_of
from torch import Tensor

from pinn.errors import InputError
from pinn.objective import Objective
from pinn.optimizers import SelfScaledBroyden
from pinn.optimizers.line_search import Trial
from pinn.optimizers.self_scaled_broyden import MENDED, _update
from pinn.problems import Poisson
from pinn.weighting import Fixed

SIZE = 6


def poisson() -> Objective:
    return Objective(model_of(Poisson()), points_of(Poisson(), 40), Fixed())


def outer(a: Tensor, b: Tensor) -> Tensor:
    return a.unsqueeze(1) @ b.unsqueeze(0)


def updated(update: str, seed: int, updates: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """H before, H after, s and y of one update of a random positive H along a step s = -α H g."""
    torch.manual_seed(seed)
    root = torch.randn(SIZE, SIZE, dtype=torch.float64)
    before = root @ root.T + 0.1 * torch.eye(SIZE, dtype=torch.float64)
    gradient, step = torch.randn(SIZE, dtype=torch.float64), 0.7
    direction = -before @ gradient
    s = step * direction
    bent = torch.randn(SIZE, SIZE, dtype=torch.float64)
    y = bent @ bent.T @ s + 0.1 * s
    here = Trial(0.0, 0.0, direction.dot(gradient).item(), gradient)
    state: dict[str, Any] = {"inverse": before.clone(), "updates": updates}
    _update(state, here, Trial(step, 0.0, 0.0, gradient + y), direction, update)
    assert state["updates"] == updates + 1
    return before, state["inverse"], s, y


@pytest.mark.parametrize("updates", [0, 1], ids=["first", "later"])
@pytest.mark.parametrize("seed", range(5))
def test_the_update_of_broyden_is_that_of_the_literature(seed: int, updates: int) -> None:
    """Written for B = H⁻¹ as Al-Baali does: B ← τ (B - B s sᵀ B / sᵀBs + θ (sᵀBs) u uᵀ) + y yᵀ / yᵀs."""
    before, after, s, y = updated("broyden", seed, updates)
    hessian = torch.linalg.inv(before)
    bs, sy = hessian @ s, s.dot(y)
    b, h = s.dot(bs) / sy, y.dot(before @ y) / sy
    a = b * h - 1
    rho = torch.clamp(h * (1 - torch.sqrt(a / (1 + a))), max=1)
    theta = torch.maximum((rho - 1) / a, torch.minimum(1 / rho, (1 - b) / b))
    sigma = 1 + theta * a
    root = sigma ** (1 / (1 - SIZE))
    tau = torch.clamp(1 / b, max=1) * torch.minimum(root, 1 / theta)
    if theta <= 0:
        tau = torch.minimum(torch.clamp(1 / b, max=1) * root, sigma)
    if updates == 0:
        tau = h / sigma
    u = y / sy - bs / s.dot(bs)
    expected = tau * (hessian - outer(bs, bs) / s.dot(bs) + theta * s.dot(bs) * outer(u, u)) + outer(y, y) / sy
    # Two inverses of matrices of condition below 1e5 lose that share of sixteen digits.
    torch.testing.assert_close(torch.linalg.inv(after), expected, rtol=1e-9, atol=1e-9 * expected.norm().item())


@pytest.mark.parametrize("seed", range(5))
def test_the_update_of_bfgs_scales_and_then_is_that_of_bfgs(seed: int) -> None:
    before, after, s, y = updated("bfgs", seed)
    sy = s.dot(y)
    scaled = before / torch.clamp(sy / s.dot(torch.linalg.solve(before, s)), max=1)
    left = torch.eye(SIZE, dtype=torch.float64) - outer(s, y) / sy
    # Round-off of a few products of matrices of size up to 1e3.
    torch.testing.assert_close(after, left @ scaled @ left.T + outer(s, s) / sy, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("update", ["broyden", "bfgs"])
@pytest.mark.parametrize("seed", range(5))
def test_the_updated_hessian_fits_the_step_and_stays_positive(update: str, seed: int) -> None:
    _, after, s, y = updated(update, seed)
    torch.testing.assert_close(after @ y, s, rtol=1e-10, atol=1e-10 * s.norm().item())  # round-off, times ‖H‖ ‖y‖ / ‖s‖
    assert torch.linalg.eigvalsh((after + after.T) / 2).min() > 0


@pytest.mark.parametrize("flipped", [-1.0, 0.0])
def test_a_step_without_positive_curvature_changes_nothing(flipped: float) -> None:
    direction = torch.ones(SIZE, dtype=torch.float64)
    inverse = torch.eye(SIZE, dtype=torch.float64)
    state: dict[str, Any] = {"inverse": inverse.clone(), "updates": 3}
    here = Trial(0.0, 0.0, -6.0, -direction)
    _update(state, here, Trial(1.0, 0.0, 0.0, -direction + flipped * direction), direction, "broyden")
    assert state["updates"] == 3
    assert torch.equal(state["inverse"], inverse)


@pytest.mark.parametrize("update", ["broyden", "bfgs"])
def test_it_gets_further_than_a_limited_memory(update: str) -> None:
    """On a small Poisson network, where curvatures span many decades: compared after equally many iterations."""
    objective, limited = poisson(), poisson()
    SelfScaledBroyden(objective.parameters, update=update).run(objective, 100)
    torch.optim.LBFGS(
        limited.parameters, max_iter=100, tolerance_change=0, tolerance_grad=0, line_search_fn="strong_wolfe"
    ).step(limited)
    assert objective.loss() < 0.5 * limited.loss()  # measured 0.21 and 0.27


def test_a_hessian_that_lost_its_sign_is_given_up() -> None:
    objective = poisson()
    optimizer = SelfScaledBroyden(objective.parameters)
    optimizer.run(objective, MENDED)
    before = objective.loss()
    optimizer.state["inverse"].neg_()
    assert optimizer.run(objective, 1)[:2] == (1, None)
    assert objective.loss() < before
    assert optimizer.state["updates"] == 1


def test_the_skew_part_of_the_hessian_is_taken_out_now_and_then() -> None:
    objective = poisson()
    optimizer = SelfScaledBroyden(objective.parameters)
    optimizer.run(objective, MENDED)
    inverse = optimizer.state["inverse"]
    inverse += 1e-6 * torch.triu(torch.ones_like(inverse))
    optimizer.run(objective, 1)
    # Round-off of one update.
    assert (inverse - inverse.T).abs().max() <= 1e-12 * inverse.abs().max()


def test_a_useless_hessian_is_given_up_within_a_call() -> None:
    """Steps of a symmetric H that is positive, but far too small to move anything, end in steepest descent."""
    objective = poisson()
    optimizer = SelfScaledBroyden(objective.parameters)
    optimizer.run(objective, 5)
    before = objective.loss()
    optimizer.state["inverse"].mul_(1e-60)
    assert optimizer.run(objective, 2)[:2] == (2, None)
    assert objective.loss() < before
    assert optimizer.state["n_iter"] == 7


def test_at_the_least_it_says_why_it_stops() -> None:
    objective = Objective(model_of(Rosenbrock(), Constants), points_of(Rosenbrock()), Fixed())
    [values] = objective.parameters
    taken, reason, _ = SelfScaledBroyden([values]).run(objective, 1000)
    assert taken < 100
    assert reason in ("the gradient is zero", "the line search finds no decrease along the gradient")
    torch.testing.assert_close(values.data, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_loss_that_is_no_number_is_a_reason() -> None:
    value = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)

    def closure() -> Tensor:
        value.grad = torch.ones_like(value)
        return (value * torch.nan).sum()

    assert SelfScaledBroyden([value]).run(closure, 1)[:2] == (0, "the loss is nan")
    assert value.item() == 1


def test_a_trial_that_is_no_number_is_refused() -> None:
    """-log(4 - a) - a / 2 falls to a = 2 and ends at 4; the first step of another scale would jump over the end."""
    value = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def closure() -> Tensor:
        loss = (-torch.log(4 - value) - value / 2).sum()
        [value.grad] = torch.autograd.grad(loss, value)
        return loss.detach()

    optimizer = SelfScaledBroyden([value])
    optimizer.run(closure, 50)
    optimizer.state["inverse"].fill_(1e3)
    value.data.fill_(1.0)
    optimizer.run(closure, 50)
    assert value.item() == pytest.approx(2, abs=1e-7)  # half of the digits: the value is flat at its least


BAD = [
    ({"update": "dfp"}, "broyden or bfgs"),
    ({"decrease": 0.0}, "0 < decrease < curvature < 1"),
    ({"curvature": 1.0}, "0 < decrease < curvature < 1"),
    ({"decrease": 0.95}, "0 < decrease < curvature < 1"),
    ({"evaluations": 0}, "at least 1"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=str)
def test_settings_outside_their_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SelfScaledBroyden([torch.zeros(2, requires_grad=True)], **settings)


def test_what_it_cannot_work_with_is_refused() -> None:
    first, second = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    with pytest.raises(InputError, match="one group of parameters"):
        SelfScaledBroyden([{"params": [first]}, {"params": [second]}])
