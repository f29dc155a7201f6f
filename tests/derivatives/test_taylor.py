"""The Taylor engine: the same numbers as nested reverse mode, to round-off, through the same residual code."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pinn.derivatives import gradient, laplacian, partial
from pinn.derivatives.taylor import (
    Engine,
    NotPropagatedError,
    Reverse,
    Taylor,
    UnsupportedOperationError,
    discover,
)
from pinn.networks import MLP, RandomFeatures, Scaled
from pinn.networks.mlp import ACTIVATIONS

# Both engines sum the same few hundred products in another order: a few hundred roundings of order one.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-3}

Residual = Callable[[tuple[Tensor, ...], Tensor, Tensor], Tensor]


def navier_stokes(fields: tuple[Tensor, ...], x: Tensor, y: Tensor) -> Tensor:
    u, v, p = fields
    u_x, u_y = gradient(u, (x, y))
    v_x, v_y = gradient(v, (x, y))
    p_x, p_y = gradient(p, (x, y))
    return (
        (u * u_x + v * u_y + p_x - (partial(u_x, x) + partial(u_y, y)) / 40) ** 2
        + (u * v_x + v * v_y + p_y - (partial(v_x, x) + partial(v_y, y)) / 40) ** 2
        + (u_x + v_y) ** 2
    )


RESIDUALS: dict[str, Residual] = {
    "navier_stokes": navier_stokes,
    "value": lambda f, x, y: f[0] * f[1],
    "product": lambda f, x, y: partial(f[0] * partial(f[0], x), x) + y * partial(f[1], y),
    "composition": lambda f, x, y: partial(torch.exp(f[0]), x, x) + partial(f[2] ** 2, x, y),
    "mixed": lambda f, x, y: partial(f[0], x, y) + partial(f[1], x, x, y),
    "third": lambda f, x, y: partial(f[0], x, x, x) + f[0] * partial(f[0], y),
    "fourth": lambda f, x, y: partial(f[0], x, x, y, y) + partial(f[1], y, y, y, y),
    "laplacian": lambda f, x, y: laplacian(f[0], (x, y)),
}


class Residuated(nn.Module):
    """A skip connection, a product of two branches, and slices of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 8), nn.Linear(2, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(x)) * torch.sin(self.second(x)) + torch.exp(-(x[:, :1] ** 2))
        return self.last(hidden + torch.tanh(hidden)) + torch.stack([x[:, 0], x[:, 1], x[:, 0] * x[:, 1]], dim=-1)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{name: lambda name=name: MLP(2, 3, width=8, depth=2, activation=name) for name in ACTIVATIONS},
    "scaled": lambda: Scaled(MLP(2, 3, width=8, depth=2), [0.0, -1.0], [2.0, 3.0]),
    "features": lambda: RandomFeatures(2, 3, features=9, scale=2.0),
    "residuated": Residuated,
}


def points(count: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.rand(count, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for _ in range(2))
    return x, y


def both(network: nn.Module, residual: Residual, count: int, dtype: torch.dtype) -> list[tuple[Tensor, list[Tensor]]]:
    """Residual and parameter gradient of its sum, by the Taylor engine and by nested reverse mode."""
    x, y = points(count, dtype)
    needs = discover(lambda engine: residual(engine(network, (x, y)), x, y))
    results = []
    for engine in (Taylor(needs), Reverse()):
        row = residual(engine(network, (x, y)), x, y)
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(row.sum(), parameters, materialize_grads=True)
        results.append((row, list(gradients)))
    return results


def assert_equal(results: list[tuple[Tensor, list[Tensor]]], dtype: torch.dtype) -> None:
    (row, gradients), (expected, expected_gradients) = results
    assert row.dtype == dtype
    scale = max(1.0, expected.abs().max().item()) if expected.numel() else 1.0
    assert torch.allclose(row, expected, rtol=0, atol=TOLERANCE[dtype] * scale)
    largest = max(1.0, *(reference.abs().max().item() for reference in expected_gradients))
    for found, reference in zip(gradients, expected_gradients, strict=True):
        assert torch.allclose(found, reference, rtol=0, atol=TOLERANCE[dtype] * largest)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("residual", RESIDUALS)
def test_taylor_equals_reverse(network: str, residual: str) -> None:
    torch.manual_seed(0)
    made = NETWORKS[network]().double()
    if network == "features":
        nn.init.normal_(made.output.weight)
    assert_equal(both(made, RESIDUALS[residual], 7, torch.float64), torch.float64)


@pytest.mark.parametrize("residual", ["navier_stokes", "product", "mixed"])
def test_taylor_equals_reverse_in_float32(residual: str) -> None:
    torch.manual_seed(0)
    network = MLP(2, 3, width=8, depth=2)
    assert_equal(both(network, RESIDUALS[residual], 7, torch.float32), torch.float32)


@pytest.mark.parametrize("count", [0, 1])
def test_no_point_and_one_point(count: int) -> None:
    torch.manual_seed(0)
    network = MLP(2, 3, width=8, depth=2).double()
    x, y = points(count, torch.float64)
    needs = frozenset({((0,),), ((1,),), ((0, 0),), ((1, 1),)})
    row = navier_stokes(Taylor(needs)(network, (x, y)), x, y)
    expected = navier_stokes(Reverse()(network, (x, y)), x, y)
    assert torch.allclose(row, expected, rtol=0, atol=1e-12)


def test_image_points_follow_the_chain_rule() -> None:
    """The image coordinate is computed from x; the derivative by x is the derivative at the image."""
    torch.manual_seed(0)
    network = MLP(2, 1, width=8, depth=2).double()
    x, y = points(5, torch.float64)
    needs = frozenset({((0,),)})
    (u,) = Taylor(needs)(network, (x + 1, y))
    (expected,) = Reverse()(network, (x + 1, y))
    assert torch.allclose(partial(u, x), partial(expected, x), rtol=0, atol=1e-13)


def test_what_was_not_propagated_raises_and_is_not_read_as_zero() -> None:
    torch.manual_seed(0)
    network = MLP(2, 1, width=8, depth=2).double()
    x, y = points(5, torch.float64)
    (u,) = Taylor(frozenset({((0,),)}))(network, (x, y))
    u_x = partial(u, x)
    with pytest.raises(NotPropagatedError, match="asked for"):
        partial(u_x, x)


def test_an_operation_without_a_rule_is_named() -> None:
    class Sorted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cumsum(x, dim=-1)

    with pytest.raises(UnsupportedOperationError, match="cumsum"):
        Taylor(frozenset({((0,),)}))(Sorted(), points(5, torch.float64))


@pytest.mark.parametrize(("dim", "width"), [(3, 8), (12, 5)], ids=["few inputs", "more inputs than units"])
def test_forward_laplacian_equals_reverse(dim: int, width: int) -> None:
    """The sum of second derivatives alone travels; with more inputs than units, along as many directions as units."""
    torch.manual_seed(0)
    network = MLP(dim, 1, width=width, depth=2).double()
    x = torch.rand(6, dim, dtype=torch.float64, requires_grad=True)

    def residual(engine: Engine) -> Tensor:
        (u,) = engine(network, x)
        return u * laplacian(u, x)

    needs = discover(residual)
    assert [len(slot) for slot in needs] == [dim]
    results = []
    for engine in (Taylor(needs), Reverse()):
        row = residual(engine)
        gradients = torch.autograd.grad(row.sum(), list(network.parameters()), materialize_grads=True)
        results.append((row, list(gradients)))
    assert_equal(results, torch.float64)
