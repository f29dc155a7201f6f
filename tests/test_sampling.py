"""Collocation points: where they lie, how many there are, and that a draw depends on its number alone."""

import pytest
import torch
from helpers.shipped import SHIPPED

from pinn.config import options
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems import Burgers, Constraint, Heat2D, Kovasznay, Poisson, Problem
from pinn.sampling import Collocation, Grid, ResidualAdaptive, Sampler, Sobol, Uniform

SAMPLERS: dict[str, Sampler] = {"sobol": Sobol(), "uniform": Uniform(), "grid": Grid(), "rad": ResidualAdaptive()}


def equal(first: dict[str, dict[str, torch.Tensor]], second: dict[str, dict[str, torch.Tensor]]) -> bool:
    return all(torch.equal(first[name][key], second[name][key]) for name in first for key in first[name])


def test_every_configured_sampler_is_tested_here() -> None:
    assert set(options("sampling")) <= set(SAMPLERS)


@pytest.mark.filterwarnings("ignore:boundary has 200 parts")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("problem", SHIPPED)
def test_points_are_where_the_constraints_hold(problem: str, sampler: str) -> None:
    made = SHIPPED[problem].problem()
    draw = Collocation(made, SAMPLERS[sampler], points=64, boundary_points=16)(0)
    assert list(draw) == list(made.constraints())
    for name, constraint in made.constraints().items():
        dimension = constraint.region.dimension
        count = len(draw[name][made.coordinates[0]])
        assert made.domain.contains(draw[name]).all()
        parts = len(constraint.region.parts)
        wanted = max(parts, {len(made.coordinates): 64, 0: 1}.get(dimension, 16))
        if sampler == "grid" and dimension:
            # A grid for each part; 64 and 16 are no powers of dimension 4, 5, 99 and 100.
            shares = constraint.region.shares(wanted)
            wanted = sum(int(share ** (1 / dimension) + 1e-9) ** dimension for share in shares)
        assert count == wanted


def test_every_face_has_a_grid_of_its_own() -> None:
    """A piece of one grid for all of them would lie in a sixth of each face."""
    cube = Heat2D()
    cube.domain = Box(x=(0, 1), y=(0, 1), t=(0, 1))
    cube.constraints = lambda: {"all": Constraint(cube.domain.boundary("x", "y", "t"), lambda u: u)}
    points = Collocation(cube, Grid(), 1, 54)(0)["all"]
    on_one_face = {name: values[points["n_y"] == 1] for name, values in points.items()}
    assert sorted(set(on_one_face["x"].tolist())) == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    assert sorted(set(on_one_face["t"].tolist())) == pytest.approx([1 / 6, 1 / 2, 5 / 6])


def test_too_few_points_for_the_faces_are_raised_and_that_is_said() -> None:
    with pytest.warns(UserWarning, match="boundary has 4 parts and is given 3 points; it takes 4, one for each"):
        collocation = Collocation(Poisson(), Sobol(), 10, 3)
    assert len(collocation(0)["boundary"]["x"]) == 4


def test_two_ends_of_an_interval_are_two_points_whatever_the_number() -> None:
    class Ends(Problem):
        coordinates, fields = ("x",), ("u",)

        def __init__(self) -> None:
            super().__init__()
            self.domain = Box(x=(0, 1))

        def constraints(self) -> dict[str, Constraint]:
            return {"ends": Constraint(self.domain.boundary(), lambda u: u)}

    assert Collocation(Ends(), Sobol(), 10, 400)(0)["ends"]["x"].tolist() == [0, 1]
    assert Collocation(Ends(), Sobol(), 10, 1)(3)["ends"]["x"].tolist() == [0, 1]


def test_thinned_points_keep_every_face() -> None:
    problem = Poisson()
    thin = Collocation(problem, Sobol(), 1000, 40).thinned(problem, 0.01)(0)
    assert {name: len(points["x"]) for name, points in thin.items()} == {"equation": 10, "boundary": 4}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_draw_is_a_function_of_seed_and_number(sampler: str) -> None:
    problem = Poisson()
    collocation = Collocation(problem, SAMPLERS[sampler], 50, 20, seed=3)
    seventh = collocation(7)
    for number in (0, 1, 2):
        collocation(number)
    torch.manual_seed(123)
    assert equal(collocation(7), seventh)
    assert equal(Collocation(problem, SAMPLERS[sampler], 50, 20, seed=3)(7), seventh)


@pytest.mark.parametrize("sampler", ["sobol", "uniform"])
def test_another_seed_or_number_gives_other_points(sampler: str) -> None:
    problem = Poisson()
    draw = Collocation(problem, SAMPLERS[sampler], 50, 50, seed=3)
    first = draw(0)["equation"]["x"]
    assert not torch.equal(first, draw(1)["equation"]["x"])
    assert not torch.equal(first, Collocation(problem, SAMPLERS[sampler], 50, 50, seed=4)(0)["equation"]["x"])


