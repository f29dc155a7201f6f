"""Conditions that are built in hold to round-off for any network, and only those are built in that can be."""

from collections.abc import Callable
from functools import partial as bind

import pytest
import torch
from helpers.shipped import SHIPPED
from helpers.small import Decay, points_of
from torch import Tensor

import pinn
from pinn import MLP, Stage
from pinn.derivatives import partial
from pinn.derivatives.taylor import Reverse, choose
from pinn.domains import Box, Points, Region
from pinn.errors import InputError
from pinn.evaluation import built_in_residuals
from pinn.hard_conditions import find_conditions
from pinn.jacobian import residual_jacobian
from pinn.model import Model
from pinn.networks import PeriodicInputs, RandomFeatures
from pinn.optimizers import LevenbergMarquardt
from pinn.problems import Burgers, Cavity, Constraint, Heat2D, KdV, Poisson, Problem, Wave
from pinn.solution import build_model

BUILT_IN = {
    "advection": {"ring", "initial"},
    "allen_cahn": {"ring.value", "ring.slope"},
    "arrhenius": {"surface"},
    "bratu": {"walls"},
    "burgers": {"initial", "walls"},
    "cahn_hilliard": {"ring.value", "ring.slope", "ring.curvature", "ring.third", "initial"},
    "cavity": {"lid.u", "lid.v", "walls.u", "walls.v", "floor.u", "floor.v"},
    "ginzburg_landau": {"ring.u", "ring.v", "ring.u_slope", "ring.v_slope", "initial.u", "initial.v"},
    "gray_scott": {"ring.u", "ring.v", "ring.u_slope", "ring.v_slope", "initial.u", "initial.v"},
    "burgers_2d": {"initial.u", "initial.v", "walls.u", "walls.v"},
    "fisher": {"initial", "walls"},
    "heat": {"initial", "walls"},
    "heat2d": {"initial", "walls"},
    "helmholtz": {"boundary"},
    "kdv": {"ring.value", "ring.slope", "ring.curvature", "initial"},
    "klein_gordon": {"initial.value", "initial.velocity", "walls"},
    "kovasznay": {"sides.u", "sides.v"},
    "kuramoto_sivashinsky": {"ring.value", "ring.slope", "ring.curvature", "ring.third", "initial"},
    "duffing": {"initial.value", "initial.speed"},
    "lorenz": {"initial.x", "initial.y", "initial.z"},
    "lotka_volterra": {"initial.prey", "initial.predators"},
    "robertson": {"initial.a", "initial.b", "initial.c"},
    "schrodinger": {"ring.u", "ring.v", "ring.u_slope", "ring.v_slope", "initial.v"},
    "van_der_pol": {"initial.value", "initial.speed"},
    "poisson": {"boundary"},
    "poisson_100d": set(),
    "poisson_5d": set(),
    "poisson_multiscale": {"boundary"},
    "sine_gordon": {"initial.value", "initial.velocity", "walls"},
    "taylor_green": {
        *(f"ring_{side}.{row}" for side in "xy" for row in ("u", "v", "p", f"u_{side}", f"v_{side}")),
        *("initial.u", "initial.v"),
    },
    "thin_fin": {"base"},
    "wave": {"initial.value", "initial.velocity", "walls"},
}
"""By problem; the kinks in the initial values of Allen-Cahn and Schrödinger at the seam are not periodic."""


def hard_model(problem: Problem) -> Model:
    """A model with a random network of order one and everything built in that can be."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = bind(MLP, width=8, depth=2)
        return build_model(problem, network, torch.float64, find_conditions(problem).conditions)


def leaves(points: Points) -> Points:
    return {name: values.detach().requires_grad_() for name, values in points.items()}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_conditions_of_every_problem_hold_for_a_random_network(name: str) -> None:
    model = hard_model(SHIPPED[name].problem())
    assert model.hard.rows == BUILT_IN[name]
    for row, values in built_in_residuals(model).items():
        # Round-off of fields of order one; second derivatives of the network's third harmonic are a hundred times that.
        assert values.abs().max() < 1e-11, row


def test_every_problem_that_ships_is_tested_here() -> None:
    assert BUILT_IN.keys() == SHIPPED.keys()


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_other_row_of_a_condition_is_named_with_its_reason(name: str) -> None:
    problem = SHIPPED[name].problem()
    found = find_conditions(problem)
    model = hard_model(problem)
    left = {row for constraint, points in points_of(problem).items() for row in model(constraint, leaves(points))}
    assert not left & BUILT_IN[name]
    assert {row for row in left if not row.startswith("equation")} == found.soft.keys()
    assert all(row in found.describe() for row in (*BUILT_IN[name], *found.soft))


def test_network_is_free_inside() -> None:
    """D N with D > 0 inside: the fields of two networks differ there."""
    problem = Wave()
    point = {"x": torch.tensor([0.3], dtype=torch.float64), "t": torch.tensor([0.4], dtype=torch.float64)}
    model = hard_model(problem)
    before = model.fields(point)["u"].item()
    with torch.no_grad():
        model.network.network.layers[-1].bias += 1
    # D = 4 · 0.3 · 0.7 · 0.4², by hand.
    assert model.fields(point)["u"].item() - before == pytest.approx(4 * 0.3 * 0.7 * 0.4**2, rel=1e-12)


def test_lift_is_the_interpolation_of_the_data() -> None:
    """With N = 0 the fields of the cavity are the lid's value times y, and nothing."""
    model = hard_model(Cavity())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    x, y = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fields = model.fields({"x": x, "y": y})
    torch.testing.assert_close(fields["u"], 4 * x * (1 - x) * y, rtol=1e-13, atol=1e-13)
    assert torch.equal(fields["v"], torch.zeros_like(x))


