"""Networks that use their weights in every way that there is."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from pinn.networks import MLP


class Gated(nn.Module):
    """Weights outside of matrix products: a gain for each unit, and a product written with @."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, 4)
        self.gain = nn.Parameter(torch.rand(4))
        self.mix = nn.Parameter(torch.rand(4, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.first(x) * self.gain) @ self.mix


class Tied(nn.Module):
    """One layer used twice, and a way around it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(inputs, 4), nn.Linear(4, 4), nn.Linear(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        return self.last(h + torch.sin(self.middle(torch.tanh(self.middle(h)))))


class Frozen(nn.Module):
    """A first layer that is not trained."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, 6).requires_grad_(False), nn.Linear(6, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sin(self.first(x)))


class Normalised(nn.Module):
    """A layer norm, whose gain and bias meet every point element by element."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": partial(MLP, width=5, depth=3),
    "shallow": partial(MLP, width=3, depth=1, activation="sine"),
    "gated": Gated,
    "tied": Tied,
    "frozen": Frozen,
    "normalised": Normalised,
}
