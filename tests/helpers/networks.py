"""Networks that use their weights in every way that there is, each of them point by point."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from pinn.networks import MLP, PeriodicInputs, RandomFeatures, Refined

WIDTH = 5
"""Of most layers: also a number of points, so that shapes say nothing about axes."""


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
    """A first layer that is not trained, and one of which only the bias is."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, 6).requires_grad_(False), nn.Linear(6, outputs)
        self.between = nn.Linear(6, 6)
        self.between.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.between(torch.sin(self.first(x)))))


class FrozenBias(nn.Module):
    """A layer of which only the weight is trained, and one whose bias is used elsewhere too."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)
        self.first.bias.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x))) * (1 + self.last.bias**2)


class Normalised(nn.Module):
    """A layer norm, whose gain and bias meet every point element by element."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Residual(nn.Module):
    """Blocks of two layers with a way around them, and an activation that jets have no rule for."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, 3), nn.ELU(), nn.Linear(3, WIDTH)) for _ in "ab")

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        for block in self.blocks:
            h = h + torch.sin(block(h))
        return self.last(h)


class Tokens(nn.Module):
    """One layer for every coordinate of a point: (points, tokens, features), or these with other axes in front.

    Args:
        layout: what becomes of the axes: points, tokens or rows of both in front.
    """

    def __init__(self, inputs: int, outputs: int, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.embed, self.mix = nn.Linear(1, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = x.unsqueeze(-1)
        if self.layout == "tokens":
            h = h.transpose(0, 1)
        if self.layout == "rows":
            h = h.reshape(-1, 1)
        h = torch.sin(self.mix(torch.tanh(self.embed(h))))
        if self.layout == "tokens":
            h = h.transpose(0, 1)
        return self.last(h.reshape(len(x), -1, WIDTH).sum(1))


class Attention(nn.Module):
    """Attention between the coordinates of a point."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.embed, self.last = nn.Linear(1, 4), nn.Linear(4, outputs)
        self.keys, self.values = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.embed(x.unsqueeze(-1)))
        weights = torch.softmax(self.keys(h) @ h.transpose(1, 2), -1)
        return self.last((weights @ self.values(h)).sum(1))


class MultiHead(nn.Module):
    """torch's own attention, which takes its weights apart and multiplies them itself."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.embed, self.last = nn.Linear(1, 4), nn.Linear(4, outputs)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.embed(x.unsqueeze(-1)))
        return self.last(self.attention(h, h, h)[0].sum(1))


class Convolution(nn.Module):
    """A convolution along the features of a point."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.filter = nn.Linear(inputs, 6), nn.Conv1d(1, 2, 3)
        self.last = nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.filter(torch.tanh(self.first(x)).unsqueeze(1))).flatten(1))


class Fourier(nn.Module):
    """Frequencies that are trained, in a product with @, and a table from which features are read."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.rand(inputs, WIDTH))
        self.table = nn.Embedding(3, WIDTH)
        self.last = nn.Linear(2 * WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        phases = x @ self.frequencies
        ends = torch.tensor([-0.3, 0.3], dtype=x.dtype, device=x.device)
        waves = torch.cat(
            [torch.sin(phases), torch.cos(phases) * self.table(torch.bucketize(x[:, 0].detach(), ends))], -1
        )
        return self.last(waves)


class Anchors(nn.Module):
    """A layer that is applied to as many fixed points as it has units, and what it makes of these as weights."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.rand(WIDTH, inputs))
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sin(functional.linear(torch.tanh(self.first(x)), self.first(self.anchors))))