@pytest.mark.parametrize("sampler", ["sobol", "uniform"])
def test_constraints_on_regions_of_the_same_dimension_draw_apart(sampler: str) -> None:
    draw = Collocation(Burgers(), SAMPLERS[sampler], 50, 50)(0)
    # Both in [0, 1]: where on the initial line, and when at the walls.
    place, time = (draw["initial"]["x"] + 1) / 2, draw["walls"]["t"]
    assert (place - time).abs().max() > 1e-3


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    Collocation(Poisson(), Uniform(), 10, 10)(0)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("sampler", ["sobol", "grid"])
def test_designs_fill_the_square_evenly(sampler: str) -> None:
    """Each of 8 × 8 cells gets one of 64 points: 64 independent ones would miss (63/64)^64 = 37 % of the cells."""
    design = SAMPLERS[sampler].design(64, 2)
    cells = (design * 8).floor()
    assert len(torch.unique(cells, dim=0)) == 64


@pytest.mark.parametrize(
    ("count", "dimension", "cells"), [(1000, 3, 1000), (999, 3, 729), (10, 2, 9), (1, 2, 1), (3, 2, 1)]
)
def test_a_grid_takes_the_largest_that_fits(count: int, dimension: int, cells: int) -> None:
    design = Grid().design(count, dimension)
    assert design.shape == (cells, dimension)
    assert ((design > 0) & (design < 1)).all()


def test_dtype_and_counts_follow_what_was_asked() -> None:
    collocation = Collocation(Kovasznay(), Sobol(), 30, 12, counts={"sides": 5}).to(torch.float64)
    draw = collocation(0)
    assert {name: len(points["x"]) for name, points in draw.items()} == {"equation": 30, "sides": 5, "gauge": 1}
    assert all(value.dtype == torch.float64 for points in draw.values() for value in points.values())


BAD = [
    ({"points": 0}, "equation needs a whole number of points, at least 1; it was given 0"),
    ({"points": 2.5}, "equation needs a whole number"),
    ({"points": "many"}, "equation needs a whole number"),
    ({"boundary_points": -1}, "boundary needs a whole number"),
    ({"boundary_points": True}, "boundary needs a whole number"),
    ({"counts": {"walls": 5}}, "names walls; the constraints are equation, boundary"),
    ({"counts": {"boundary": 0}}, "boundary needs a whole number"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_counts_that_are_none_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Collocation(Poisson(), Sobol(), **{"points": 10, "boundary_points": 10, **change})


def test_adaptive_points_crowd_where_the_residual_is_large() -> None:
    """Residual 1 on a tenth of the domain and 0 elsewhere: that tenth pulls with 10 + 1 against 1 everywhere else."""
    adaptive = Collocation(Poisson(), ResidualAdaptive(pool=20), points=400, boundary_points=10)
    x = adaptive(0, lambda name, points: (points["x"] < 0.1).double())["equation"]["x"]
    share = (x < 0.1).double().mean().item()
    # Expected 11 / 20 with replacement; without, out of 20 times as many, less than a tenth under it. Measured 0.52.
    assert 0.45 < share < 0.6
    even = adaptive(0)["equation"]["x"]
    # Without a residual the points are those of the Sobol sequence: a tenth of them to within its discrepancy.
    assert (even < 0.1).double().mean().item() == pytest.approx(0.1, abs=0.01)


def test_adaptive_points_follow_from_draw_and_residual() -> None:
    adaptive = Collocation(Poisson(), ResidualAdaptive(), points=50, boundary_points=10)

    def residual(name: str, points: dict[str, torch.Tensor]) -> torch.Tensor:
        return points["x"] ** 2

    assert equal(adaptive(3, residual), adaptive(3, residual))
    assert not equal(adaptive(3, residual), adaptive(4, residual))


@pytest.mark.parametrize("arguments", [{"pool": 1}, {"pool": 2.5}, {"exponent": 0.0}, {"floor": 0.0}])
def test_adaptive_sampling_refuses_what_makes_no_sense(arguments: dict[str, float]) -> None:
    with pytest.raises(InputError, match="ResidualAdaptive"):
        ResidualAdaptive(**arguments)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_more_sets_of_points_begin_with_the_first(sampler: str) -> None:
    """Sets are drawn anew, but for the grid, which is always the same."""
    problem = Kovasznay()
    collocation = Collocation(problem, SAMPLERS[sampler], 30, 10).double()
    one, three = collocation(5), collocation(5, sets=3)
    for name, points in one.items():
        count = len(points["x"])
        if problem.constraints()[name].region.dimension == 0:
            assert len(three[name]["x"]) == 1
            continue
        assert len(three[name]["x"]) == 3 * count
        assert torch.equal(three[name]["x"][:count], points["x"])
        again = torch.equal(three[name]["x"][count : 2 * count], points["x"])
        # The lower and the upper wall share their x, so both coordinates have to be looked at.
        again &= torch.equal(three[name]["y"][count : 2 * count], points["y"])
        assert again is (sampler == "grid")
