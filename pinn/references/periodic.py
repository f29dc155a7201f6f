"""Evolution equations on a ring, solved by Fourier series in space."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, pi
from typing import Any

import torch
from torch import Tensor

from pinn.references.exponential import etdrk4

NODES = 24
"""Chebyshev nodes of each panel of time."""
SAMPLES = 2**17
"""Of the initial value: coefficients of a kink, which fall off like k⁻², are found to SAMPLES⁻² = 6e-11."""
POINTS_AT_ONCE = 1024
"""Points whose series are summed together, so that memory is bounded."""


class PeriodicFlow:
    """u_t = L u - ∂ₓᵐ f(u) on (-1, 1), periodic, as u = Σ_k c_k exp(iπkx) with c' = λ c - (iπk)ᵐ f̂.

    Time is cut into panels. ETDRK4 goes from node to node of each, and there the coefficients are Chebyshev series in
    t; so u has spectral accuracy at any point of space and time, and can be differentiated by both.

    Args:
        initial: u(x, 0) as a function of a tensor.
        linear: the symbol λ of L, as a function of the wavenumbers πk.
        nonlinear: f, a polynomial, as a function of an array.
        order: m.
        degree: of f; products are summed on so many points that none is aliased.
        modes: how many k ≥ 0 there are.
        panels: times that begin and end the panels, the first of them 0.
        step: the longest step in time.
    """

    def __init__(
        self,
        initial: Callable[[Tensor], Tensor],
        linear: Callable[[Any], Any],
        nonlinear: Callable[[Any], Any],
        order: int,
        degree: int,
        modes: int,
        panels: Sequence[float],
        step: float,
    ) -> None:
        import numpy as np
        from scipy.fft import next_fast_len

        wavenumbers = pi * np.arange(modes)
        derivative = (1j * wavenumbers) ** order
        points = next_fast_len((degree + 1) * modes, real=True)

        def product(c: Any) -> Any:
            u = np.fft.irfft(c, points, norm="forward")
            return -derivative * np.fft.rfft(nonlinear(u), norm="forward")[:modes]

        samples = initial(torch.arange(SAMPLES, dtype=torch.float64) * (2 / SAMPLES) - 1).numpy()
        # The samples begin at x = -1, where exp(iπkx) = (-1)ᵏ.
        state = np.fft.rfft(samples, norm="forward")[:modes] * (-1.0) ** np.arange(modes)
        eigenvalues = linear(wavenumbers).astype(complex)
        nodes = (1 - np.cos(pi * np.arange(NODES) / (NODES - 1))) / 2
        to_series = np.linalg.inv(np.polynomial.chebyshev.chebvander(2 * nodes - 1, NODES - 1))
        self.initial = initial
        self.wavenumbers = torch.from_numpy(wavenumbers).unsqueeze(0)
        self.panels: list[tuple[float, float, Tensor]] = []
        for start, end in pairwise(panels):
            states = [state]
            for gap in np.diff(nodes) * (end - start):
                states.append(etdrk4(states[-1], eigenvalues, product, gap, ceil(gap / step)))
            self.panels.append((start, end, torch.from_numpy(to_series @ np.stack(states))))
            state = states[-1]

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return u at points, (points,) each in float64 on the CPU."""
        u = torch.zeros_like(x)
        ends = torch.tensor([end for _, end, _ in self.panels[:-1]], dtype=torch.float64)
        panel = torch.bucketize(t.detach(), ends)
        for index in range(len(self.panels)):
            for chosen in (panel == index).nonzero().squeeze(-1).split(POINTS_AT_ONCE):
                u = u.index_copy(0, chosen, self._series(x[chosen], t[chosen], *self.panels[index]))
        # At the start the series would miss what lies above its last mode.
        return torch.where(t == 0, self.initial(x), u)

    def _series(self, x: Tensor, t: Tensor, start: float, end: float, series: Tensor) -> Tensor:
        coefficients = chebyshev((2 * t - start - end) / (end - start)).to(series) @ series
        terms = (coefficients * torch.exp(1j * x.unsqueeze(-1) * self.wavenumbers)).real
        # u is real, so the terms of k and -k are conjugate.
        return 2 * terms.sum(dim=-1) - terms[:, 0]


def chebyshev(s: Tensor) -> Tensor:
    """T₀(s), …, T_{NODES-1}(s): (points, NODES)."""
    terms = [torch.ones_like(s), s]
    while len(terms) < NODES:
        terms.append(2 * s * terms[-1] - terms[-2])
    return torch.stack(terms, dim=-1)
