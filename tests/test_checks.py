"""What would be silently wrong is found before a training begins, and nothing else is."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.networks import NETWORKS, UNFOLLOWED
from helpers.shipped import SHIPPED
from helpers.small import Decay, Ring, Rosenbrock, model_of, points_of
from torch import Tensor, nn

import pinn
from pinn.checks import check, check_jacobian
from pinn.derivatives import laplacian, partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.jacobian import listening
from pinn.networks import RandomFeatures
from pinn.problems import Constraint, Heat, Poisson, PoissonParabola, Problem

Equation = Callable[..., Any]


class Plane(Problem):
    """An equation in two coordinates for two fields, to be spoilt."""

    coordinates, fields = ("x", "t"), ("u", "v")

    def __init__(self, equation: Equation, where: str = "interior") -> None:
        super().__init__()
        self.domain = Box(x=(-3, 3), t=(0, 1))
        self.equation, self.where = equation, where

    def constraints(self) -> dict[str, Constraint]:
        regions = {"interior": self.domain.interior, "sides": self.domain.boundary(), "start": self.domain.face(t=0)}
        return {
            "equation": Constraint(regions[self.where], self.equation),
            "other": Constraint(self.domain.face(t=0), lambda u, v: u * v - 1),
        }


def check_equation(
    equation: Equation,
    network: Any = None,
    dtype: torch.dtype = torch.float64,
    where: str = "interior",
    count: int = 40,
) -> None:
    problem = Plane(equation, where).to(dtype)
    check(model_of(problem, network, dtype), points_of(problem, count, dtype))


COUPLED: dict[str, Equation] = {
    "mean": lambda u: (6 * u.mean() - 1).expand_as(u),
    "mean of a derivative": lambda u, x: partial(u, x).mean() - u,
    "derivative of a mean": lambda u, x: partial((u * x).mean() * u, x),
    "mean behind a large constant": lambda u: (u.mean() - 101325).expand_as(u),
    "small part": lambda u, v: u + 1e-6 * v.mean(),
    "product of fields": lambda u, v: u * v.mean(),
    "detached mean": lambda u: u - u.detach().mean(),
    "size": lambda u: u / u.abs().max(),
    "largest coordinate": lambda u, x: u * x / x.max(),
    "centred coordinate": lambda u, x: u * (x - x.mean()),
    "standard deviation": lambda u: u / u.std(),
    "first": lambda u: u - u[0],
    "a certain one": lambda u: u - u[10],
    "mirror": lambda u: u - u.flip(0),
    "neighbour": lambda u: u - u.roll(1),
    "far neighbour": lambda u: u - u.roll(100),
    "pairs": lambda u: u - u.reshape(-1, 2).flip(1).reshape(-1),
    "running sum": lambda u: u.cumsum(0),
    "order": lambda u, v: u.sort().values - v,
    "rank": lambda u, x: u * x.argsort().argsort(),
    "softmax": lambda u: torch.softmax(u, 0) * u,
    "distances": lambda u, x: u * (x.unsqueeze(1) - x.unsqueeze(0)).abs().sum(1),
    "number": lambda u: u * len(u),
    "position": lambda u: u * torch.arange(len(u), dtype=u.dtype),
    "system": lambda u, v: {"good": u - v, "bad": u - v.median()},
}


@pytest.mark.parametrize("name", COUPLED)
def test_a_residual_that_couples_points_is_refused(name: str) -> None:
    row = "equation.bad" if name == "system" else "equation"
    with pytest.raises(InputError, match=f"^Plane: residual '{row}' couples points: without some of them it "):
        check_equation(COUPLED[name])


@pytest.mark.parametrize("name", sorted(set(COUPLED) - {"size", "standard deviation"}))
def test_where_all_fields_are_zero_at_the_start_too(name: str) -> None:
    """Their mean is zero then, whatever the points are."""
    with pytest.raises(InputError, match="couples points"):
        check_equation(COUPLED[name], functools.partial(RandomFeatures, features=20))


@pytest.mark.parametrize("name", sorted(set(COUPLED) - {"small part"}))
def test_in_float32_too(name: str) -> None:
    """But for what is lost in half of its digits."""
    with pytest.raises(InputError, match="couples points"):
        check_equation(COUPLED[name], dtype=torch.float32)


@pytest.mark.parametrize("name", sorted(set(COUPLED) - {"a certain one", "pairs", "far neighbour", "order"}))
@pytest.mark.parametrize("count", [2, 3])
def test_at_two_or_three_points_too(name: str, count: int) -> None:
    with pytest.raises(InputError, match="couples points"):
        check_equation(COUPLED[name], count=count)


@pytest.mark.parametrize("where", ["sides", "start"])
def test_on_every_region(where: str) -> None:
    with pytest.raises(InputError, match="residual 'equation' couples points"):
        check_equation(COUPLED["centred coordinate"], where=where)


INDEPENDENT: dict[str, Equation] = {
    "large": lambda u, x: 1e12 * partial(u, x, x) - 1e12,
    "small": lambda u, x: 1e-12 * partial(u, x, x) - 1e-12,
    "large and small": lambda u, v, x: {"stress": 2e11 * partial(u, x), "flow": 1e-9 * v},
    "cancelling": lambda u, x: (u + 1e8) - 1e8,
    "steps": lambda u, x: torch.where(x < 0.3, 1.0, 5.0) * u + torch.floor(3 * x),
    "kinks": lambda u, x: u.abs() * (x - 0.5).abs() - u.relu(),
    "rounding": lambda u, x: torch.round(10 * u.detach()) * u,
    "roots": lambda u, x, t: u * torch.sqrt(t) + partial(u, x),
    "no number somewhere": lambda u, x: torch.where(x < 4, u, torch.log(-(u.detach() ** 2))),
    "vanishing": lambda u, v: {"nothing": (u - u) * v, "something": u - v},
    "divergence of a curl": lambda u, x, t: {"nothing": partial(u, x, t) - partial(u, t, x), "something": u},
    "round-off alone": lambda u, v: {"nothing": (0.1 * u + 0.2 * u) - 0.3 * u, "something": u - v},
    "powers": lambda u, v: torch.exp(3 * u) * v**3,
    "third": lambda u, x, t: partial(u, x, x, x) + partial(u, x, t) + laplacian(u, (x, t)),
    "same for all points": lambda u, x: u * torch.linspace(0, 1, 5, dtype=u.dtype).sum(),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", INDEPENDENT)
def test_a_residual_of_each_point_by_itself_is_not(name: str, dtype: torch.dtype) -> None:
    for where in ("interior", "start"):
        check_equation(INDEPENDENT[name], dtype=dtype, where=where)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points(count: int) -> None:
    check_equation(INDEPENDENT["third"], count=count)


def test_a_single_point_couples_with_none() -> None:
    problem = Rosenbrock()
    check(model_of(problem), points_of(problem))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", SHIPPED)
def test_no_problem_that_ships_is_refused(name: str, dtype: torch.dtype) -> None:
    # Ten dimensions are as good as a hundred.
    problem = (PoissonParabola(10) if name == "poisson_100d" else SHIPPED[name].problem()).to(dtype)
    check(model_of(problem, dtype=dtype), points_of(problem, 40, dtype))


@pytest.mark.parametrize("name", [*NETWORKS, *sorted(set(UNFOLLOWED) - {"hidden"})])
@pytest.mark.filterwarnings("ignore:the Jacobian is computed row by row")
def test_no_network_of_each_point_by_itself_is_refused(name: str) -> None:
    problem = Heat()
    check(model_of(problem, {**NETWORKS, **UNFOLLOWED}[name]), points_of(problem))


def test_a_condition_that_holds_for_every_network_leaves_round_off() -> None:
    """Its rows differ in all their digits from one evaluation to the next."""
    problem = Ring()
    check(model_of(problem, NETWORKS["periodic"]), points_of(problem))


class Between(nn.Module):
    """Something that is done to all points between two layers."""

    def __init__(self, inputs: int, outputs: int, function: Callable[[Tensor], Tensor], zero: bool = False) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(inputs, 4), nn.Linear(4, outputs), function
        if zero:
            nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.function(self.first(x))))


COUPLING: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "batch norm": lambda: nn.BatchNorm1d(4),
    "mean": lambda: lambda h: h - h.mean(0),
    "small part": lambda: lambda h: h + 1e-5 * h.mean(0),
    "attention over points": lambda: lambda h: torch.softmax(h @ h.T, 1) @ h,
    "softmax over points": lambda: lambda h: torch.softmax(h, 0),
    "running sum": lambda: lambda h: h.cumsum(0),
    "neighbour": lambda: lambda h: h.roll(1, 0),
    "largest": lambda: lambda h: h / h.amax(0),
    "last one": lambda: lambda h: h + h[-1:],
    "number": lambda: lambda h: h / len(h),
    "one point alone": lambda: lambda h: h if len(h) > 1 else 2 * h,
    "convolution over points": lambda: lambda h: nn.functional.avg_pool1d(h.T, 3, 1, 1).T,
}


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("name", COUPLING)
def test_a_network_that_couples_points_is_refused(name: str, zero: bool) -> None:
    """Also behind a last layer that starts with zeros."""
    with pytest.raises(InputError, match=r"^the network couples the points of a batch.*BatchNorm"):
        check_equation(INDEPENDENT["third"], functools.partial(Between, function=COUPLING[name](), zero=zero))


@pytest.mark.parametrize("layer", [nn.LayerNorm(4), nn.BatchNorm1d(4).eval(), nn.Dropout(0.5).eval()], ids=str)
def test_a_layer_that_does_not_is_not(layer: nn.Module) -> None:
    check_equation(INDEPENDENT["third"], functools.partial(Between, function=layer))


class Fragile(nn.Module):
    """Fields that are no numbers as soon as a parameter is moved."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer, self.one = nn.Linear(inputs, outputs), nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * torch.sqrt(1 - (1e6 * (self.one - 1)) ** 2)


