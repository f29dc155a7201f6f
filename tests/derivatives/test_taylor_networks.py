"""Engine against engine: every network, every derivative up to order four, and the gradients by parameters."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import pytest
import torch
from geometry import coordinates
from helpers.sampled import sampled
from nets import ACTIVATIONS, ARCHITECTURES, Plain, seeded
from torch import Tensor, nn

from pinn.derivatives import partial
from pinn.derivatives.taylor import Engine, Reverse, Taylor, discover, functions
from pinn.derivatives.taylor.composition import compose

Index = tuple[int, ...]
SHAPES = [(1, 4), (2, 4), (3, 3)]
"""Numbers of coordinates, each with the highest order."""


def every_index(dim: int, order: int) -> list[Index]:
    return [index for k in range(1, order + 1) for index in combinations_with_replacement(range(dim), k)]


def compare(network: nn.Module, x: Sequence[Tensor], indices: Sequence[Index], tolerance: float) -> None:
    """All derivatives of all outputs, and the parameter gradient of a random sum of them, both ways."""

    def rows(engine: Engine) -> Tensor:
        return torch.stack([partial(u, *(x[i] for i in index)) for u in engine(network, x) for index in indices])

    needs = discover(rows)
    assert needs == {(index,) for index in indices}
    found, expected = rows(Taylor(needs)), rows(Reverse())
    size = expected.detach().abs().amax(1).clamp(min=1)
    assert ((found - expected).abs().amax(1) / size).max() < tolerance
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = weights.to(expected) / size.unsqueeze(1)
    parameters = list(network.parameters())
    gradients = [
        torch.autograd.grad((r * weights).sum(), parameters, materialize_grads=True) for r in (found, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        assert (one - other).abs().max() < tolerance * other.abs().max().clamp(min=1)


# Sums of some hundred products: both ways are seen to agree to about 2e-15, and 1e-6 in single precision.
DOUBLE, SINGLE = 1e-13, 2e-5


@pytest.mark.parametrize(("dim", "order"), sampled(SHAPES, 2))
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture(name: str, dim: int, order: int) -> None:
    network = seeded(lambda: ARCHITECTURES[name](dim, 2))
    compare(network, coordinates(dim, points=3, seed=0), every_index(dim, order), DOUBLE)


@pytest.mark.parametrize("name", sampled(ACTIVATIONS, 2))
def test_every_activation(name: str) -> None:
    network = seeded(lambda: Plain(2, 1, name))
    compare(network, coordinates(2, points=3, seed=0), every_index(2, 4), DOUBLE)


@pytest.mark.parametrize("name", ["tanh", "sin", "gelu"])
def test_single_precision(name: str) -> None:
    network = seeded(lambda: Plain(2, 2, name), torch.float32)
    x = coordinates(2, points=3, seed=0, dtype=torch.float32)
    compare(network, x, every_index(2, 3), SINGLE)
    (u, _) = Taylor(frozenset({((0, 0),)}))(network, x)
    assert u.dtype == partial(u, x[0], x[0]).dtype == torch.float32


@pytest.mark.parametrize("points", [0, 1])
def test_no_point_and_one_point(points: int) -> None:
    network = seeded(lambda: Plain(2, 2))
    x = coordinates(2, points=points, seed=0)
    u, v = Taylor(frozenset({((0, 0),), ((0, 1),)}))(network, x)
    expected = Reverse()(network, x)[1]
    assert partial(u, *x).shape == (points,)
    torch.testing.assert_close(partial(v, *x), partial(expected, *x), rtol=1e-13, atol=1e-14)  # round-off


def test_higher_derivatives_by_parameters() -> None:
    """Hessian × vector of the loss: the propagation itself is differentiated twice."""
    network = seeded(lambda: Plain(2, 1))
    x, y = coordinates(2, points=4, seed=0)
    parameters = list(network.parameters())[:-1]

    def product(engine: Engine) -> tuple[Tensor, ...]:
        (u,) = engine(network, (x, y))
        loss = (partial(u, x, x) + u * partial(u, y)).square().sum()
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in gradient), parameters)

    for one, other in zip(product(Taylor({((0, 0),), ((1,),)})), product(Reverse()), strict=True):
        torch.testing.assert_close(
            one, other, rtol=1e-11, atol=1e-11
        )  # numbers of about 1e2, differentiated five times


def test_an_activation_that_two_layers_read_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.left, self.right = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 4)
            self.last = nn.Linear(4, 1)

        def forward(self, x: Tensor) -> Tensor:
            z = torch.tanh(self.first(x))
            return self.last(torch.tanh(self.left(z) + self.right(z)))

    calls = []

    def counted(*arguments: Any) -> tuple[Tensor, Tensor]:
        calls.append(arguments)
        return compose(*arguments)

    monkeypatch.setattr(functions, "compose", counted)
    x = coordinates(2, points=5, seed=0)
    Taylor({((0, 0),), ((1, 1),)})(seeded(Forked), x)
    assert len(calls) == 2
