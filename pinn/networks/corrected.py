"""A network that stays as it is, and random features beside it that say what it lacks."""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from pinn.networks.mlp import MLP
from pinn.networks.periodic_inputs import PeriodicInputs
from pinn.networks.random_features import RandomFeatures
from pinn.networks.refined import Refined


class Corrected(nn.Module):
    """u(x) = N(x) + C sin(W z + b), with N held fixed and C alone to be found; C starts at zero.

    z is x, and for an `MLP` or a `Refined` network its hidden layers too, in whose terms the error of N is as smooth as
    N itself. W is normal: with the scales of N where that is `RandomFeatures`, else with variance `scale`² / size in
    each part of z. b is uniform in (0, 2π).

    Args:
        network: N.
        inputs: size of x.
        outputs: number of fields.
        features: number of sines, shared by all fields.
        scale: of W, where N is not `RandomFeatures`.
        generator: draws W and b.
        layers: whether z holds the hidden layers of N.
        periodic: inputs of N in which it is periodic by itself; the sines see `PeriodicInputs` of them.

    Shape: (points, inputs) to (points, outputs).
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: int,
        outputs: int,
        features: int,
        scale: float,
        generator: torch.Generator,
        layers: bool = True,
        periodic: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.wrapped = PeriodicInputs(nn.Identity(), periodic) if periodic else nn.Identity()
        trunk = network.trunk if isinstance(network, Refined) else network
        self._trunk = (trunk,) if layers and isinstance(trunk, MLP) else ()
        sizes = [inputs, *(layer.out_features for net in self._trunk for layer in _linear(net)[:-1])]
        spread = torch.cat([torch.full((size,), scale / size**0.5, dtype=torch.float64) for size in sizes])
        directions = torch.randn(features, len(spread), generator=generator, dtype=torch.float64)
        if layers and isinstance(network, RandomFeatures):
            # Sines of single inputs, where N has those: as many of each as N has.
            taken = torch.randint(len(network.directions), (features,), generator=generator)
            used = network.directions.cpu()[taken] != 0
            directions, spread = torch.where(used, directions, 0), network.scale.cpu().double()
        self.directions: Tensor
        self.phases: Tensor
        self.register_buffer("directions", spread * directions)
        phases = torch.rand(features, generator=generator, dtype=torch.float64)
        self.register_buffer("phases", 2 * math.pi * phases)
        # Without the weights that a layer draws, and throws away here, from everybody's generator.
        self.output = nn.utils.skip_init(nn.Linear, features, outputs, bias=False)
        nn.init.zeros_(self.output.weight)

    def select(self, part: str | None) -> None:
        """Train C, unless a part is named; then nothing."""
        self.output.requires_grad_(part is None)

    def features(self, x: Tensor) -> Tensor:
        """Return sin(W z + b), (points, features)."""
        z = torch.cat([self.wrapped(x), *(layer for trunk in self._trunk for layer in trunk.hidden(x))], dim=-1)
        return torch.sin(nn.functional.linear(z, self.directions, self.phases))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields."""
        return self.network(x) + self.output(self.features(x))


def _linear(network: MLP) -> Sequence[nn.Linear]:
    return [layer for layer in network.layers if isinstance(layer, nn.Linear)]