def test_parameters_that_cannot_be_drawn_anew_stay_as_they_are() -> None:
    check_equation(INDEPENDENT["powers"], Fragile)
    with pytest.raises(InputError, match="residual 'equation' couples points"):
        check_equation(COUPLED["mean"], Fragile)


def test_what_is_random_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the network is random: at the same points it changed by .*Dropout"):
        check_equation(INDEPENDENT["third"], functools.partial(Between, function=nn.Dropout(0.5)))
    with pytest.raises(InputError, match=r"^Plane: residual 'equation' is random: at the same points it changed by"):
        check_equation(lambda u: u + torch.randn_like(u))


def test_an_ansatz_that_couples_points_is_refused() -> None:
    class Centred(Plane):
        def ansatz(self, u: Tensor) -> Tensor:
            return u - u.mean()

    problem = Centred(INDEPENDENT["third"])
    with pytest.raises(InputError, match=r"^the ansatz of Centred couples the points of a batch"):
        check(model_of(problem), points_of(problem))


UNUSABLE = [
    (lambda u, x: partial(u, x).detach(), "does not depend on the network"),
    (lambda u, x: x * 2, "does not depend on the network"),
    (lambda u, x: u / 0.0, "is not finite at the start"),
    (lambda u, x: torch.log(-1 - u**2), "is not finite at the start"),
]


