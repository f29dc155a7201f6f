"""Sines in slabs of time, one slab after another, whose lengths are found on the way."""

import math

import torch
from torch import Tensor, nn

from pinn.errors import InputError
from pinn.networks.in_slabs import InSlabs


class Marched(InSlabs):
    """u(t) = a_k + b_k z + Σ_m c_km sin(w_m z + b_m) in the k-th slab of time, where z runs from -1 to 1.

    The frequencies w_m ~ s N(0, 1) and the phases are those of every slab; a_k, b_k and c_k are found, slab by slab.
    The parameter `weights` holds those of the slab in progress. What is found is put into the buffer `known`, and
    where slabs end into `edges`, so that a checkpoint has all of it.

    Behind the last slab that is known the fields stay as they are at its end, where the slab in progress begins so.

    Args:
        inputs: 1, the time, scaled to [-1, 1].
        outputs: number of fields.
        features: number of sines in a slab, shared by all fields.
        scale: s.
        slabs: how many there may be, at most.

    Shape: (points, 1) to (points, outputs).

    Raises:
        InputError: a number below 1, a scale that is not positive, or another input than time.
    """

    time = 0
    """Which input is time."""

    def __init__(self, inputs: int, outputs: int, features: int = 60, scale: float = 5.0, slabs: int = 2000) -> None:
        super().__init__()
        if inputs != 1:
            raise InputError(
                f"Marched is for fields of time alone, not of {inputs} coordinates; choose another network."
            )
        for name, value in {"features": features, "slabs": slabs}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"Marched: {name} must be a whole number of at least 1; it was given {value!r}.")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
            raise InputError(f"Marched: scale must be a positive number; it was given {scale!r}.")
        self.directions: Tensor
        self.phases: Tensor
        self.known: Tensor
        self.edges: Tensor
        self.count: Tensor
        self.register_buffer("directions", torch.zeros(features + 1, 1, dtype=torch.float64))
        self.register_buffer("phases", torch.full((features + 1,), math.pi / 2, dtype=torch.float64))
        # The first sine, of frequency 0, is the constant.
        self.directions[1:] = scale * torch.randn(features, 1, dtype=torch.float64)
        self.phases[1:] = 2 * math.pi * torch.rand(features, dtype=torch.float64)
        self.register_buffer("known", torch.zeros(slabs, outputs, features + 2, dtype=torch.float64))
        self.register_buffer("edges", torch.tensor([-1.0, *[1.0] * (slabs + 1)], dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))
        self.weights = nn.Parameter(torch.zeros(outputs, features + 2, dtype=torch.float64))

    def __len__(self) -> int:
        """Return how many slabs are known."""
        return int(self.count)

    @property
    def is_complete(self) -> bool:
        """Whether the slabs that are known reach the end of time."""
        return self.edges[len(self)].item() == 1.0

    @property
    def in_progress(self) -> int:
        """Which slab is being found; the last one, where all are known."""
        return len(self) - self.is_complete

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another slab."""
        return len(self) == len(self.known)

    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""
        return self.edges[slab].item(), self.edges[slab + 1].item()

    def select(self, slab: int | None) -> None:
        """Choose the slab that is evaluated alone; None for all of them together."""
        self.active = slab

    @torch.no_grad()
    def begin(self, length: float) -> None:
        """Begin a slab of this length, or up to the end of time, with fields that stay as they are at its start."""
        count = len(self)
        self.edges[count + 1 :] = 1.0
        self.edges[count + 1] = torch.clamp(self.edges[count] + length, max=1.0)
        self.weights.zero_()
        if count:
            end = torch.ones_like(self.edges[:1].unsqueeze(1))
            self.weights[:, 1] = self.known[count - 1] @ self._basis(end)[0]

    @torch.no_grad()
    def accept(self) -> None:
        """Keep what was found for the slab in progress."""
        count = len(self)
        self.known[count] = self.weights
        self.count += 1

    def evaluate(self, slab: int, x: Tensor) -> Tensor:
        """Evaluate the fields of one slab, also outside of it."""
        start, end = self.interval(slab)
        z = (x - (start + end) / 2) * (2 / (end - start))
        return nn.functional.linear(self._basis(z), self.known[slab] if slab < len(self) else self.weights)

    def _basis(self, z: Tensor) -> Tensor:
        """Return z, 1 and the sines, (points, features + 2), for z of shape (points, 1)."""
        return torch.cat([z, torch.sin(nn.functional.linear(z, self.directions, self.phases))], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields; an instant between two slabs belongs to the later one."""
        if self.active is not None:
            return self.evaluate(self.active, x)
        # Behind what is known the slab in progress has the values at its start.
        found = torch.cat([self.known[: len(self)], self.weights.unsqueeze(0)])[: self.in_progress + 1]
        slab = torch.bucketize(x[:, 0].detach(), self.edges[1 : len(found)], right=True)
        start, end = self.edges[slab].unsqueeze(1), self.edges[slab + 1].unsqueeze(1)
        basis = self._basis((x - (start + end) / 2) * (2 / (end - start)))
        return torch.einsum("pm,pom->po", basis, found[slab])