@pytest.mark.parametrize("problem", [Burgers(), KdV(), Heat2D()], ids=lambda problem: type(problem).__name__)
def test_engines_and_the_exact_jacobian_see_through_the_ansatz(problem: Problem) -> None:
    model = hard_model(problem)
    points = leaves(points_of(problem)["equation"])
    parameters = list(model.parameters())
    taylor = choose("taylor", lambda engine: model("equation", points, engine), parameters)
    assert taylor.name == "taylor"
    [(row, blocks)] = residual_jacobian(model, "equation", points).values()
    for engine in (Reverse(), taylor.engine):
        [value] = model("equation", points, engine).values()
        # Third derivatives of the harmonics are a thousand times the round-off of the fields.
        torch.testing.assert_close(value, row, rtol=1e-10, atol=1e-10)
        gradients = torch.autograd.grad(value[0], parameters)
        for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
            torch.testing.assert_close(blocks[name][0], gradient.flatten(), rtol=1e-9, atol=1e-9)


def test_residuals_are_those_of_the_fields_whatever_the_mode_of_the_caller() -> None:
    model = hard_model(Wave())
    points = points_of(Wave())["equation"]
    with_graph = model.fields(leaves(points))["u"]
    with torch.no_grad():
        without = model.fields(points)["u"]
    assert with_graph.requires_grad
    assert not without.requires_grad
    assert torch.equal(with_graph, without)


def test_periodic_inputs_are_periodic_with_all_derivatives() -> None:
    torch.manual_seed(0)
    network = PeriodicInputs(MLP(PeriodicInputs.seen(2, [1]), 1, width=6, depth=2), [1]).double()
    y = torch.rand(10, dtype=torch.float64)
    values = []
    for x in (-1.0, 1.0):
        end = torch.full_like(y, x).requires_grad_()
        u = network(torch.stack([y, end], dim=1))[:, 0]
        values.append([u, partial(u, end), partial(u, end, end), partial(u, end, end, end)])
    for lower, upper in zip(*values, strict=True):
        # sin π is not 0 but 1e-16, times (3π)³ for the third derivative.
        torch.testing.assert_close(lower, upper, rtol=1e-11, atol=1e-12)
    assert values[0][1].abs().max() > 1e-3


class Sides(Problem):
    """A problem of two fields on a box whose conditions are given by the test."""

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(self, region: Callable[[Box], Region], residual: Callable[..., Tensor]) -> None:
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor(2.0))
        self.domain = Box(x=(-1, 2), t=(1, 3))
        self.region, self.residual = region, residual

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, lambda u, v, x, t: partial(u, t) + partial(v, x)),
            "start": Constraint(self.domain.face(t=1), lambda u, x: u - x**2),
            "side": Constraint(self.region(self.domain), self.residual),
        }


def left(box: Box) -> Region:
    return box.face(x=-1)


SOFT = [
    (left, lambda v, x: partial(v, x), "it takes derivatives of v"),
    (left, lambda v, x: v + 0.1 * partial(v, x), "it takes derivatives of v"),
    (left, lambda v, t: v - partial(v, t), "it takes derivatives of v"),
    (left, lambda v: v + 0.01 * v**2, "it is not linear in v"),
    (left, lambda u, v: u - v, "it joins several fields"),
    (left, lambda u, v: v * (1 + u), "it joins several fields"),
    (left, lambda v, t: t * v - 1, "its factor before v is not constant"),
    (left, lambda u, t: u - t - 1, "its data do not meet those of start"),
    (lambda box: box.face(t=1), lambda v, t: partial(v, t), "there is no initial value of v built in beside it"),
    (lambda box: box.face(t=3), lambda u, t: partial(u, t), "it takes derivatives of u"),
    (lambda box: box.point(x=0, t=1), lambda v: v, "it does not hold on faces of the box"),
    (lambda box: box.periodic("x"), lambda v, v_image: v - v_image, "not every field is periodic in x"),
    (
        lambda box: box.periodic("x"),
        lambda u, v, u_image, v_image: u + u_image + v - v_image,
        "it does not vanish for every field that is periodic in x",
    ),
]