@pytest.mark.parametrize(("equation", "message"), UNUSABLE)
def test_a_residual_that_cannot_be_trained_is_refused(equation: Equation, message: str) -> None:
    with pytest.raises(InputError, match=f"residual 'equation' {message}"):
        check_equation(equation)


class OfTwo(Problem):
    """Two fields, of which an equation may leave one out."""

    coordinates, fields = ("x",), ("u", "v")

    def __init__(self, equation: Equation) -> None:
        super().__init__()
        self.domain, self.equation = Box(x=(0, 1)), equation

    def constraints(self) -> dict[str, Constraint]:
        return {"equation": Constraint(self.domain.interior, self.equation)}


@pytest.mark.parametrize(
    "equation", [lambda u: u - 1, lambda u, v: u + v.detach(), lambda u, v, x: partial(u, x) + 0 * x * len([v])]
)
def test_a_field_that_no_residual_uses_is_named(equation: Equation) -> None:
    problem = OfTwo(equation)
    with pytest.raises(InputError, match=r"^OfTwo: no residual depends on v; name it in a constraint, or take it out"):
        check(model_of(problem), points_of(problem))


@pytest.mark.parametrize(
    "equation",
    [
        lambda u, v: u * v,
        lambda u, v, x: u + partial(v, x),
        lambda u, v, x: u + partial(v, x, x, x),
        lambda u, v: {"one": u, "two": v**2},
    ],
)
@pytest.mark.parametrize("network", [None, functools.partial(RandomFeatures, features=9)], ids=["mlp", "zeros"])
def test_a_field_that_is_used_is_not(equation: Equation, network: Any) -> None:
    """Also where its factor is zero at the start, and where only its derivatives are used."""
    problem = OfTwo(equation)
    check(model_of(problem, network), points_of(problem))


