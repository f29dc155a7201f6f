"""Boxes: points lie where they should, normals are unit and outward, and what makes no sense is refused."""

import math

import pytest
import torch

from pinn.domains import Box, Periodic, Region
from pinn.errors import InputError

BOX = Box(x=(-1, 3), y=(0, 0.5), t=(0, 2))


def unit_points(region: Region, count: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, region.dimension, dtype=torch.float64, generator=generator)


REGIONS = {
    "interior": (BOX.interior, 3, 4.0),
    "face x=-1": (BOX.face(x=-1), 2, 1.0),
    "face y=0.5": (BOX.face(y=0.5), 2, 8.0),
    "start": (BOX.face(t=0), 2, 2.0),
    "boundary of space": (BOX.boundary(), 2, 2 * 1.0 + 2 * 8.0),
    "boundary across x": (BOX.boundary("x"), 2, 2.0),
    "all boundary": (BOX.boundary("x", "y", "t"), 2, 2 * 1.0 + 2 * 8.0 + 2 * 2.0),
    "point": (BOX.point(x=0, y=0.25, t=1), 0, 1.0),
    "edge": (BOX.at(x=3, y=0), 1, 2.0),
    "cut": (BOX.at(y=0.25), 2, 8.0),
    "periodic": (BOX.periodic("x"), 2, 1.0),
}


@pytest.mark.parametrize("name", REGIONS)
def test_points_lie_in_the_closed_box(name: str) -> None:
    region, dimension, measure = REGIONS[name]
    assert region.dimension == dimension
    # Products and sums of a few numbers that are exact in binary.
    assert region.measure == pytest.approx(measure, rel=1e-15)
    points = region.points(unit_points(region))
    assert {key: value.shape for key, value in points.items()} == dict.fromkeys(
        (*BOX.coordinates, *region.normals), torch.Size([400])
    )
    assert all(value.dtype == torch.float64 for value in points.values())
    assert BOX.contains(points).all()


@pytest.mark.parametrize("name", REGIONS)
def test_the_corners_of_the_unit_cube_go_to_corners_of_the_region(name: str) -> None:
    region = REGIONS[name][0]
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * max(region.dimension, 1))
    corners = corners.reshape(-1, max(region.dimension, 1))[:, : region.dimension]
    points = region.place([corners] * len(region.parts))
    for coordinate, ends in BOX.intervals.items():
        if name not in ("point", "cut"):
            assert set(points[coordinate].tolist()) <= set(ends)


@pytest.mark.parametrize("name", ["face x=-1", "face y=0.5", "start", "boundary of space", "all boundary"])
def test_normals_are_unit_and_outward(name: str) -> None:
    region = REGIONS[name][0]
    points = region.points(unit_points(region))
    normals = {coordinate: points[f"n_{coordinate}"] for coordinate in BOX.coordinates}
    assert (sum(component.square() for component in normals.values()) == 1).all()
    step = 1e-6
    outside = {c: points[c] + step * normals[c] for c in BOX.coordinates}
    inside = {c: points[c] - step * normals[c] for c in BOX.coordinates}
    assert not BOX.contains(outside).any()
    assert BOX.contains(inside).all()


@pytest.mark.parametrize("name", ["interior", "point", "periodic", "edge", "cut"])
def test_regions_without_a_side_have_no_normal(name: str) -> None:
    assert REGIONS[name][0].normals == ()


def test_a_boundary_shares_out_its_points_by_measure() -> None:
    region = BOX.boundary()
    points = region.points(unit_points(region, 360))
    on_x = ((points["x"] == -1) | (points["x"] == 3)) & (points["n_x"] != 0)
    # The faces across x have 2 of 18 units of area, those across y 16.
    assert on_x.sum() == 40
    assert {float(x) for x in points["x"][on_x]} == {-1.0, 3.0}


def test_two_ends_are_two_points() -> None:
    region = Box(x=(0, 1)).boundary()
    points = region.points(torch.zeros(len(region.parts), 0))
    assert {name: values.tolist() for name, values in points.items()} == {"x": [0.0, 1.0], "n_x": [-1.0, 1.0]}


THIN = {
    "strip": (Box(x=(0, 1000), y=(0, 1)), 400),
    "plate": (Box(x=(0, 1), y=(0, 1), z=(0, 0.001)), 400),
    "as few as there are": (Box(x=(0, 1), y=(0, 1), z=(0, 0.001)), 6),
    "needle": (Box(x=(0, 1e-6), y=(0, 1e-6), z=(0, 1e6)), 100),
    "of equal faces": (Box(**{f"x{number}": (0, 1) for number in range(1, 20)}), 40),
    "hardly above": (Box(x=(0, 3), y=(0, 1)), 41),
}


