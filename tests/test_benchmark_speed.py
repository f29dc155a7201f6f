"""The benchmark of speed compares like with like, and notices what got slower."""

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks import plain, speed
from benchmarks.speed_cases import NavierStokes, objective_of
from benchmarks.timing import chip, medians, versions

from pinn.jacobian import residual_jacobian
from pinn.problems import Poisson


def stacked(points: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([points["x"].detach(), points["y"].detach()], dim=1)


def test_both_sides_compute_the_same_loss_of_poisson() -> None:
    _, objective = objective_of(Poisson(), points=30, boundary_points=10, width=8, dtype=torch.float64)
    inside, boundary = (stacked(group) for group in objective.points.values())
    found = plain.poisson_loss(objective.model.network, inside, boundary)
    # The same sums in another order.
    assert found.item() == pytest.approx(objective.loss().item(), rel=1e-12)


def test_both_sides_compute_the_same_loss_of_navier_stokes() -> None:
    problem, objective = objective_of(NavierStokes(), 30, boundary_points=1, width=8, dtype=torch.float64)
    points = stacked(objective.points["equation"])
    found = plain.navier_stokes_loss(objective.model.network, points, problem.viscosity)
    assert found.item() == pytest.approx(objective.loss().item(), rel=1e-12)


def test_both_sides_compute_the_same_jacobian() -> None:
    _, objective = objective_of(Poisson(), points=12, boundary_points=1, width=5, depth=2, dtype=torch.float64)
    at = objective.points["equation"]
    [(_, blocks)] = residual_jacobian(objective.model, "equation", at).values()
    expected = plain.jacobian(objective.model.network, stacked(at))
    # The Laplacian does not depend on the last bias.
    nothing = torch.zeros(12, 1, dtype=torch.float64)
    names = [f"network.{name}" for name, _ in objective.model.network.named_parameters()]
    found = torch.cat([blocks.get(name, nothing) for name in names], dim=1)
    # Derivatives of third order, by another mode of differentiation.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11 * expected.abs().max().item())


def entry(ratio: float) -> dict[str, Any]:
    return {"date": "today", "chip": "this", "ratios": {"poisson": {"pinn, compiled": ratio}}}


def test_what_got_slower_is_said() -> None:
    assert speed.slower(entry(0.41), entry(0.35)) == []
    [line] = speed.slower(entry(0.43), entry(0.35))
    assert line == "poisson: pinn, compiled was 0.35 on today, is 0.43"
    assert speed.slower(entry(0.43), None) == []


def test_entries_are_kept_by_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "HISTORY", tmp_path / "speed.json")
    assert speed.last_entry("this") is None
    for ratio in (0.5, 0.123456):
        speed.record(entry(ratio))
    speed.record({**entry(0.9), "chip": "another"})
    last = speed.last_entry("this")
    assert last is not None
    assert last["ratios"]["poisson"]["pinn, compiled"] == 0.1235


def test_medians_leave_the_first_call_out() -> None:
    calls = []
    times = medians({"work": lambda: calls.append(0)}, rounds=4)
    assert len(calls) == 5
    assert 0 <= times["work"] < 1000
    assert chip()
    assert set(versions("torch", "no-such-package")) == {"python", "torch"}
