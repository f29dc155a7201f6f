"""Networks: shapes, initialisation, scaling, and what they refuse."""

import pytest
import torch
from torch import nn

from pinn.errors import InputError
from pinn.networks import MLP, RandomFeatures, Refined, Scaled
from pinn.networks.mlp import ACTIVATIONS


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_smooth(activation: str) -> None:
    """Derivatives up to the third exist and do not vanish: an equation of second order needs them for its gradient."""
    network = MLP(1, 1, width=8, depth=2, activation=activation).double()
    x = torch.linspace(-1, 1, 9, dtype=torch.float64).requires_grad_()
    value = network(x.unsqueeze(1)).squeeze(1)
    for _ in range(3):
        [value] = torch.autograd.grad(value, x, torch.ones_like(value), create_graph=True)
        assert torch.isfinite(value).all()
        assert (value.abs() > 1e-9).any()


def test_sizes_follow_from_the_arguments() -> None:
    network = MLP(3, 2, width=7, depth=4)
    assert network(torch.rand(11, 3)).shape == (11, 2)
    assert sum(p.numel() for p in network.parameters()) == 3 * 7 + 7 + 3 * (7 * 7 + 7) + 7 * 2 + 2


def test_weights_are_drawn_by_the_rule_of_glorot() -> None:
    torch.manual_seed(0)
    network = MLP(200, 1, width=300, depth=2)
    first, second = network.layers[0].weight, network.layers[2].weight
    # The variance of n numbers has a relative standard deviation of √(2/n), 0.6 % for 60,000; five of them.
    assert first.var().item() == pytest.approx(2 / 500, rel=0.03)
    assert second.var().item() == pytest.approx(2 / 600, rel=0.03)
    assert all((layer.bias == 0).all() for layer in network.layers if hasattr(layer, "bias"))


def test_scaling_maps_the_domain_onto_the_cube() -> None:
    seen = []
    inside = torch.nn.Identity()
    inside.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    scaled = Scaled(inside, lower=(-1, 10), upper=(3, 20)).double()
    scaled(torch.tensor([[-1.0, 10.0], [3.0, 20.0], [1.0, 15.0]], dtype=torch.float64))
    assert seen[0].tolist() == [[-1, -1], [1, 1], [0, 0]]


BAD = [
    ({"width": 0}, "width must be a whole number of at least 1; it was given 0"),
    ({"depth": -2}, "depth must be"),
    ({"width": 2.5}, "width must be"),
    ({"inputs": True}, "inputs must be"),
    ({"outputs": "3"}, "outputs must be"),
    ({"activation": "relu"}, "there is no activation 'relu'; choose one of tanh, sine"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_sizes_that_are_none_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MLP(**{"inputs": 1, "outputs": 1, **change})


def refined(part: str | None) -> Refined:
    torch.manual_seed(0)
    network = Refined(2, 3, width=4, depth=2, features=6, scale=2.0).double()
    network.select(part)
    return network


def test_refined_network_is_the_formula() -> None:
    network, x = refined(None), torch.rand(5, 2, dtype=torch.float64)
    nn.init.normal_(network.output.weight)
    first, second = (layer for layer in network.trunk.layers[:-1] if isinstance(layer, nn.Linear))
    h1 = torch.tanh(x @ first.weight.T + first.bias)
    h2 = torch.tanh(h1 @ second.weight.T + second.bias)
    sines = torch.sin(torch.cat([x, h1, h2], dim=1) @ network.directions.T + network.phases)
    expected = network.trunk(x) + sines @ network.output.weight.T
    # Round-off of sums of a dozen terms of order one.
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-14)


def test_directions_spread_evenly_over_the_layers() -> None:
    """Variance s² / size in each part of z, so every part moves the phase alike; 4,000 samples tell it to 5 %."""
    torch.manual_seed(0)
    network = Refined(2, 1, width=8, depth=2, features=2000, scale=3.0)
    for part in network.directions.split([2, 8, 8], dim=1):
        assert part.square().sum(dim=1).mean().item() == pytest.approx(9, rel=0.05)


def test_parts_are_trained_one_at_a_time() -> None:
    def trained(part: str | None) -> set[str]:
        return {name.split(".")[0] for name, weight in refined(part).named_parameters() if weight.requires_grad}

    assert trained("trunk") == {"trunk"}
    assert trained("features") == {"output"}
    assert trained(None) == {"trunk", "output"}


def test_refined_network_begins_as_its_trunk() -> None:
    x = torch.rand(5, 2, dtype=torch.float64)
    assert torch.equal(refined("trunk")(x), refined("trunk").trunk(x))
    torch.testing.assert_close(refined("features")(x), refined("trunk")(x), rtol=0, atol=1e-15)  # one addition of zero


@pytest.mark.parametrize("interactions", [1, 2])
def test_sines_of_few_inputs_use_every_input_alike(interactions: int) -> None:
    torch.manual_seed(0)
    network = RandomFeatures(5, 1, features=20, interactions=interactions)
    used = network.directions != 0
    assert (used.sum(dim=1) == interactions).all()
    # Four rounds of five, or ten of two, each of which leaves one of five inputs out.
    assert used.sum(dim=0).max() - used.sum(dim=0).min() <= (0 if interactions == 1 else 10)
    assert (used.sum(dim=0) > 0).all()


@pytest.mark.parametrize("interactions", [0, 6, 1.5, True])
def test_interactions_that_make_no_sense_are_refused(interactions: object) -> None:
    with pytest.raises(InputError, match="interactions must be a whole number from 1 to 5"):
        RandomFeatures(5, 1, features=20, interactions=interactions)