class Sums(nn.Module):
    """Products by einsum and bilinear, and a layer that torch.func.vmap applies to one row after another."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.rand(inputs, WIDTH))
        self.pairs, self.row = nn.Bilinear(WIDTH, WIDTH, WIDTH), nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(torch.einsum("ni,io->no", x, self.first))
        return torch.func.vmap(self.row)(torch.tanh(self.pairs(h, h)))


class Pieces(nn.Module):
    """One parameter that is cut, reshaped, broadcast and written elsewhere, and a weight of low rank."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.numbers = nn.Parameter(torch.rand((inputs + outputs + 2) * WIDTH))
        self.left, self.right = nn.Parameter(torch.rand(WIDTH, 2)), nn.Parameter(torch.rand(WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        first, last, gain, bias = self.numbers.split([WIDTH * n for n in (self.inputs, self.outputs, 1, 1)])
        h = torch.sin(functional.linear(x, first.reshape(WIDTH, -1), bias)) * gain.expand(len(x), -1)
        h = h + functional.linear(h, functional.linear(self.left, self.right))
        weight = torch.zeros_like(last)
        weight[:] = last
        return functional.linear(h, weight.unflatten(0, (self.outputs, WIDTH)))


class Waves(nn.Module):
    """Complex numbers inside."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(2 * WIDTH, outputs)
        self.phases = nn.Parameter(torch.rand(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.polar(torch.cosh(self.first(x)), self.phases + self.first(x))
        return self.last(torch.cat([h.real, (h * h).imag], -1))


class Sorted(nn.Module):
    """Points that are permuted for a layer and put back after it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.middle, self.last = (
            nn.Linear(inputs, WIDTH),
            nn.Linear(WIDTH, WIDTH),
            nn.Linear(WIDTH, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        order = x[:, 0].detach().argsort()
        h = torch.tanh(self.middle(torch.tanh(self.first(x))[order]))
        return self.last(h[order.argsort()])


class Experts(nn.Module):
    """Points that are sent to one of two layers by a condition."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.one, self.other = MLP(inputs, outputs, width=3, depth=1), MLP(inputs, outputs, width=3, depth=1)

    def forward(self, x: Tensor) -> Tensor:
        left = x[:, 0] < 0
        places = torch.cat([left.nonzero(), (~left).nonzero()]).squeeze(1)
        return torch.cat([self.one(x[left]), self.other(x[~left])])[places.argsort()]


class Filled(nn.Module):
    """Results that are written into a tensor made for them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers, self.outputs = MLP(inputs, outputs, width=4, depth=1), outputs

    def forward(self, x: Tensor) -> Tensor:
        result = torch.zeros(len(x), self.outputs, dtype=x.dtype)
        result[:, :] = self.layers(x)
        return result


class Potential(nn.Module):
    """Fields that are derivatives of a potential, by automatic differentiation inside of the network."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.potential, self.turn = MLP(inputs, 1, width=4, depth=1), nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.potential(x).sum(), x, create_graph=True)
        return self.turn(slope)


class Hidden(nn.Module):
    """A parameter that the network also keeps in a list, where nobody can exchange it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)
        self.gains = [nn.Parameter(torch.rand(WIDTH))]
        self.register_parameter("gain", self.gains[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)) * self.gains[0])


class Recurrent(nn.Module):
    """A recurrent network along the coordinates of a point."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.cells, self.last = nn.GRU(1, 4, batch_first=True), nn.Linear(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.cells(x.unsqueeze(-1))[0][:, -1])


class Chosen(nn.Module):
    """A `pinn.networks.Refined` network of which one part is trained, its features not being zero any more.

    Args:
        part: see `Refined.select`.
    """

    def __init__(self, inputs: int, outputs: int, part: str | None) -> None:
        super().__init__()
        self.refined = Refined(inputs, outputs, width=4, depth=2, features=7)
        nn.init.normal_(self.refined.output.weight)
        self.refined.select(part)

    def forward(self, x: Tensor) -> Tensor:
        return self.refined(x)


def periodic(inputs: int, outputs: int) -> nn.Module:
    """A network with its first input periodic."""
    return PeriodicInputs(MLP(PeriodicInputs.seen(inputs, [0]), outputs, width=4, depth=2), [0])


def factorised(inputs: int, outputs: int) -> nn.Module:
    """A weight norm: direction and length of each row apart."""
    first = parametrizations.weight_norm(nn.Linear(inputs, WIDTH))
    return nn.Sequential(first, nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, outputs))


NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": partial(MLP, width=WIDTH, depth=3),
    "shallow": partial(MLP, width=3, depth=1, activation="sine"),
    "gated": Gated,
    "tied": Tied,
    "frozen": Frozen,
    "frozen bias": FrozenBias,
    "normalised": Normalised,
    "residual": Residual,
    "tokens behind": partial(Tokens, layout="points"),
    "tokens in front": partial(Tokens, layout="tokens"),
    "tokens as rows": partial(Tokens, layout="rows"),
    "attention": Attention,
    "multi-head": MultiHead,
    "convolution": Convolution,
    "fourier": Fourier,
    "anchors": Anchors,
    "sums": Sums,
    "pieces": Pieces,
    "factorised": factorised,
    "waves": Waves,
    "sorted": Sorted,
    "random features": partial(RandomFeatures, features=7, scale=2.0),
    "refined": partial(Chosen, part=None),
    "refined trunk": partial(Chosen, part="trunk"),
    "refined features": partial(Chosen, part="features"),
    "periodic": periodic,
}
"""Networks that can be evaluated for one point by itself."""

UNFOLLOWED: dict[str, Callable[[int, int], nn.Module]] = {
    "experts": Experts,
    "filled": Filled,
    "potential": Potential,
    "hidden": Hidden,
    "recurrent": Recurrent,
}
"""Networks that cannot, or in which that does not help: their Jacobians are computed row by row."""
