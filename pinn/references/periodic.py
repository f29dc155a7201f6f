"""Evolution equations on a ring, solved by Fourier series in space."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, pi
from typing import Any

import torch
from torch import Tensor

from pinn.references.exponential import etdrk4, lawson4

NODES = 24
"""Chebyshev nodes of each panel of time."""
SAMPLES = 2**17
"""Of the initial value: coefficients of a kink, which fall off like k⁻², are found to SAMPLES⁻² = 6e-11."""
POINTS_AT_ONCE = 256
"""Points whose series are summed together: few enough that what they take stays near the processor."""


class PeriodicFlow:
    """u_t = L u - ∂ₓᵐ f(u) on (a, b), periodic, as u = Σ_k c_k exp(iκ(x - a)), κ = 2πk/(b - a), c' = λ c - (iκ)ᵐ f̂.

    Time is cut into panels. ETDRK4 goes from node to node of each, and there the coefficients are Chebyshev series in
    t; so u has spectral accuracy at any point of space and time, and can be differentiated by both.

    Args:
        initial: u(x, 0) as a function of a tensor, (points,): (points,) or, of several fields, (fields, points). Where
            it is complex, so is u.
        linear: the symbol λ of L, as a function of the wavenumbers κ; one for each of several fields.
        nonlinear: f, a polynomial of u and its conjugate, as a function of an array; one for each of several fields.
        order: m.
        degree: of f; products are summed on so many points that none is aliased.
        modes: how many k ≥ 0 there are.
        panels: times that begin and end the panels, the first of them 0.
        step: the longest step in time.
        interval: a and b.
        rotating: whether λ is imaginary and the last modes matter, which then turn too fast to be followed: steps and
            series are those of exp(-λt) c (LAWSON4 for ETDRK4).
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
        interval: tuple[float, float] = (-1.0, 1.0),
        rotating: bool = False,
    ) -> None:
        import numpy as np
        from scipy.fft import next_fast_len

        self.initial, (self.lower, upper) = initial, interval
        length = upper - self.lower
        samples = initial(self.lower + torch.arange(SAMPLES, dtype=torch.float64) * (length / SAMPLES)).numpy()
        self.is_real = not np.iscomplexobj(samples)
        transform, inverse = (np.fft.rfft, np.fft.irfft) if self.is_real else (np.fft.fft, np.fft.ifft)
        # A transform has the negative k at its end, where negative indices find them.
        numbers = np.arange(0 if self.is_real else 1 - modes, modes)
        kept = slice(modes) if self.is_real else numbers
        wavenumbers = 2 * pi / length * numbers
        derivative = (1j * wavenumbers) ** order
        points = next_fast_len((degree + 1) * modes, real=self.is_real)

        def product(c: Any) -> Any:
            padded = np.zeros((*c.shape[:-1], points), dtype=complex)
            padded[..., kept] = c
            u = inverse(padded, points, norm="forward")
            return -derivative * transform(np.asarray(nonlinear(u)), norm="forward")[..., kept]

        state = transform(samples, norm="forward")[..., kept]
        eigenvalues = np.asarray(linear(wavenumbers), dtype=complex)
        carry = lawson4 if rotating else etdrk4
        frequencies = eigenvalues.imag if rotating else np.zeros_like(wavenumbers)
        nodes = (1 - np.cos(pi * np.arange(NODES) / (NODES - 1))) / 2
        to_series = np.linalg.inv(np.polynomial.chebyshev.chebvander(2 * nodes - 1, NODES - 1))
        if self.is_real:
            # The terms of k and -k are conjugate, so that the real part of one of them counts twice.
            to_series = to_series * 2
        self.wavenumbers = torch.from_numpy(wavenumbers).unsqueeze(0)
        self.frequencies = torch.from_numpy(frequencies).unsqueeze(-2)
        self.edges = torch.tensor(panels, dtype=torch.float64)
        self.series: list[Tensor] = []
        for start, end in pairwise(panels):
            states = [state]
            for gap in np.diff(nodes) * (end - start):
                states.append(carry(states[-1], eigenvalues, product, gap, ceil(gap / step)))
            turned = np.exp(-1j * (nodes * (end - start))[:, None] * frequencies[..., None, :])
            self.series.append(torch.from_numpy(to_series @ (turned * np.stack(states, axis=-2))))
            state = states[-1]

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return u at points, (points,) each in float64 on the CPU, in the shape of the initial value."""
        panel = torch.bucketize(t.detach(), self.edges[1:-1])
        begin, end = self.edges[panel], self.edges[panel + 1]
        polynomials = chebyshev((2 * t - begin - end) / (end - begin))
        at_start = self.initial(x)
        u = torch.zeros_like(at_start)
        for index, series in enumerate(self.series):
            for some in (panel == index).nonzero().squeeze(-1).split(POINTS_AT_ONCE):
                coefficients = polynomials[some].to(series) @ series
                u = u.index_copy(-1, some, self._sum(coefficients, x[some], (t - begin)[some]))
        # At the start the series would miss what lies above its last mode.
        return torch.where(t == 0, at_start, u)

    def _sum(self, coefficients: Tensor, x: Tensor, time: Tensor) -> Tensor:
        phase = (x - self.lower).unsqueeze(-1) * self.wavenumbers + time.unsqueeze(-1) * self.frequencies
        # exp(iφ) in half the time.
        terms = coefficients * torch.complex(torch.cos(phase), torch.sin(phase))
        if self.is_real:
            return terms.real.sum(dim=-1) - terms.real[..., 0] / 2
        return terms.sum(dim=-1)


def chebyshev(s: Tensor) -> Tensor:
    """T₀(s), …, T_{NODES-1}(s): (points, NODES)."""
    terms = [torch.ones_like(s), s]
    while len(terms) < NODES:
        terms.append(2 * s * terms[-1] - terms[-2])
    return torch.stack(terms, dim=-1)
