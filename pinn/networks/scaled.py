"""Input scaling to the bounds of the domain."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """N(2 (x - lower) / (upper - lower) - 1): the network inside sees the cube [-1, 1]^d, whatever the units of x.

    Bounds are kept in float64; `.to(dtype)` brings them and the network inside to one precision.

    Args:
        network: the network inside.
        lower: lower bound of each input.
        upper: upper bound of each input.

    Shape: (points, inputs) to (points, outputs).
    """

    def __init__(self, network: nn.Module, lower: Sequence[float], upper: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.center: Tensor
        self.slope: Tensor
        # In float64 whatever comes later: a bound that is rounded once stays wrong in every other precision.
        low, high = torch.tensor(lower, dtype=torch.float64), torch.tensor(upper, dtype=torch.float64)
        self.register_buffer("center", (low + high) / 2)
        self.register_buffer("slope", 2 / (high - low))

    def forward(self, x: Tensor) -> Tensor:
        """Scale, then evaluate the network inside."""
        return self.network((x - self.center) * self.slope)
