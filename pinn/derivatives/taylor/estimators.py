"""Unbiased estimates of a Laplacian from a few second derivatives along random directions, and their variance.

For any random V, (count, dim), with E[VᵀV] = 1, the sum of the second derivatives along its rows has the Laplacian for
its mean: E Σ_k v_kᵀ H v_k = tr(H E[VᵀV]) = tr H.

The square of a residual is then no longer unbiased: its mean is too large by the variance of the residual.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor.inputs import Network
from pinn.derivatives.taylor.jet import Jet
from pinn.derivatives.taylor.propagation import propagate


class Directions(Protocol):
    """A law of random directions."""

    def __call__(self, x: Tensor) -> Tensor:
        """Directions V, (count, points or 1, dim), for points x, (points, dim)."""
        ...

    def variance(self, terms: Tensor, dim: int) -> Tensor:
        """An unbiased estimate of the variance of the sum of the terms v_kᵀ H v_k, (count, ...), over its draws."""
        ...


@dataclass(frozen=True)
class Hutchinson:
    """Random signs: v = ±1/√count in every coordinate. The variance of the estimate is 2 Σ_{i≠j} H_ij² / count.

    Args:
        count: number of directions.
        each_point: draw directions of its own for every point: less noise in a mean over points, for a costlier first
            layer.
        generator: where the signs come from; torch's global one by default.

    Source: Hutchinson (1990); for neural networks Hu, Shi, Karniadakis and Kawaguchi (2024).
    """

    count: int
    each_point: bool = False
    generator: torch.Generator | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Directions; see `Directions`."""
        points, dim = x.shape
        shape = self.count, points if self.each_point else 1, dim
        signs = torch.randint(2, shape, dtype=x.dtype, device=x.device, generator=self.generator)
        return (2 * signs - 1) / self.count**0.5

    def variance(self, terms: Tensor, dim: int) -> Tensor:
        """See `Directions`."""
        return self.count * terms.var(0)


@dataclass(frozen=True)
class Sparse:
    """Some of the coordinates, drawn without replacement: v = √(dim/count) e_i. The variance of the estimate is
    dim² (1 - count/dim) / count times that of the ∂²u/∂x_i² among each other.

    Args:
        count: number of coordinates.
        each_point: draw coordinates of its own for every point.
        generator: where they come from; torch's global one by default.

    Source: Hu, Shi, Karniadakis and Kawaguchi, SDGD (2024); Shi, Hu, Lin and Kawaguchi, STDE (2024).
    """

    count: int
    each_point: bool = False
    generator: torch.Generator | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Directions; see `Directions`."""
        points, dim = x.shape
        if self.count > dim:
            raise ValueError(f"{self.count} coordinates were asked for, but there are {dim}")
        order = torch.rand(points if self.each_point else 1, dim, device=x.device, generator=self.generator).argsort(-1)
        chosen = torch.nn.functional.one_hot(order[:, : self.count].T, dim)
        return chosen.to(x.dtype) * (dim / self.count) ** 0.5

    def variance(self, terms: Tensor, dim: int) -> Tensor:
        """See `Directions`."""
        return self.count * (1 - self.count / dim) * terms.var(0)


class Estimate(NamedTuple):
    """An estimate of Δu and of the variance of that, (points, outputs) each."""

    laplacian: Tensor
    variance: Tensor


def estimate_laplacian(network: Network, x: Tensor, directions: Directions) -> Estimate:
    """Σ_k v_kᵀ H v_k ≈ Δu with the variance over draws of the directions, to choose their number by.

    Args:
        network: maps (points, dim) to (points, outputs).
        x: points, (points, dim).
        directions: their law, with a count of at least 2.
    """
    along = directions(x)
    first: list[Slot] = [((k,),) for k in range(len(along))]
    second: list[Slot] = [((k, k),) for k in range(len(along))]
    seeds = torch.cat((along, torch.zeros_like(along)))
    jet = propagate(network, Jet(x.detach(), seeds, (*first, *second), directions=None))
    terms = jet.derivatives[len(along) :].expand(-1, *jet.value.shape)
    return Estimate(terms.sum(0), directions.variance(terms, x.shape[1]))
