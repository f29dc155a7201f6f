"""The Jacobian of the residuals equals what autograd says of one row after another."""

import functools
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from helpers.networks import NETWORKS, UNFOLLOWED
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from helpers.small import Decay, Ring, Rosenbrock, model_of, points_of
from torch import Tensor, nn

from pinn import objective as objective_module
from pinn.derivatives import divergence, gradient, laplacian, partial
from pinn.derivatives.taylor import Taylor
from pinn.domains import Box
from pinn.engines import choose_engines
from pinn.errors import InputError
from pinn.hard_conditions import choose_conditions
from pinn.jacobian import residual_jacobian
from pinn.jacobian import rows as jacobian_rows
from pinn.model import Model
from pinn.networks import Slabs
from pinn.objective import Objective
from pinn.problems import Constraint, Heat, Kovasznay, Poisson, Problem
from pinn.solution import build_model
from pinn.weighting import Fixed


class Everything(Problem):
    """Residuals of every kind: values, derivatives to third order, products, systems, images, normals, coefficients."""

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(-1, 1), t=(0, 2))
        self.speed, self.decay = nn.Parameter(torch.tensor(0.7)), nn.Parameter(torch.tensor(-0.4))
        self.known = nn.Parameter(torch.tensor([0.3, 0.2]), requires_grad=False)
        self.fixed = nn.Parameter(torch.tensor(1.3), requires_grad=False)
        self.register_buffer("data", torch.tensor([0.1, 0.4, 0.2]))

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "flux": Constraint(self.domain.boundary("x"), self.flux),
            "start": Constraint(
                self.domain.face(t=0), lambda u, v, x: u * torch.exp(v) - self.data.sum() * torch.sin(x)
            ),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
            "point": Constraint(self.domain.point(x=0.3, t=1), lambda u, v: u**2 + self.decay * v),
        }

    def equation(self, u: Tensor, v: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        u_x, u_t = gradient(u, (x, t))
        return {
            "third": u_t + self.speed * u * u_x + self.fixed * partial(u, x, x, x),
            "mixed": partial(u, x, t) * v + self.known[1] * laplacian(v, (x, t)),
            "product": partial(u * v, x, x) - self.decay * torch.tanh(u_t) * self.speed,
            "first": divergence((u, v), (x, t)),
            "value": u - v**2,
        }

    def flux(self, u: Tensor, v: Tensor, x: Tensor, n_x: Tensor) -> Tensor:
        return n_x * partial(u, x) - self.speed * v

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        return {"value": u_image - u, "slope": partial(u_image, x) - self.decay * partial(u, x)}


class Bent(Everything):
    """The same with fields that an ansatz has changed, also by a coefficient."""

    def ansatz(self, u: Tensor, v: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        return {"u": torch.sin(x) + t * u * v, "v": self.speed * torch.exp(0.1 * v)}


def row_by_row(objective: Objective) -> Tensor:
    """The definition: the gradient of each row by itself, of residuals by nested reverse mode."""
    engines, objective.model.engines = objective.model.engines, {}
    rows = {name: row * objective.scale(name) for name, row in objective.residuals().items()}
    objective.model.engines = engines
    gradients = [
        torch.autograd.grad(each, objective.parameters, retain_graph=True, materialize_grads=True)
        for row in rows.values()
        for each in row.unbind()
    ]
    return torch.stack([torch.cat([g.flatten() for g in gradient]) for gradient in gradients])


def check(
    model: Model, problem: Problem, dtype: torch.dtype = torch.float64, count: int = 12, only: str | None = None
) -> None:
    points = points_of(problem, count, dtype)
    objective = Objective(model, {only: points[only]} if only else points, Fixed())
    matrix, rows = objective.jacobian()
    expected = row_by_row(objective)
    assert expected.abs().max() > 0
    # Both are sums of some hundred products, in another order: round-off beside the largest entry.
    tolerance = 1e3 * torch.finfo(dtype).eps
    torch.testing.assert_close(matrix, expected, rtol=0, atol=tolerance * expected.abs().max().item())
    torch.testing.assert_close(rows, objective.vector().detach(), rtol=0, atol=tolerance * rows.abs().max().item())


@pytest.fixture
def only_followed() -> Iterator[None]:
    """Nothing is computed row by row, which says so by a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="the Jacobian is computed row by row")
        yield


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.usefixtures("only_followed")
def test_every_problem(name: str) -> None:
    problem = SHIPPED[name].problem()
    check(model_of(problem), problem)


@pytest.mark.parametrize("count", sampled([2, 1, 5], 3))
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("only_followed")
def test_every_network_and_every_residual(name: str, count: int) -> None:
    """As many points as tokens, as units, or none of both."""
    problem = Everything()
    check(model_of(problem, NETWORKS[name]), problem, count=count)


JETS = ["mlp", "gated", "tied", "frozen", "frozen bias", "normalised", "tokens behind", "anchors", "refined"]
"""Networks with an operation of each kind for which jets have rules."""


@pytest.mark.parametrize("count", sampled([2, 1, 5], 3))
@pytest.mark.parametrize("name", JETS)
@pytest.mark.usefixtures("only_followed")
def test_every_residual_by_jets(name: str, count: int) -> None:
    problem = Everything()
    model = model_of(problem, NETWORKS[name])
    model.engines = choose_engines("taylor", model, points_of(problem, 1)).by_constraint
    assert all(isinstance(engine, Taylor) for engine in model.engines.values())
    check(model, problem, count=count)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_by_the_engine_that_is_chosen(name: str) -> None:
    problem = Kovasznay()
    model = model_of(problem, NETWORKS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jets have no rules for some of these networks, which is said elsewhere
        model.engines = choose_engines("auto", model, points_of(problem, 1), jacobian=True).by_constraint
    check(model, problem, count=5, only="equation")


@pytest.mark.parametrize("name", sampled([*NETWORKS, *UNFOLLOWED], 2))
@pytest.mark.filterwarnings("ignore:the Jacobian is computed row by row")
def test_many_points(name: str) -> None:
    problem = Heat()
    check(model_of(problem, {**NETWORKS, **UNFOLLOWED}[name]), problem, count=64, only="equation")


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", UNFOLLOWED)
def test_what_cannot_be_followed_is_computed_row_by_row_and_that_is_said(
    name: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jacobian_rows, "POINTS_AT_A_TIME", 2)
    problem = Everything()
    with pytest.warns(UserWarning, match="row by row, which takes long, for the network cannot be followed: "):
        check(model_of(problem, UNFOLLOWED[name]), problem, count=count)


@pytest.mark.parametrize("network", ["mlp", "gated", "filled"])
@pytest.mark.parametrize("problem", [Bent, Decay, Ring, Rosenbrock])
@pytest.mark.filterwarnings("ignore:the Jacobian is computed row by row")
def test_unknown_coefficients_images_and_an_ansatz(problem: type[Problem], network: str) -> None:
    made = problem()
    check(model_of(made, {**NETWORKS, **UNFOLLOWED}[network]), made, count=5)


@pytest.mark.parametrize("part", ["trunk", "features"])
@pytest.mark.parametrize("slab", [0, 1, 2])
@pytest.mark.usefixtures("only_followed")
def test_a_slab(slab: int, part: str) -> None:
    problem = Heat()
    model = model_of(problem, slabs)
    model.select(part, slab)
    check(model, problem, count=5)


PERMUTED: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "flip": (lambda h: h.flip(0), lambda h: h.flip(0)),
    "by index": (lambda h: h[torch.arange(len(h)).flip(0)], lambda h: h[torch.arange(len(h)).flip(0)]),
    "roll": (lambda h: h.roll(1, 0), lambda h: h.roll(-1, 0)),
    "halves exchanged": (lambda h: torch.cat([h[1:], h[:1]]), lambda h: torch.cat([h[-1:], h[:-1]])),
    "index select": (lambda h: h.index_select(0, torch.arange(len(h)).flip(0)), lambda h: h.flip(0)),
    "product": (lambda h: torch.eye(len(h), dtype=h.dtype).flip(0) @ h, lambda h: h.flip(0)),
    "written into": (lambda h: torch.zeros_like(h).copy_(h.flip(0)), lambda h: h.flip(0)),
    "transposed": (lambda h: h.T.flip(1).T, lambda h: h.flip(0)),
    "rows apart": (lambda h: torch.stack(h.unbind()[::-1]), lambda h: h.flip(0)),
}


class Permuted(nn.Module):
    """Points that are permuted before a layer and put back after it, so that only the layer sees it."""

    def __init__(self, inputs: int, outputs: int, name: str) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(inputs, 5), nn.Linear(5, 5), nn.Linear(5, outputs)
        self.there, self.back = PERMUTED[name]

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        return self.last(self.back(torch.tanh(self.middle(self.there(h)))))


@pytest.mark.parametrize("name", PERMUTED)
def test_a_layer_that_sees_points_in_another_order(name: str) -> None:
    """As many points as units, so that no shape tells."""
    problem = Kovasznay()
    check(model_of(problem, functools.partial(Permuted, name=name)), problem, count=5, only="equation")


def test_all_slabs_together() -> None:
    problem = Heat()
    model = model_of(problem, slabs)
    with pytest.warns(UserWarning, match="row by row"):
        check(model, problem, count=5)


def slabs(inputs: int, outputs: int) -> nn.Module:
    network = Slabs(inputs, outputs, slabs=3, time=1, width=4, depth=2, features=7)
    for each in network.networks:
        nn.init.normal_(each.output.weight)
    return network


@pytest.mark.parametrize("name", ["heat", "burgers", "wave", "kdv"])
@pytest.mark.usefixtures("only_followed")
def test_conditions_that_are_built_in(name: str) -> None:
    problem = SHIPPED[name].problem()
    found = choose_conditions(True, problem, fixed_features=False)
    assert found is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(problem, NETWORKS["mlp"], torch.float64, found.conditions)
    check(model, problem, count=5)


@pytest.mark.parametrize("name", ["mlp", "tokens behind", "gated"])
@pytest.mark.usefixtures("only_followed")
def test_float32(name: str) -> None:
    problem = Poisson()
    check(model_of(problem, NETWORKS[name], dtype=torch.float32), problem, torch.float32)


@pytest.mark.usefixtures("only_followed")
def test_a_network_of_which_nothing_is_trained() -> None:
    """The coefficients alone."""
    problem = Everything()
    model = model_of(problem)
    model.network.requires_grad_(False)
    check(model, problem, count=5)


@pytest.mark.parametrize("engine", ["reverse", "taylor"])
@pytest.mark.parametrize("name", ["mlp", "gated", "tokens in front", "anchors"])
@pytest.mark.usefixtures("only_followed")
@pytest.mark.filterwarnings("ignore:engine=reverse")
def test_everything_is_made_where_the_points_are(name: str, engine: str) -> None:
    """A device that computes nothing refuses to meet another one, as a GPU does."""
    problem = Everything()
    model = model_of(problem, NETWORKS[name])
    engines = choose_engines(engine, model, points_of(problem, 1)).by_constraint
    model.to("meta").engines = engines
    for constraint, quantities in points_of(problem, 5).items():
        there = {key: x.to("meta").requires_grad_(key in problem.coordinates) for key, x in quantities.items()}
        for row, blocks in residual_jacobian(model, constraint, there).values():
            assert {tensor.device.type for tensor in (row, *blocks.values())} == {"meta"}


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


@pytest.mark.parametrize("name", ["mlp", "gated", "filled"])
@pytest.mark.filterwarnings("ignore:the Jacobian is computed row by row")
def test_no_gradient_is_left_behind(name: str) -> None:
    """The Jacobian is numbers: it neither keeps a graph nor touches the gradients of the parameters."""
    problem = Decay()
    model = model_of(problem, {**NETWORKS, **UNFOLLOWED}[name])
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
