"""Points on which a solution is judged, and the errors there."""

import io
from dataclasses import replace

import pytest
import torch
from helpers.small import Constants, model_of
from rich.console import Console

from pinn.domains import Box, Points
from pinn.errors import InputError
from pinn.evaluation import evaluate, evaluation_points, require_grid
from pinn.problems import Constraint, Kovasznay, PoissonCosines, Problem
from pinn.references import Exact, relative_errors
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
    full = evaluate(model_of(problem), evaluation_points(problem.domain, 6, torch.float64))
    part = replace(full, reference={name: full.reference[name] for name in ("u", "v")})
    assert part.on_grid
    assert part.relative_l2 == {name: full.relative_l2[name] for name in ("u", "v")}
    assert list(part.max_error) == ["u", "v"]
    squares = [sum((full.fields[n] - full.reference[n]).square().sum() for n in "uv")]
    squares += [sum(full.reference[n].square().sum() for n in "uv")]
    # Two sums of 72 squares.
    assert part.relative_l2_total == pytest.approx((squares[0] / squares[1]).sqrt().item(), rel=1e-13)


def norm(values: torch.Tensor) -> float:
    return torch.linalg.vector_norm(values).item()


def test_a_field_whose_reference_is_zero_is_measured_against_all_fields() -> None:
    x = torch.linspace(0, 1, 7, dtype=torch.float64)
    exact = {"u": 3 * torch.cos(x), "v": torch.zeros_like(x), "w": 1e-17 * x}
    fields = {"u": exact["u"] + 0.3, "v": 0.03 * x, "w": 0.01 * x}
    errors = {name: error.item() for name, error in relative_errors(fields, exact).items()}
    together = norm(exact["u"])
    expected = {"u": 0.3 * 7**0.5 / together, "v": 0.03 * norm(x) / together, "w": 0.01 * norm(x) / together}
    assert errors == pytest.approx(expected, rel=1e-14)
    # A small field beside a large one is no zero.
    assert relative_errors({"a": x, "b": 2e-9 * x}, {"a": x, "b": 1e-9 * x})["b"].item() == pytest.approx(1, rel=1e-14)
    # Nothing to be relative to: the root of the mean square.
    assert relative_errors({"u": 0.5 * torch.ones(9)}, {"u": torch.zeros(9)})["u"].item() == pytest.approx(0.5)


def test_points_without_a_reference_are_left_out_and_fields_that_are_no_number_are_not() -> None:
    exact = {"u": torch.tensor([1.0, float("nan"), 2.0, float("inf")], dtype=torch.float64)}
    assert relative_errors({"u": torch.tensor([1.1, 7.0, 2.0, 7.0])}, exact)["u"].item() == pytest.approx(0.1 / 5**0.5)
    assert relative_errors({"u": torch.tensor([float("nan"), 7.0, 2.0, 7.0])}, exact)["u"].isnan()


class Disk(Box):
    """The unit disk in its bounding box."""

    def __init__(self) -> None:
        super().__init__(x=(-1, 1), y=(-1, 1))

    def contains(self, points: Points) -> torch.Tensor:
        return points["x"] ** 2 + points["y"] ** 2 <= 1


class OnADisk(Problem):
    """u = 1 on the disk; outside of it the equation and the reference are other than inside."""

    coordinates, fields = ("x", "y"), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = Disk()

    def constraints(self) -> dict[str, Constraint]:
        return {"equation": Constraint(self.domain.interior, lambda u, x, y: 1e3 * u * (x**2 + y**2 > 1) + u - 1)}

    def reference(self) -> Exact:
        return Exact(lambda x, y: {"u": torch.where(x**2 + y**2 > 1, 1e3, 1.0)})


def test_errors_are_those_of_the_shape_and_not_of_its_bounding_box() -> None:
    problem = OnADisk()
    model = model_of(problem, Constants)
    torch.nn.init.constant_(model.network.network.values, 1.1)
    evaluation = evaluate(model, evaluation_points(problem.domain, 21, torch.float64))
    assert evaluation.relative_l2["u"] == pytest.approx(0.1)
    assert evaluation.relative_l2_total == pytest.approx(0.1)
    assert evaluation.max_error["u"] == pytest.approx(0.1)
    assert evaluation.residual_rms["equation"] == pytest.approx(0.1)
    outside = ~problem.domain.contains(evaluation.coordinates)
    assert outside.sum() > 40
    for values in (evaluation.fields["u"], evaluation.reference["u"], evaluation.residuals["equation"]):
        assert torch.equal(values.isnan(), outside)
