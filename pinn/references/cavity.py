"""Steady flow in a square cavity with a moving lid: Legendre polynomials, singular corners, Newton's method."""

from math import log
from typing import Any

import torch
from torch import Tensor

from pinn.errors import InputError

NEWTON_STEPS = 30


class CavityFlow:
    """(u·∇)u + ∇p = Δu / Re, ∇·u = 0 on (0, 1)², u = 4x(1 - x) on the lid y = 1, rest on the other sides, p(0, 0) = 0.

    With a stream function, u = ψ_y and v = -ψ_x, the equations say ∫ Δψ Δφ / Re + Δψ (ψ_y φ_x - ψ_x φ_y) = 0 for all
    φ that vanish with their slope on all sides. ψ = `corners` + w, where w is a polynomial: a lifting of what the
    corners leave on the sides, and the clamped polynomials of Shen (1994), in which Newton's method solves for the
    rest, beginning with the flow without inertia. p is what has nearest to the gradient that the balance of momentum
    asks for.

    Args:
        reynolds: Re > 0.
        modes: number of Legendre polynomials in each direction.

    Raises:
        InputError: Newton's method does not converge, because Re is too large.
    """

    def __init__(self, reynolds: float, modes: int) -> None:
        import numpy as np

        self.viscosity = 1 / reynolds
        nodes, weights = np.polynomial.legendre.leggauss(modes + 12)
        nodes, weight = (nodes + 1) / 2, np.outer(weights, weights).reshape(-1, 1) / 4
        basis, clamped = [_legendre(nodes, modes, order) for order in range(4)], _clamped(modes)
        x, y = np.meshgrid(nodes, nodes, indexing="ij")
        singular = {key: value.numpy() for key, value in corners(torch.from_numpy(x), torch.from_numpy(y)).items()}

        def phi(i: int, j: int) -> Any:
            return np.kron(basis[i] @ clamped, basis[j] @ clamped)

        def w(i: int, j: int) -> Any:
            return (basis[i] @ series @ basis[j].T).reshape(-1, 1)

        def psi(name: str, i: int, j: int) -> Any:
            return w(i, j) + singular[name].reshape(-1, 1)

        phi_x, phi_y, laplacian = phi(1, 0), phi(0, 1), phi(2, 0) + phi(0, 2)
        viscous = self.viscosity * laplacian.T @ (weight * laplacian)
        series = _lifting(modes)
        u = v = vorticity = np.zeros_like(weight)
        for _ in range(NEWTON_STEPS):
            carried = u * phi_x + v * phi_y
            turned = phi_x.T @ (weight * vorticity * phi_y)
            residual = self.viscosity * laplacian.T @ (weight * (w(2, 0) + w(0, 2))) - carried.T @ (weight * vorticity)
            change = np.linalg.solve(viscous + carried.T @ (weight * laplacian) - turned + turned.T, -residual)
            change = clamped @ change.reshape(modes - 4, modes - 4) @ clamped.T
            series = series + change
            u, v, vorticity = psi("y", 0, 1), -psi("x", 1, 0), -psi("xx", 2, 0) - psi("yy", 0, 2)
            # The series is of order 1/10, so that these are its last digits.
            if abs(change).max() < 1e-13:
                break
        else:
            raise InputError(f"the flow in a cavity was not found for reynolds={reynolds:g}; choose a smaller one.")
        # The singular parts of Δu and ∇p are equal.
        momentum_x = self.viscosity * (w(2, 1) + w(0, 3)) - u * psi("xy", 1, 1) - v * psi("yy", 0, 2)
        momentum_y = -self.viscosity * (w(3, 0) + w(1, 2)) + u * psi("xx", 2, 0) + v * psi("xy", 1, 1)
        self.u = torch.from_numpy(series @ _differentiation(modes).T)
        self.v = torch.from_numpy(-_differentiation(modes) @ series)
        self.p = torch.from_numpy(_potential(weight * momentum_x, weight * momentum_y, basis))

    def __call__(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return u, v and p at points, (points,) each in float64 on the CPU; p is infinite at the upper corners."""
        along, up = polynomials(x, len(self.u)), polynomials(y, len(self.u))
        u, v, p = (((along @ series) * up).sum(dim=-1) for series in (self.u, self.v, self.p))
        singular = corners(x, y)
        # log 2 makes it vanish at the gauge.
        left, right = x**2 + (1 - y) ** 2, (1 - x) ** 2 + (1 - y) ** 2
        pressure = 4 * self.viscosity * (torch.log(left) - torch.log(right) + log(2))
        return {"u": u + singular["y"], "v": v - singular["x"], "p": p + pressure}


def corners(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return a flow without inertia whose speed on the lid is 4x near the left corner and 4 (1 - x) near the right one.

    At a distance s along the lid and d below it, r² = s² + d² and tan θ = d / s: ψ = πd² - 2r²θ - 2sd. It solves
    Δ²ψ = 0, has ψ_d = -4s at d = 0, and is at rest at s = 0, but its second derivatives have no value in the corner,
    and its pressure is 8 log r / Re there, with the other sign on the right.

    Returns:
        ψ as `0`, and its derivatives as `x`, `y`, `xx`, `xy` and `yy`.
    """
    total: dict[str, Tensor] = {}
    for s, d, side in ((x, 1 - y, 1), (1 - x, 1 - y, -1)):
        angle, square = torch.atan2(d, s), s**2 + d**2
        terms = {
            "0": torch.pi * d**2 - 2 * square * angle - 2 * s * d,
            "x": -4 * side * s * angle,
            "y": -2 * torch.pi * d + 4 * d * angle + 4 * s,
            "xx": -4 * angle + 4 * s * d / square,
            "xy": 4 * side * s**2 / square,
            "yy": 2 * torch.pi - 4 * angle - 4 * s * d / square,
        }
        total = {name: term + total.get(name, 0) for name, term in terms.items()}
    return total


def _lifting(modes: int) -> Any:
    """Return a smooth polynomial that has on the sides what the flow has and its corners have not."""
    import numpy as np

    nodes = (1 - np.cos(np.pi * (np.arange(3 * modes) + 0.5) / (3 * modes))) / 2
    inside = _legendre(nodes, modes, 0)
    ends = [_legendre(np.array([0.0, 1.0]), modes, order) for order in (0, 1)]
    rows, values = [], []
    for end in (0, 1):
        fixed = np.full_like(nodes, end)
        side, level = (
            {key: value.numpy() for key, value in corners(*map(torch.from_numpy, pair)).items()}
            for pair in ((fixed, nodes), (nodes, fixed))
        )
        rows += [np.kron(row[end], inside) for row in ends] + [np.kron(inside, row[end]) for row in ends]
        values += [-side["0"], -side["x"], -level["0"], end * 4 * nodes * (1 - nodes) - level["y"]]
    # Of all such polynomials the one with the least high modes.
    size = (1 + np.add.outer(np.arange(modes) ** 2, np.arange(modes) ** 2).ravel()) ** -2.0
    solution = np.linalg.lstsq(np.vstack(rows) * size, np.concatenate(values), rcond=1e-13)[0]
    return (solution * size).reshape(modes, modes)


def _potential(flux_x: Any, flux_y: Any, basis: list[Any]) -> Any:
    """Return the series of the p with p(0, 0) = 0 for which |∇p - g|² has the least integral, given weighted g."""
    import numpy as np
    from scipy.linalg import eigh

    modes, count = basis[0].shape[1], len(basis[0])
    weights = np.polynomial.legendre.leggauss(count)[1].reshape(-1, 1) / 2
    mass, stiffness = (part.T @ (weights * part) for part in basis[:2])
    eigenvalues, vectors = eigh(stiffness, mass)
    flux_x, flux_y = flux_x.reshape(count, count), flux_y.reshape(count, count)
    right = vectors.T @ (basis[1].T @ flux_x @ basis[0] + basis[0].T @ flux_y @ basis[1]) @ vectors
    both = np.add.outer(eigenvalues, eigenvalues)
    both[0, 0] = np.inf  # the constant, which has no gradient
    series = vectors @ (right / both) @ vectors.T
    corner = _legendre(np.zeros(1), modes, 0)[0]
    series[0, 0] -= corner @ series @ corner
    return series


def _legendre(points: Any, modes: int, order: int) -> Any:
    """Values of a derivative of P₀(2s - 1), … by s: (points, modes)."""
    import numpy as np

    derivative = np.linalg.matrix_power(_differentiation(modes), order)
    return np.polynomial.legendre.legvander(2 * points - 1, modes - 1) @ derivative


def _differentiation(modes: int) -> Any:
    """Return the matrix that maps a Legendre series in 2s - 1 to that of its derivative by s."""
    import numpy as np

    n = np.arange(modes)
    return np.where((n[None] > n[:, None]) & ((n[None] - n[:, None]) % 2 == 1), 2 * (2 * n[:, None] + 1), 0.0)


def _clamped(modes: int) -> Any:
    """Return as columns the series that vanish with their slope at both ends, their second derivatives orthonormal."""
    import numpy as np

    k = np.arange(modes - 4)
    columns = np.zeros((modes, modes - 4))
    columns[k, k], columns[k + 2, k], columns[k + 4, k] = 1, -2 * (2 * k + 5) / (2 * k + 7), (2 * k + 3) / (2 * k + 7)
    return columns / np.sqrt(2 * (2 * k + 3) ** 2 * (2 * k + 5))


def polynomials(s: Tensor, modes: int) -> Tensor:
    """P₀(2s - 1), …, P_{modes-1}(2s - 1): (points, modes)."""
    z = 2 * s - 1
    terms = [torch.ones_like(z), z]
    for n in range(1, modes - 1):
        terms.append(((2 * n + 1) * z * terms[n] - n * terms[n - 1]) / (n + 1))
    return torch.stack(terms, dim=-1)
