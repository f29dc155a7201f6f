"""A march that stays as it is, and another one beside it that says what it lacks."""

import math

import torch
from torch import Tensor

from pinn.networks.in_slabs import InSlabs
from pinn.networks.marched import Marched


class CorrectedMarch(InSlabs):
    """u(t) = N(t) + e(t), with N held fixed and e marched through the slabs of N: other sines, half as many.

    Where N does not reach the end of time, e has one more slab from there to the end.

    Args:
        network: N.
        generator: draws the frequencies and phases of e.

    Shape: (points, 1) to (points, outputs).
    """

    time = 0

    def __init__(self, network: Marched, generator: torch.Generator) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        features, outputs = max(1, (len(network.directions) - 1) // 2), len(network.weights)
        slabs = len(network) + (not network.is_complete)
        with torch.random.fork_rng(devices=[]):
            self.beside = Marched(1, outputs, features, slabs=slabs).to(network.weights)
        directions = torch.randn(features, 1, generator=generator, dtype=torch.float64)
        phases = torch.rand(features, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            self.beside.directions[1:] = (directions * network.directions.cpu().square().mean().sqrt()).to(
                network.weights
            )
            self.beside.phases[1:] = (2 * math.pi * phases).to(network.weights)
            self.beside.edges[: len(network) + 1] = network.edges[: len(network) + 1]

    def __len__(self) -> int:
        return len(self.beside.known)

    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""
        return self.beside.interval(slab)

    @torch.no_grad()
    def select(self, slab: int | None) -> None:
        """Begin e in this slab, behind those that are known; None ends with all of them known."""
        self.active = slab
        if len(self.beside) < (len(self) if slab is None else slab):
            self.beside.accept()
            self.beside.weights.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields."""
        if self.active is None:
            return self.network(x) + self.beside(x)
        return self.network.evaluate(self.active, x) + self.beside.evaluate(self.active, x)
