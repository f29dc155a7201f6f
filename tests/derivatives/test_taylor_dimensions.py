"""The Laplacian as one coefficient in many dimensions: exact along as many directions as the first layer is wide."""

from collections.abc import Callable

import pytest
import torch
from nets import Plain, seeded
from torch import Tensor, nn

from pinn.derivatives import gradient, hessian, laplacian, partial
from pinn.derivatives.taylor import (
    Engine,
    Hutchinson,
    Reverse,
    Sparse,
    Taylor,
    discover,
    estimate_laplacian,
    product,
)
from pinn.derivatives.taylor.errors import SecondOrderError


def points(count: int, dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, dim, dtype=torch.float64, generator=generator).requires_grad_()


class Rows(torch.overrides.TorchFunctionMode):
    """Counts the rows that are multiplied by a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def __torch_function__(
        self, func: Callable[..., Tensor], types: object, args: tuple = (), kwargs: dict | None = None
    ):
        if func in (product, Tensor.matmul):
            self.counts.append(args[0].shape[:-1].numel())
        return func(*args, **(kwargs or {}))


class Gated(nn.Module):
    """Three first layers, whose rows span different directions."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.one, self.other, self.skip = nn.Linear(inputs, 4), nn.Linear(inputs, 4), nn.Linear(inputs, 1)
        self.last = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.one(x)) * torch.sin(self.other(x))) + self.skip(x) ** 2


