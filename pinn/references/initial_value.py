"""Ordinary differential equations, integrated from their start by a Runge-Kutta method."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from pinn.domains import Box
from pinn.references.reference import Computed, Solution

Rate = Callable[[float, Any], Sequence[Any]]
"""f of y' = f(t, y)."""

DIGITS, FEWER_DIGITS = 13, 12
"""Of the relative tolerance of the integrator, 1e-13, and of the one that tells the error."""
DEGREES = {"DOP853": 7, "Radau": 3}
"""Of the polynomial that a method gives within a step."""


def initial_value(
    rate: Rate,
    start: Mapping[str, float],
    box: Box,
    fields: Sequence[str],
    method: Literal["DOP853", "Radau"] = "DOP853",
    smallest: float = 1e-2,
) -> Computed:
    """Return y with y' = f(t, y) and y(t₀) given, by SciPy's adaptive integrators of high order.

    Between two steps it is the polynomial of the method, so that it can be differentiated.

    Args:
        rate: f, from a number and an array of the unknowns in the order of `start` to as many rates.
        start: y(t₀) by name.
        box: of the time alone.
        fields: which of the unknowns to return.
        method: `Radau` for what is stiff (Hairer and Wanner 1996), else `DOP853` (Hairer, Nørsett and Wanner 1993).
        smallest: size of the smallest unknown that matters, for the absolute tolerance.
    """

    def solve(digits: int) -> Solution:
        return _Integrated(rate, start, box, fields, method, 10.0**-digits, smallest)

    return Computed(f"Runge-Kutta method {method}", solve, DIGITS, FEWER_DIGITS, box)


class _Integrated:
    """The solution of one integration: a polynomial for each of its steps."""

    def __init__(
        self,
        rate: Rate,
        start: Mapping[str, float],
        box: Box,
        fields: Sequence[str],
        method: str,
        tolerance: float,
        smallest: float,
    ) -> None:
        import numpy as np
        from scipy.integrate import solve_ivp

        [(self.time, interval)] = box.intervals.items()
        self.fields = fields
        found = solve_ivp(
            rate,
            interval,
            list(start.values()),
            method=method,
            rtol=tolerance,
            atol=tolerance * smallest,
            dense_output=True,
        )
        degree = DEGREES[method]
        nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
        begin, end = found.t[:-1, None], found.t[1:, None]
        at = (begin + end) / 2 + (end - begin) / 2 * nodes
        values = found.sol(at.ravel()).reshape(len(start), *at.shape)
        # Powers of -1 … 1 over a step, by the values at its Chebyshev nodes.
        powers = np.linalg.solve(np.vander(nodes, increasing=True), np.moveaxis(values, -1, 0).reshape(degree + 1, -1))
        self.powers = torch.tensor(powers.reshape(degree + 1, len(start), len(found.t) - 1))
        self.steps = torch.tensor(found.t)
        self.rows = [list(start).index(name) for name in fields]

    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Evaluate the polynomials."""
        t = coordinates[self.time]
        step = torch.bucketize(t.detach().contiguous(), self.steps[1:-1], right=True)
        begin, end = self.steps[step], self.steps[step + 1]
        z = (2 * t - begin - end) / (end - begin)
        result = {}
        for name, row in zip(self.fields, self.rows, strict=True):
            value = torch.zeros_like(t)
            for power in self.powers[:, row].flip(0):
                value = value * z + power[step]
            result[name] = value
        return result
