"""The multilayer perceptron."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from pinn.errors import InputError


class Sine(nn.Module):
    """sin z."""

    def forward(self, z: Tensor) -> Tensor:
        """Apply the sine element by element."""
        return torch.sin(z)


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "sine": Sine,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
}
"""Smooth activations: second and higher derivatives exist and do not vanish identically, unlike those of ReLU."""


class MLP(nn.Module):
    """N(x) = W_L σ(… σ(W₁ x + b₁) …) + b_L, with `depth` hidden layers of `width` units.

    Weights are drawn by Glorot and Bengio's normal rule (2010), variance 2 / (fan in + fan out); biases start at zero.

    Args:
        inputs: size of a point.
        outputs: number of fields.
        width: units of a hidden layer.
        depth: number of hidden layers.
        activation: one of tanh, sine, silu, gelu, softplus, sigmoid.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: a size below 1, or an unknown activation.
    """

    def __init__(self, inputs: int, outputs: int, width: int = 32, depth: int = 3, activation: str = "tanh") -> None:
        super().__init__()
        for name, size in {"inputs": inputs, "outputs": outputs, "width": width, "depth": depth}.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise InputError(f"MLP: {name} must be a whole number of at least 1; it was given {size!r}.")
        if activation not in ACTIVATIONS:
            raise InputError(f"MLP: there is no activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}.")
        sizes = [inputs, *[width] * depth, outputs]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers += [layer, ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers[:-1])

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return what each hidden layer puts out, (points, width)."""
        outputs = []
        for index, layer in enumerate(list(self.layers)[:-1]):
            x = layer(x)
            if index % 2:  # the activation after a linear layer
                outputs.append(x)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the network."""
        return self.layers(x)
