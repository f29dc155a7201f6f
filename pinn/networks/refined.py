"""A small network that finds where the solution changes, and many random features of what it found."""

import math

import torch
from torch import Tensor, nn

from pinn.errors import InputError
from pinn.networks.mlp import MLP


class Refined(nn.Module):
    """u(x) = N(x) + C sin(W z(x) + b), z(x) = (x, h₁(x), …, h_L(x)) with the hidden layers h of the MLP N.

    Training N brings its hidden layers into the shape of the solution: they are steep where it has a front. Sines of
    random combinations of them are a basis that is fine where the solution is, so that a solve for C alone, N held
    fixed, ends where training N cannot come: on Burgers' equation one such solve takes an error of 1e-5 to 1e-8.

    W has normal rows, of variance `scale`² / size in each of the L + 1 parts of z, b is uniform in (0, 2π), and C
    starts at zero, so that u = N at first.

    Args:
        inputs: size of a point.
        outputs: number of fields.
        width: units of a hidden layer of N.
        depth: number of hidden layers of N.
        features: number of sines, shared by all fields.
        scale: s, the spread of W.
        activation: of N, as in `MLP`.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: a size below 1, a scale that is not positive, or an unknown activation.
    """

    PARTS = ("trunk", "features")
    """N and C: what `select` may choose."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 14,
        depth: int = 4,
        features: int = 1500,
        scale: float = 1.0,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        if isinstance(features, bool) or not isinstance(features, int) or features < 1:
            raise InputError(f"Refined: features must be a whole number of at least 1; it was given {features!r}.")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
            raise InputError(f"Refined: scale must be a positive number; it was given {scale!r}.")
        self.trunk = MLP(inputs, outputs, width, depth, activation)
        spread = torch.cat([torch.full((size,), scale / size**0.5) for size in (inputs, *[width] * depth)])
        self.directions: Tensor
        self.phases: Tensor
        self.register_buffer("directions", spread * torch.randn(features, len(spread), dtype=torch.float64))
        self.register_buffer("phases", 2 * math.pi * torch.rand(features, dtype=torch.float64))
        self.output = nn.Linear(features, outputs, bias=False)
        nn.init.zeros_(self.output.weight)
        self._without_features = False

    def select(self, part: str | None) -> None:
        """Choose what is trained: the trunk N, before there are any features; the features' C alone; or, None, both."""
        self._without_features = part == "trunk"
        self.trunk.requires_grad_(part != "features")
        self.output.requires_grad_(part != "trunk")

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields; the features are left out as long as the trunk is trained, when C is zero."""
        if self._without_features:
            return self.trunk(x)
        hidden = self.trunk.hidden(x)
        z = torch.cat([x, *hidden], dim=-1)
        sines = torch.sin(nn.functional.linear(z, self.directions, self.phases))
        return self.trunk.layers[-1](hidden[-1]) + self.output(sines)
