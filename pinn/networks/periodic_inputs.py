"""Inputs that come back after one turn, so that every function of them is periodic."""

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn

from pinn.errors import InputError


class PeriodicInputs(nn.Module):
    """N(…, cos πx, sin πx, …, cos Kπx, sin Kπx, …): any network N becomes periodic on [-1, 1], with all derivatives.

    Each periodic input is replaced by K harmonics (Dong and Ni 2021), so that N sees `seen(inputs, periodic)` inputs.

    Args:
        network: the network inside.
        periodic: indices of the inputs that are periodic; each runs from -1 to 1.
        harmonics: K.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: fewer than one harmonic.
    """

    HARMONICS = 3
    """Few bend the function little between them; the network makes the others."""

    def __init__(self, network: nn.Module, periodic: Collection[int], harmonics: int = HARMONICS) -> None:
        super().__init__()
        if isinstance(harmonics, bool) or not isinstance(harmonics, int) or harmonics < 1:
            raise InputError(
                f"PeriodicInputs needs a whole number of harmonics, at least 1; it was given {harmonics!r}."
            )
        self.network, self.periodic = network, sorted(periodic)
        self.frequencies: Tensor
        self.register_buffer(
            "frequencies", math.pi * torch.arange(1, harmonics + 1, dtype=torch.float64).unsqueeze(1), persistent=False
        )

    @staticmethod
    def seen(inputs: int, periodic: Collection[int], harmonics: int = HARMONICS) -> int:
        """Return how many inputs the network inside has."""
        return inputs + (2 * harmonics - 1) * len(periodic)

    def forward(self, x: Tensor) -> Tensor:
        """Replace the periodic inputs, then evaluate the network inside."""
        columns = []
        for index in range(x.shape[-1]):
            column = x[:, index : index + 1]
            if index in self.periodic:
                phases = nn.functional.linear(column, self.frequencies)
                columns += [torch.cos(phases), torch.sin(phases)]
            else:
                columns.append(column)
        return self.network(torch.cat(columns, dim=-1))