@pytest.mark.parametrize(("region", "residual", "reason"), SOFT, ids=[reason for *_, reason in SOFT])
def test_what_cannot_be_built_in_stays_soft_and_is_named(
    region: Callable[[Box], Region], residual: Callable[..., Tensor], reason: str
) -> None:
    found = find_conditions(Sides(region, residual))
    assert found.soft == {"side": reason}
    assert [condition.row for condition in found.conditions] == ["start"]


HARD = [
    (left, lambda u, t: 3 * (t**2 - u)),
    (lambda box: box.boundary("x"), lambda u, x, t, n_x: 2 * u - 2 * x**2 - (t - 1) * n_x),
    (lambda box: box.face(t=1), lambda u, x, t: partial(u, t) - torch.exp(x)),
    (lambda box: box.face(t=3), lambda u, x: -u + torch.cos(x)),
    (lambda box: box.boundary("x", "t"), lambda v, x, t: v - torch.exp(x * t)),
]


@pytest.mark.parametrize(("region", "residual"), HARD)
def test_values_and_velocities_of_any_factor_are_built_in(
    region: Callable[[Box], Region], residual: Callable[..., Tensor]
) -> None:
    model = hard_model(Sides(region, residual))
    assert model.hard.rows == {"start", "side"}
    for row, values in built_in_residuals(model).items():
        # Round-off of fields of order exp(6).
        assert values.abs().max() < 1e-11, row


def test_unknown_coefficients_stay_in_the_objective() -> None:
    class Scaled(Sides):
        def __init__(self) -> None:
            super().__init__(left, self.scaled)

        def scaled(self, v: Tensor) -> Tensor:
            return v - self.strength

    assert find_conditions(Scaled()).soft == {"side": "an unknown coefficient enters"}
    # One that only the equation has does no harm.
    assert [condition.row for condition in find_conditions(Decay()).conditions] == ["initial"]


def test_an_equation_that_is_not_periodic_keeps_its_ring_soft() -> None:
    """x u_x is not the same at both ends, so that the slope of the solution has a kink at the seam."""

    class Kinked(KdV):
        def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
            return partial(u, t) + x * partial(u, x)

    found = find_conditions(Kinked())
    assert {found.soft[row] for row in BUILT_IN["kdv"] if row != "initial"} == {"the equation is not periodic in x"}


def test_an_ansatz_of_the_problem_takes_the_place() -> None:
    class Built(Poisson):
        def ansatz(self, u: Tensor, x: Tensor, y: Tensor) -> Tensor:
            return x * (1 - x) * y * (1 - y) * u

    found = find_conditions(Built())
    assert (found.conditions, found.soft) == ((), {"boundary": "the problem has an ansatz of its own"})


def solve_shortly(hard: object, **more: object) -> pinn.Solution:
    stages = {"lm": Stage(LevenbergMarquardt, steps=2, block=2)}
    settings = {"network": bind(MLP, width=5, depth=1), "stages": stages, "points": 60, "boundary_points": 10}
    return pinn.solve(KdV(), hard=hard, **{**settings, **more}, grid=5, estimate=False, progress=False)


def test_a_solution_is_loaded_with_its_conditions(tmp_path) -> None:
    solution = solve_shortly(True, weights={"initial": 10.0}, counts={"initial": 20})
    solution.save(tmp_path / "kdv.pt")
    loaded = pinn.load(tmp_path / "kdv.pt")
    assert loaded.model.hard.rows == BUILT_IN["kdv"]
    assert torch.equal(loaded(x=[0.1, 0.7], t=0.5)["u"], solution(x=[0.1, 0.7], t=0.5)["u"])
    # What is built in is neither sampled nor trained, and measured all the same.
    assert "residual/initial" not in solution.history[0]
    assert solution.metrics["residual_rms"]["initial"] < 1e-15


def test_hard_false_builds_nothing_in_and_nonsense_is_refused() -> None:
    assert solve_shortly(False).recipe["hard"] == []
    with pytest.raises(InputError, match="hard must be true or false; it was given 'yes'"):
        solve_shortly("yes")


def test_random_features_keep_their_inputs() -> None:
    """Their scale was found for the inputs as they are, so that a ring stays soft."""
    solution = solve_shortly(True, network=bind(RandomFeatures, features=20, scale=2.0))
    assert [condition["row"] for condition in solution.recipe["hard"]] == ["initial"]
