"""Copies and slices of coordinates are refused, and columns, mesh grids and other coordinates are not."""

import pytest
import torch
from geometry import coordinates
from torch import Tensor

from pinn.derivatives import CoordinateError, divergence, gradient, jacobian, laplacian, partial, partial_of, polar

ROWS = torch.linspace(0.1, 1.5, 15, dtype=torch.float64).reshape(5, 3).requires_grad_()
ZERO = torch.zeros(5, dtype=torch.float64)

# Ways to take a column, as functions of its number.
COLUMNS = {
    "select": lambda i: ROWS[:, i],
    "select from the end": lambda i: ROWS[:, i - 3],
    "select of a negative dimension": lambda i: ROWS.select(-1, i),
    "unbind": lambda i: ROWS.unbind(-1)[i],
    "slice": lambda i: ROWS[:, i : i + 1].squeeze(-1),
    "slice from the end": lambda i: ROWS[:, i - 3 : (i - 2) or None].squeeze(-1),
    "slice with a step": lambda i: ROWS[:, i::3].squeeze(-1),
    "split": lambda i: ROWS.split(1, -1)[i].squeeze(-1),
    "split by sizes": lambda i: ROWS.split([1, 1, 1], 1)[i].squeeze(-1),
    "narrow": lambda i: ROWS.narrow(-1, i, 1).squeeze(-1),
}
ways = pytest.mark.parametrize("way", COLUMNS.values(), ids=COLUMNS)
other_ways = pytest.mark.parametrize("other", COLUMNS.values(), ids=COLUMNS)


@ways
@other_ways
def test_a_column_taken_twice_is_refused(way, other):
    advice = (
        r"of shape \(5,\), but from data that both share: .* a copy, a slice or a function .* pass the tensor .*\)$"
    )
    with pytest.raises(CoordinateError, match=advice):
        partial(way(1) ** 2, other(1))


@ways
@other_ways
def test_another_column_that_the_field_does_not_use(way, other):
    assert torch.equal(partial(other(0) ** 2, way(2)), ZERO)
    assert torch.equal(partial(other(0) ** 2, way(1)), ZERO)


@ways
def test_columns_of_one_tensor_as_separate_coordinates(way):
    x, y, z = (way(i) for i in range(3))
    u = x**2 * y
    assert torch.equal(partial(u, x, y), 2 * x)
    assert torch.equal(laplacian(u, (x, y, z)), 2 * y)
    assert torch.equal(partial(u, z), ZERO)
    assert torch.equal(divergence((x**2, 3 * x, x * y), (x, y, z)), 2 * x)
    assert torch.equal(jacobian((x, y), (x, y, z))[1][2], ZERO)


def test_slices_that_overlap_are_refused_even_where_their_columns_differ():
    with pytest.raises(CoordinateError):
        partial(ROWS[:, :2][:, 0] ** 2, ROWS[:, 1:][:, 1])


def test_columns_of_a_computed_tensor():
    x, y = torch.sin(ROWS)[:, 0], ROWS[:, 1]
    scaled = 2 * ROWS
    assert torch.equal(partial(scaled[:, 0] ** 2, scaled[:, 1]), ZERO)
    with pytest.raises(CoordinateError):
        partial(x**2, y)  # the sine of all rows: the graph does not say that it goes entry by entry