@pytest.mark.parametrize("name", THIN)
def test_no_face_goes_without_points(name: str) -> None:
    box, count = THIN[name]
    region = box.boundary()
    points = region.points(unit_points(region, count))
    faces = len(region.parts)
    for coordinate, ends in box.intervals.items():
        for end in ends:
            # A tenth of an equal share, rounded down.
            here = (points[coordinate] == end) & (points[f"n_{coordinate}"] != 0)
            assert here.sum() >= max(1, count // (10 * faces))
    assert len(points["x" if "x" in points else "x1"]) == count


def test_fewer_points_than_faces_are_refused() -> None:
    region = BOX.boundary()
    with pytest.raises(InputError, match="a region of 4 parts needs a point in each of them; it was given 3"):
        region.points(unit_points(region, 3))
    assert len(region.scattered(3, torch.Generator())["x"]) == 4


def test_a_condition_per_face_can_be_told_from_its_normal() -> None:
    region = BOX.boundary("y")
    points = region.points(unit_points(region))
    assert torch.equal(points["n_y"] > 0, points["y"] == 0.5)


def test_a_point_is_where_it_was_put() -> None:
    points = BOX.point(x=0, y=0.25, t=1).points(torch.zeros(1, 0))
    assert {name: value.tolist() for name, value in points.items()} == {"x": [0.0], "y": [0.25], "t": [1.0]}


def test_an_image_lies_one_period_away_and_can_be_differentiated() -> None:
    region = BOX.periodic("x")
    assert isinstance(region, Periodic)
    points = region.points(unit_points(region))
    x = points["x"].requires_grad_()
    image = region.image({**points, "x": x})
    assert torch.equal(image["x"], x + 4)
    assert torch.equal(image["y"], points["y"])
    assert torch.equal(torch.autograd.grad(image["x"].sum(), x)[0], torch.ones_like(x))
    assert BOX.interior.image(points) is None


def test_grids_hold_the_ends_and_follow_the_order_of_the_coordinates() -> None:
    grid = BOX.grid({"x": 5, "y": 3, "t": 2}, torch.float64)
    assert all(values.shape == (5, 3, 2) for values in grid.values())
    assert grid["x"][:, 0, 0].tolist() == [-1, 0, 1, 2, 3]
    assert grid["y"][0, :, 0].tolist() == [0, 0.25, 0.5]
    assert grid["t"][0, 0, :].tolist() == [0, 2]
    assert BOX.grid(4)["x"].shape == (4, 4, 4)


BAD_BOXES = [
    ({}, "was given no interval"),
    ({"x": (1, 0)}, "lower < upper"),
    ({"x": (0, 0)}, "lower < upper"),
    ({"x": (0, math.inf)}, "finite"),
    ({"x": (math.nan, 1)}, "finite"),
    ({"x": (0, 1, 2)}, "a pair"),
    ({"x": 3}, "a pair"),
    ({"x": ("a", "b")}, "a pair"),
    ({"n_x": (0, 1)}, "cannot be called 'n_x'"),
    ({"x_image": (0, 1)}, "cannot be called 'x_image'"),
]


@pytest.mark.parametrize(("intervals", "message"), BAD_BOXES)
def test_boxes_that_are_none_are_refused(intervals: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Box(**intervals)


BAD_REGIONS = [
    (lambda: BOX.face(), "takes one coordinate"),
    (lambda: BOX.face(x=-1, t=0), "takes one coordinate"),
    (lambda: BOX.face(x=0), "is not a face of Box.*use x=-1.0 or x=3.0"),
    (lambda: BOX.face(z=0), "no coordinate 'z'; it has x, y, t"),
    (lambda: BOX.boundary("z"), "no coordinate 'z'"),
    (lambda: Box(t=(0, 1)).boundary(), "no coordinate but time"),
    (lambda: BOX.point(x=0), "needs a value for each of x, y, t.*is at"),
    (lambda: BOX.at(), "needs a value of at least one coordinate"),
    (lambda: BOX.at(x=7), "x=7 lies outside .*choose x from -1 to 3"),
    (lambda: BOX.at(z=7), "no coordinate 'z'"),
    (lambda: BOX.point(x=0, y=0, t=5), "lies outside"),
    (lambda: BOX.periodic("z"), "no coordinate 'z'"),
    (lambda: BOX.grid({"x": 5}), "needs a size for each of x, y, t"),
    (lambda: BOX.grid(1), "at least 2"),
    (lambda: BOX.grid({"x": 5, "y": 2.5, "t": 3}), "whole numbers"),
    (lambda: BOX.grid(True), "whole numbers"),
    (lambda: BOX.grid("9"), "whole numbers"),
    (lambda: BOX.grid(None), "whole numbers"),
]


@pytest.mark.parametrize(("make", "message"), BAD_REGIONS)
def test_regions_and_grids_that_are_not_there_are_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