class Scaled(nn.Module):
    """Scaled inputs, as shipped networks have them."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.net = Plain(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - 0.5) * torch.linspace(0.5, 2, x.shape[1], dtype=x.dtype))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"plain": lambda dim: Plain(dim, 1), "gated": Gated, "scaled": Scaled}


def assert_equal(rows: Callable[[Engine], Tensor], network: nn.Module) -> None:
    parameters = list(network.parameters())
    results = []
    needs = discover(rows)
    for engine in (Taylor(needs), Taylor(needs, each_point=True), Reverse()):
        found = rows(engine)
        results.append((found, *torch.autograd.grad(found.square().sum(), parameters, materialize_grads=True)))
    for shared, apart, expected in zip(*results, strict=True):
        torch.testing.assert_close(shared, expected, rtol=1e-11, atol=1e-12)  # round-off of sums over 20 directions
        torch.testing.assert_close(apart, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 3, 20])
@pytest.mark.parametrize("name", NETWORKS)
def test_laplacian_in_any_dimension(name: str, dim: int) -> None:
    """Below and above the width of the first layer, which is 6 or 4."""
    network, x = seeded(lambda: NETWORKS[name](dim)), points(5, dim)
    assert_equal(lambda engine: torch.stack([laplacian(u, x) + u**2 for u in engine(network, x)]), network)


@pytest.mark.parametrize("count", [0, 1])
def test_laplacian_at_no_point_and_one_point(count: int) -> None:
    network, x = seeded(lambda: Plain(20, 1)), points(count, 20)
    assert_equal(lambda engine: torch.stack([laplacian(u, x) for u in engine(network, x)]), network)


@pytest.mark.parametrize("time_first", [True, False])
@pytest.mark.parametrize("dim", [3, 20])
def test_heat_equation_with_time_beside_space(dim: int, time_first: bool) -> None:
    network, x, t = seeded(lambda: Plain(dim + 1, 1)), points(5, dim), points(5, 1).detach()[:, 0].requires_grad_()

    def rows(engine: Engine) -> Tensor:
        (u,) = engine(network, (t, x) if time_first else (x, t))
        return partial(u, t) - laplacian(u, x)

    assert_equal(rows, network)


@pytest.mark.parametrize("dim", [3, 20])
def test_gradient_and_laplacian_share_their_directions(dim: int) -> None:
    network, x = seeded(lambda: Plain(dim, 1)), points(5, dim)

    def rows(engine: Engine) -> Tensor:
        return torch.stack([gradient(u, x).square().sum(-1) + laplacian(u, x) for u in engine(network, x)])

    assert len(Taylor(discover(rows)).plan.slots) == dim + 1
    assert_equal(rows, network)


def test_two_laplacians() -> None:
    network, x, y = seeded(lambda: Plain(5, 1)), points(4, 2), (points(4, 3) + 1).detach().requires_grad_()

    def rows(engine: Engine) -> Tensor:
        return torch.stack([laplacian(u, x) * laplacian(u, y) for u in engine(network, (x, y))])

    assert_equal(rows, network)


@pytest.mark.parametrize("name", ["plain", "scaled"])
@pytest.mark.parametrize(("dim", "directions"), [(3, 3), (20, 6), (1000, 6)])
def test_as_many_directions_as_the_first_layer_is_wide(name: str, dim: int, directions: int) -> None:
    network, x = seeded(lambda: NETWORKS[name](dim)), points(5, dim)
    with Rows() as rows:
        Taylor({tuple((i, i) for i in range(dim))})(network, x)
    values, hidden = rows.counts[0], rows.counts[3]
    assert (values, hidden) == (5, 5 * (1 + directions))  # the Laplacian, and a derivative along each direction


def test_weights_of_deficient_rank() -> None:
    """Fewer independent rows than units, one of them zero: nothing is divided by."""
    network, x = seeded(lambda: Plain(20, 1)), points(5, 20)
    with torch.no_grad():
        network.first.weight[1] = network.first.weight[0]
        network.first.weight[2] = 0
    assert_equal(lambda engine: torch.stack([laplacian(u, x) for u in engine(network, x)]), network)


@pytest.mark.parametrize("dim", [3, 6])
def test_second_derivatives_by_parameters_up_to_the_width_of_the_first_layer(dim: int) -> None:
    """Which is 6: there are no fewer directions to take, and no error that only those call for."""
    network, x = seeded(lambda: Plain(dim, 1)), points(5, dim)
    weight, found = network.first.weight, []
    for engine in (Taylor({tuple((i, i) for i in range(dim))}), Reverse()):
        (u,) = engine(network, x)
        (gradient,) = torch.autograd.grad(laplacian(u, x).square().sum(), weight, create_graph=True)
        found += torch.autograd.grad(gradient.square().sum(), weight)
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-13)  # round-off of six derivatives; entries reach 1e-2


def test_the_gradient_of_fewer_directions_can_not_be_differentiated_again() -> None:
    network, x = seeded(lambda: Plain(20, 1)), points(5, 20)
    (u,) = Taylor({tuple((i, i) for i in range(20))})(network, x)
    weight = network.first.weight
    (gradient,) = torch.autograd.grad(laplacian(u, x).sum(), weight, create_graph=True)
    with pytest.raises(SecondOrderError, match="exact first derivatives by parameters, but no second ones"):
        torch.autograd.grad(gradient.sum(), weight)


LAWS = {
    "signs": Hutchinson(4, generator=torch.Generator()),
    "signs at each point": Hutchinson(4, each_point=True, generator=torch.Generator()),
    "coordinates": Sparse(4, generator=torch.Generator()),
    "coordinates at each point": Sparse(4, each_point=True, generator=torch.Generator()),
}
DRAWS = 1500


@pytest.mark.parametrize("name", LAWS)
def test_estimates_are_unbiased_and_know_their_variance(name: str) -> None:
    law, network, x = LAWS[name], seeded(lambda: Plain(7, 2)), points(3, 7)
    law.generator.manual_seed(0)
    second = torch.stack([hessian(u, x) for u in Reverse()(network, x)], 1).detach()
    diagonal = second.diagonal(dim1=-2, dim2=-1)
    exact = diagonal.sum(-1)
    if isinstance(law, Hutchinson):
        variance = 2 * (second.square().sum((-2, -1)) - diagonal.square().sum(-1)) / 4
    else:
        variance = 7**2 * (1 - 4 / 7) / 4 * diagonal.var(-1)
    with torch.no_grad():
        if law.each_point:  # all draws at a time, as points of their own
            draws = estimate_laplacian(network, x.repeat(DRAWS, 1), law)
            found, reported = (values.unflatten(0, (DRAWS, len(x))) for values in draws)
        else:
            each = [estimate_laplacian(network, x, law) for _ in range(DRAWS)]
            found, reported = (torch.stack(values) for values in zip(*each, strict=True))
    # Four standard errors of a mean; of a variance (its relative error is about √(κ/N), with a kurtosis κ below 10).
    assert ((found.mean(0) - exact).abs() < 4 * (variance / DRAWS).sqrt()).all()
    relative = 4 * (10 / DRAWS) ** 0.5
    torch.testing.assert_close(found.var(0), variance, rtol=relative, atol=0)
    torch.testing.assert_close(reported.mean(0), variance, rtol=relative, atol=0)


@pytest.mark.parametrize("each_point", [False, True])
@pytest.mark.parametrize("law", [Hutchinson, Sparse])
def test_directions_are_drawn_once_or_for_each_point(law: type, each_point: bool) -> None:
    x = points(6, 7)
    drawn = law(3, each_point=each_point, generator=torch.Generator().manual_seed(0))(x)
    assert drawn.shape == (3, 6 if each_point else 1, 7)
    assert not each_point or not torch.equal(drawn[:, 0], drawn[:, 1])
    if law is Hutchinson:
        torch.testing.assert_close(drawn.abs(), torch.full_like(drawn, 3**-0.5), rtol=1e-15, atol=0)  # one rounding
    else:
        assert ((drawn != 0).sum(-1) == 1).all()
        assert ((drawn != 0).sum(0) <= 1).all()


def test_all_coordinates_give_the_exact_laplacian() -> None:
    network, x = seeded(lambda: Plain(7, 1)), points(3, 7)
    estimate = estimate_laplacian(network, x, Sparse(7))
    (u,) = Reverse()(network, x)
    torch.testing.assert_close(estimate.laplacian.squeeze(-1), laplacian(u, x), rtol=1e-12, atol=1e-14)  # round-off
    assert not estimate.variance.any()
    with pytest.raises(ValueError, match="8 coordinates were asked for, but there are 7"):
        estimate_laplacian(network, x, Sparse(8))


@pytest.mark.parametrize("name", LAWS)
def test_an_engine_that_estimates(name: str) -> None:
    """The same residual code; with the same draw, the same numbers as the estimate by itself, and its own gradient."""
    law, network, x = LAWS[name], seeded(lambda: Plain(20, 1)), points(3, 20)
    rows = Taylor({tuple((i, i) for i in range(20))}, directions=law)
    law.generator.manual_seed(0)
    (u,) = rows(network, x)
    found = laplacian(u, x)
    law.generator.manual_seed(0)
    expected = estimate_laplacian(network, x, law).laplacian.squeeze(-1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)  # round-off
    parameters = list(network.parameters())
    gradients = [torch.autograd.grad(r.sum(), parameters, materialize_grads=True) for r in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)  # round-off


def test_only_one_laplacian_is_estimated() -> None:
    with pytest.raises(ValueError, match="2 different Laplacians; only one can be estimated"):
        Taylor({((0, 0), (1, 1)), ((1, 1), (2, 2))}, directions=Hutchinson(2))
