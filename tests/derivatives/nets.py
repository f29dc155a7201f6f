"""Networks of every kind that the engines are compared on, (points, inputs) to (points, outputs)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": lambda z: torch.exp(0.3 * z),
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "gelu by tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "mish": functional.mish,
    "log": lambda z: torch.log(3 + z.square()),
    "log1p": lambda z: torch.log1p(torch.exp(z)),
    "sqrt": lambda z: (z * z + 1).sqrt(),
    "rsqrt": lambda z: torch.rsqrt(1 + z.square()),
    "cube": lambda z: z**3,
    "reciprocal": lambda z: 1 / (z**2 + 1),
    "quotient": lambda z: torch.sin(z) / (2 + torch.cos(z)),
    "power": lambda z: 2.0**z,
    "hyperbolic": lambda z: torch.sinh(z / 2) - torch.cosh(z / 3),
    "tan": lambda z: torch.tan(z / 3),
    "softmax": lambda z: functional.softmax(z, -1),
    "layer norm": lambda z: functional.layer_norm(torch.sin(z), z.shape[-1:]),
    "relu squared": lambda z: functional.relu(z) ** 2,
    "product": lambda z: z * torch.sin(z),
}


class Plain(nn.Module):
    """Two hidden layers with one activation."""

    def __init__(self, inputs: int, outputs: int, activation: str = "tanh", width: int = 6) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, width)
        self.last, self.activation = nn.Linear(width, outputs), ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.activation(self.second(self.activation(self.first(x)))))


class Residual(nn.Module):
    """Skip connections, also from the inputs, and a learned gate between two branches."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second, self.skip = nn.Linear(inputs, 5), nn.Linear(5, 5), nn.Linear(inputs, 5)
        self.last, self.slope = nn.Linear(5, outputs), nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        h = h + torch.sin(self.slope * self.second(h)) + self.skip(x)
        gate = torch.sigmoid(self.skip(x))
        return self.last((1 - gate) * h + gate * h.square())


class Fourier(nn.Module):
    """Scaled inputs and fixed sines and cosines of them before the layers."""

    frequencies: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.linspace(-1.5, 1.5, 3 * inputs).reshape(inputs, 3))
        self.net = Plain(6 + inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = 2 * (x - 0.25) / 0.9 - 1
        angle = x @ self.frequencies
        return self.net(torch.cat((torch.sin(angle), torch.cos(angle), x), dim=-1))


class Separable(nn.Module):
    """A sum of products of networks of one coordinate each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.factors = nn.ModuleList(Plain(1, 3 * outputs) for _ in range(inputs))
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        product = torch.ones(len(x), 3 * self.outputs, dtype=x.dtype)
        for i, factor in enumerate(self.factors):
            product = product * factor(x[:, i : i + 1])
        return product.view(-1, self.outputs, 3).sum(-1)


class Periodic(nn.Module):
    """The first coordinate enters by its sine and cosine alone, the others as they are."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.net = Plain(inputs + 1, outputs, "silu")

    def forward(self, x: Tensor) -> Tensor:
        first, *others = x.unbind(-1)
        return self.net(torch.stack((torch.sin(first), torch.cos(first), *others), -1))


class Affine(nn.Module):
    """Linear in its inputs: no derivative of second order."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.map = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.map(x)


class Blind(nn.Module):
    """Uses the first coordinate alone."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.net = Plain(1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x[:, :1])


ARCHITECTURES: dict[str, Callable[[int, int], nn.Module]] = {
    kind.__name__.lower(): kind for kind in (Plain, Residual, Fourier, Separable, Periodic, Affine, Blind)
}


def seeded(make: Callable[[], nn.Module], dtype: torch.dtype = torch.float64) -> nn.Module:
    """The same network at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().to(dtype)
