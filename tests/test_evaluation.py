"""Points on which a solution is judged, and the errors there."""

import io
from dataclasses import replace

import pytest
import torch
from helpers.small import model_of
from rich.console import Console

from pinn.domains import Box
from pinn.errors import InputError
from pinn.evaluation import evaluate, evaluation_points, require_grid
from pinn.problems import Kovasznay, PoissonCosines
from pinn.report import print_errors

SPACE = Box(x1=(0, 1), x2=(0, 2), x3=(0, 1), x4=(-1, 1))


def test_up_to_three_coordinates_have_a_mesh_grid() -> None:
    box = Box(x=(0, 1), y=(0, 1), t=(0, 1))
    points, grid = evaluation_points(box, {"x": 3, "y": 4, "t": 2}), box.grid({"x": 3, "y": 4, "t": 2})
    assert all(torch.equal(points[name], grid[name]) for name in grid)


def test_more_coordinates_have_scattered_points_always_the_same() -> None:
    points = evaluation_points(SPACE, 20, torch.float32)
    assert [(name, values.shape, values.dtype) for name, values in points.items()] == [
        (name, torch.Size([400]), torch.float32) for name in SPACE.coordinates
    ]
    assert SPACE.contains(points).all()
    # Sobol points fill an interval much more evenly than chance, whose mean would be off by 0.029 of its length.
    for name, (lower, upper) in SPACE.intervals.items():
        assert points[name].mean().item() == pytest.approx((lower + upper) / 2, abs=0.005 * (upper - lower))
    again = evaluation_points(SPACE, 20, torch.float32)
    assert all(torch.equal(points[name], again[name]) for name in points)


@pytest.mark.parametrize(
    ("grid", "message"), [({"x1": 5}, "one whole number"), (1, "at least 2"), ("9", "whole numbers")]
)
def test_numbers_of_points_that_make_no_sense_are_refused(grid: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_grid(SPACE, grid)
    with pytest.raises(InputError, match=message):
        evaluation_points(SPACE, grid)


def test_errors_at_scattered_points() -> None:
    problem = PoissonCosines(dimension=4)
    model = model_of(problem)
    # More points than are evaluated at a time: 16,384 × 3 / 4.
    evaluation = evaluate(model, evaluation_points(problem.domain, 120, torch.float64))
    assert not evaluation.on_grid
    assert evaluation.residuals["equation"].shape == (14_400,)
    with torch.no_grad():
        difference = model.fields(evaluation.coordinates)["u"] - problem.exact(**evaluation.coordinates)["u"]
    # The same numbers, computed in other blocks.
    assert evaluation.max_error["u"] == pytest.approx(difference.abs().max().item(), rel=1e-12)
    console = Console(file=io.StringIO(), width=200)
    print_errors(console, problem, evaluation)
    assert "PoissonCosines at 14,400 points" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_reference_may_leave_fields_out() -> None:
    problem = Kovasznay()
    full = evaluate(model_of(problem), evaluation_points(problem.domain, 5, torch.float64))
    part = replace(full, reference={name: full.reference[name] for name in ("u", "v")})
    assert part.on_grid
    assert part.relative_l2 == {name: full.relative_l2[name] for name in ("u", "v")}
    assert list(part.max_error) == ["u", "v"]
    squares = [sum((full.fields[n] - full.reference[n]).square().sum() for n in "uv")]
    squares += [sum(full.reference[n].square().sum() for n in "uv")]
    # Two sums of 50 squares.
    assert part.relative_l2_total == pytest.approx((squares[0] / squares[1]).sqrt().item(), rel=1e-13)