REFUSED = {
    "clone": lambda x: (x**2, x.clone()),
    "view": lambda x: (x**2, x.view(-1)),
    "function": lambda x: (x**2, 2 * x),
    "part of the points": lambda x: (x[:2] ** 2, x[:2]),
    "the coordinate itself, cloned": lambda x: (x, x.clone()),
    "function of the field": lambda x: (x**2, torch.sqrt(x**2)),
    "a factor before the coordinate": lambda x: (torch.ones_like(x) * x, x.clone()),
    "two copies": lambda x: (x.clone() ** 2, x.clone()),
    "sum with a coordinate of its own": lambda x: (x**2, x + torch.ones_like(x).requires_grad_()),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_copies_and_functions_of_a_coordinate_are_refused(case):
    (x,) = coordinates(1, points=4, seed=0)
    field, coordinate = case(x)
    with pytest.raises(CoordinateError):
        partial(field, coordinate)
    with pytest.raises(CoordinateError):
        gradient(field, (coordinate,))


def test_a_column_of_rows_that_entered_the_field_whole_is_refused():
    for x in (ROWS[:, 0], ROWS.unbind(-1)[0]):
        for field in (ROWS.prod(-1), torch.nn.functional.linear(ROWS, torch.ones(1, 3).double()).squeeze(-1)):
            with pytest.raises(CoordinateError):
                partial(field, x)
            with pytest.raises(CoordinateError):
                gradient(field, (ROWS, x))
        with pytest.raises(CoordinateError):
            partial(x**2, ROWS.sum(1))


def test_derivatives_of_refused_and_allowed_coordinates_agree_at_second_order():
    x = ROWS[:, 0]
    u_x = partial(3 * x, x)
    assert torch.equal(partial(u_x, ROWS[:, 1]), ZERO)
    with pytest.raises(CoordinateError):
        partial(u_x, ROWS[:, 0])


def test_a_mesh_grid_coordinate_that_the_field_does_not_use():
    x, y = coordinates(2, points=3, seed=0)
    X, Y = (grid.reshape(-1) for grid in torch.meshgrid(x, y, indexing="xy"))
    assert torch.equal(partial(X**2, Y), torch.zeros_like(Y))
    assert torch.equal(laplacian(X**2 * Y, (X, Y)), 2 * Y)
    with pytest.raises(CoordinateError):
        partial(X**2, x.repeat(3))


def polar_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sqrt(x**2 + y**2), torch.atan2(y, x)


def test_coordinates_computed_from_the_same_data_are_named_together():
    r, theta = polar_of(*coordinates(2, points=4, seed=0))
    assert torch.equal(gradient(r**2, (r, theta))[1], torch.zeros_like(r))
    # Δ r² = 4: some ten roundings.
    torch.testing.assert_close(laplacian(r**2, (r, theta), system=polar), torch.full_like(r, 4), rtol=1e-14, atol=0)
    assert torch.equal(divergence((r**2, r), (r, theta)), 2 * r)
    with pytest.raises(CoordinateError):
        partial(r**2, theta)  # alone, θ could as well be a mistake for the x and y that r was computed from


def test_coordinates_named_together_do_not_hide_other_uses():
    x, y = coordinates(2, points=4, seed=0)
    r, theta = polar_of(x, y)
    with pytest.raises(CoordinateError):
        gradient(r**2 * x, (r, theta))
    with pytest.raises(CoordinateError):
        gradient(x**2, (x, r))  # r is a function of x: not independent of it


def test_every_unused_coordinate_is_looked_at():
    x, y = coordinates(2, points=4, seed=0)
    with pytest.raises(CoordinateError):
        gradient(x**2, (y, x.clone()))


def test_a_detached_copy_in_the_same_memory_is_refused():
    (x,) = coordinates(1, points=4, seed=0)
    for u in (x**2, partial(x**3, x)):
        with pytest.raises(CoordinateError, match="in the same memory: the coordinate is a detached copy"):
            partial(u, x.detach().requires_grad_())
    # Two columns of one tensor are two coordinates.
    xy = torch.rand(4, 2)
    first, second = (column.detach().requires_grad_() for column in xy.unbind(-1))
    assert torch.equal(partial(first**2, second), torch.zeros(4))
    with pytest.raises(CoordinateError, match="in the same memory"):
        partial(first**2, xy[:, 0].requires_grad_())


def test_a_clone_cannot_be_told_from_a_coordinate_that_is_not_used():
    (x,) = coordinates(1, points=4, seed=0)
    assert torch.equal(partial(x**2, x.detach().clone().requires_grad_()), torch.zeros_like(x))
    assert torch.equal(partial_of(lambda x, y: x**2, 1)(x.detach(), x.detach()), torch.zeros_like(x))
