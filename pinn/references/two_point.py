"""Ordinary differential equations with a condition at each end, by Chebyshev collocation and Newton's method."""

from collections.abc import Callable

import torch
from torch import Tensor

from pinn.errors import InputError

NEWTON_STEPS = 50


class TwoPoint:
    """u'' = f(x, u) on (a, b), u or u' given at each end, as a Chebyshev series, which can be differentiated.

    The unknowns are the values of u'' at the Chebyshev nodes and two constants; u is the series of those values,
    integrated twice. So no digits are lost, as they are where a series is differentiated twice (Greengard 1991).

    Args:
        curvature: f, element by element.
        interval: a and b.
        ends: for a and for b, the order of the derivative that is given, 0 or 1, and its value.
        guess: a constant that Newton's method begins with.
        nodes: how many there are.

    Raises:
        InputError: Newton's method does not converge.
    """

    def __init__(
        self,
        curvature: Callable[[Tensor, Tensor], Tensor],
        interval: tuple[float, float],
        ends: tuple[tuple[int, float], tuple[int, float]],
        guess: float,
        nodes: int,
    ) -> None:
        import numpy as np
        from numpy.polynomial import chebyshev

        self.middle, self.half = (interval[0] + interval[1]) / 2, (interval[1] - interval[0]) / 2
        z = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
        x = torch.from_numpy(self.middle + self.half * z)
        # Maps the unknowns to the series of u.
        series = np.zeros((nodes + 2, nodes + 2))
        series[:, :nodes] = chebyshev.chebint(np.linalg.inv(chebyshev.chebvander(z, nodes - 1)), m=2, scl=self.half)
        series[:2, nodes:] = np.eye(2)
        at_nodes = chebyshev.chebval(z, series).T
        at_ends = [
            chebyshev.chebval(end, chebyshev.chebder(series, order, scl=1 / self.half))
            for end, (order, _) in zip((-1, 1), ends, strict=True)
        ]
        unknowns = np.zeros(nodes + 2)
        unknowns[nodes] = guess
        for _ in range(NEWTON_STEPS):
            u = torch.from_numpy(at_nodes @ unknowns).requires_grad_()
            with torch.enable_grad():
                f = curvature(x, u)
                (f_u,) = torch.autograd.grad(f.sum(), u)
            missed = [value - row @ unknowns for row, (_, value) in zip(at_ends, ends, strict=True)]
            matrix = np.vstack([np.eye(nodes, nodes + 2) - f_u.numpy()[:, None] * at_nodes, *at_ends])
            change = np.linalg.solve(matrix, np.append(f.detach().numpy() - unknowns[:nodes], missed))
            unknowns = unknowns + change
            # The next change would be of the order of the square of this one.
            if abs(at_nodes @ change).max() <= 1e-8 * abs(at_nodes @ unknowns).max():
                break
        else:
            raise InputError("Newton's method did not converge on a two-point problem; choose milder coefficients.")
        self.series = torch.from_numpy(series @ unknowns)

    def __call__(self, x: Tensor) -> Tensor:
        """Return u at points, (points,) each in float64 on the CPU, by Clenshaw's recurrence."""
        z = (x - self.middle) / self.half
        after, later = torch.zeros_like(z), torch.zeros_like(z)
        for coefficient in self.series[1:].flip(0):
            after, later = coefficient + 2 * z * after - later, after
        return self.series[0] + z * after - later