class Coefficients(Problem):
    """u' + k u = 0 with whatever is made of two unknown coefficients for k."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self, combine: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.one, self.two = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor(0.5))
        self.fixed = nn.Parameter(torch.tensor([2.0, 3.0]), requires_grad=False)
        self.domain, self.combine = Box(x=(0, 1)), combine

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(
                self.domain.interior, lambda u, x: partial(u, x) + self.combine(self.one, self.two, x) * u
            ),
            "again": Constraint(self.domain.face(x=0), lambda u: u * self.one + self.fixed.sum()),
        }


@pytest.mark.parametrize(
    ("combine", "names"),
    [
        (lambda one, two, x: one * two.mean(), "two"),
        (lambda one, two, x: torch.stack([one, two]).sum(), "one, two"),
        (lambda one, two, x: one.norm() + two, "one"),
        (lambda one, two, x: one if two > 0 else -one, "one, two"),
        (lambda one, two, x: one * two.detach().item(), "one, two"),
    ],
)
def test_a_coefficient_that_is_not_used_element_by_element_is_named(combine: Any, names: str) -> None:
    problem = Coefficients(combine)
    with pytest.raises(InputError, match=rf"does not use the unknown {names} element by element.*self\.\w+ \* u\.$"):
        check(model_of(problem), points_of(problem))


@pytest.mark.parametrize(
    "combine",
    [
        lambda one, two, x: one * torch.exp(two * x),
        lambda one, two, x: torch.where(x < 0.5, one, two),
        lambda one, two, x: torch.stack([one, two]).sum(0),
        lambda one, two, x: one.expand_as(x) + two.detach(),
    ],
)
def test_a_coefficient_that_is_used_element_by_element_is_not(combine: Any) -> None:
    problem = Coefficients(combine)
    check(model_of(problem), points_of(problem))


def test_a_parameter_that_cannot_be_exchanged_is_named() -> None:
    problem = Heat()
    with pytest.raises(InputError, match=r"^the parameter 'network\.network\.gain' is also kept where it cannot be ex"):
        check(model_of(problem, UNFOLLOWED["hidden"]), points_of(problem))

    problem = Decay()
    problem.rates = [problem.rate]
    problem.equation = lambda u, t: partial(u, t) + problem.rates[0] * u
    with pytest.raises(InputError, match=r"^the parameter 'problem\.rate' is also kept where it cannot be exchanged"):
        check(model_of(problem), points_of(problem))


@pytest.mark.parametrize("name", ["mlp", "attention", "gated"])
def test_a_wrong_jacobian_is_a_fault_of_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays a traceback: here every pair that is listened to belongs to the neighbour."""
    contract = listening._contract
    monkeypatch.setattr(listening, "_contract", lambda pairs: contract(pairs).roll(1, 0))
    problem = Heat()
    with pytest.raises(RuntimeError, match=r"^the Jacobian of 'equation' by network.* is wrong; please report it"):
        check_jacobian(model_of(problem, NETWORKS[name]), points_of(problem))


def test_numbers_drawn_elsewhere_stay_as_they_were() -> None:
    before = torch.random.get_rng_state()
    problem = Poisson()
    check(model_of(problem), points_of(problem))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("stages", [None, {"adam": pinn.Stage(torch.optim.Adam, steps=1)}])
def test_nothing_is_trained_then(stages: Any) -> None:
    with pytest.raises(InputError, match="couples points"):
        pinn.solve(
            Plane(COUPLED["mean"]),
            stages=stages,
            points=100,
            boundary_points=20,
            seconds=5,
            estimate=False,
            progress=False,
        )
