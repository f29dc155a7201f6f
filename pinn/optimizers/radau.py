"""Polynomials of time on Radau's nodes: collocation of high order that damps what is stiff."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.polynomial import chebyshev, legendre
from torch import Tensor


class Radau:
    """The Runge-Kutta method Radau IIA of s stages on z from -1 to 1 (Hairer and Wanner 1996, IV.5), as series.

    A polynomial w of degree s - 1 is given by its values at the nodes. The method is one for u' = w. Of u″ = w it makes
    u' = v, v' = w, each integrated from its values at the nodes: the integral of the integral itself would be another
    method, and an unstable one. All tensors are in float64 on the CPU.

    Args:
        stages: s, the number of nodes; the last of them is z = 1.
        degree: of Chebyshev series, at least s.
    """

    def __init__(self, stages: int, degree: int) -> None:
        self.stages, self.degree = stages, degree
        # The nodes are the zeros of P_s - P_{s-1}, Legendre's polynomials.
        nodes = legendre.legroots([0.0] * (stages - 1) + [-1.0, 1.0])
        nodes[-1] = 1.0
        self.nodes = torch.tensor(nodes)
        self._series_of_stages = np.linalg.inv(chebyshev.chebvander(nodes, stages - 1))
        self.integral = torch.tensor(
            chebyshev.chebvander(nodes, stages) @ chebyshev.chebint(self._series_of_stages, lbnd=-1, axis=0)
        )
        """M, from w at the nodes to its integral from -1 to each node, (stages, stages)."""

    @cached_property
    def interpolation(self) -> Tensor:
        """From w to its own series, (degree + 1, stages)."""
        return self._padded(self._series_of_stages)

    @cached_property
    def integration(self) -> Tensor:
        """From w to the series of its integral from -1, (degree + 1, stages)."""
        return self._padded(chebyshev.chebint(self._series_of_stages, lbnd=-1, axis=0))

    def _padded(self, series: Any) -> Tensor:
        found = torch.zeros(self.degree + 1, self.stages, dtype=torch.float64)
        found[: len(series)] = torch.tensor(series)
        return found

    @cached_property
    def slopes(self) -> Tensor:
        """From a series to its derivative at the nodes, (stages, degree + 1)."""
        columns = [chebyshev.chebval(self.nodes.numpy(), chebyshev.chebder(one)) for one in np.eye(self.degree + 1)]
        return torch.tensor(np.stack(columns, axis=1))

    @cached_property
    def modes(self) -> tuple[Tensor, Tensor, Tensor]:
        """μ, S and S⁻¹ of M = S diag(μ) S⁻¹: one of each complex pair, which S counts twice."""
        values, vectors = torch.linalg.eig(self.integral)
        inverse = torch.linalg.inv(vectors)
        kept = values.imag >= 0
        return values[kept], vectors[:, kept] * (1.0 + (values[kept].imag > 0)), inverse[kept]


def powers(degree: int, count: int) -> Tensor:
    """Return the Chebyshev series of (z + 1)ᵏ/k! for k below `count`, (degree + 1, count)."""
    found = torch.zeros(degree + 1, count, dtype=torch.float64)
    for k in range(count):
        found[: k + 1, k] = torch.tensor(chebyshev.chebint([1.0], k, lbnd=-1), dtype=torch.float64)
    return found


def derivatives(degree: int, z: float, count: int) -> Tensor:
    """Return T_p⁽ᵏ⁾(z) for k below `count`, (count, degree + 1)."""
    series = np.eye(degree + 1)
    rows = [[chebyshev.chebval(z, chebyshev.chebder(one, k)) for one in series] for k in range(count)]
    return torch.tensor(np.array(rows))
