"""Exponential Runge-Kutta steps for stiff systems whose linear part is diagonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Complex = NDArray[np.complex128]


def etdrk4(
    state: Complex, linear: Complex, nonlinear: Callable[[Complex], Complex], duration: float, steps: int
) -> Complex:
    """Carry c' = λ c + N(c) on by `duration` in equal steps of fourth order (ETDRK4: Cox and Matthews 2002).

    The linear part is solved exactly, so that it limits no step, however large λ is; N enters by the functions φ.

    Args:
        state: c, (modes,).
        linear: λ, (modes,).
        nonlinear: N as a function of c.
        duration: how far to go.
        steps: how many steps that takes.
    """
    import numpy as np

    h = duration / steps
    half, whole = np.exp(linear * h / 2), np.exp(linear * h)
    forward = h / 2 * phi(linear * h / 2, 1)[0]
    first, second, third = phi(linear * h, 3)
    at_start, in_between, at_end = first - 3 * second + 4 * third, 2 * second - 4 * third, 4 * third - second
    for _ in range(steps):
        n = nonlinear(state)
        a = half * state + forward * n
        n_a = nonlinear(a)
        n_b = nonlinear(half * state + forward * n_a)
        n_c = nonlinear(half * a + forward * (2 * n_b - n))
        state = whole * state + h * (at_start * n + in_between * (n_a + n_b) + at_end * n_c)
    return state


def lawson4(
    state: Complex, linear: Complex, nonlinear: Callable[[Complex], Complex], duration: float, steps: int
) -> Complex:
    """Carry c' = λ c + N(c) on by `duration` in equal steps of the Runge-Kutta method for exp(-λt) c (Lawson 1967).

    Where λ is imaginary and N does little else than shift frequencies, a mode may turn many times within a step. ETDRK4
    takes N to change little in a step, so that it needs |λ| h < 1 for every mode that matters.

    Args:
        state: c, (modes,).
        linear: λ, (modes,).
        nonlinear: N as a function of c.
        duration: how far to go.
        steps: how many steps that takes.
    """
    import numpy as np

    h = duration / steps
    half = np.exp(linear * h / 2)
    for _ in range(steps):
        n = nonlinear(state)
        n_a = nonlinear(half * (state + h / 2 * n))
        n_b = nonlinear(half * state + h / 2 * n_a)
        n_c = nonlinear(half * (half * state + h * n_b))
        state = half * (half * (state + h / 6 * n) + h / 3 * (n_a + n_b)) + h / 6 * n_c
    return state


def phi(z: Complex, order: int) -> list[Complex]:
    """Return φ₁(z), …, φ_order(z), where φ₀ = exp and φₙ(z) = (φₙ₋₁(z) - 1 / (n-1)!) / z.

    That quotient cancels near z = 0; where |z| < 1, the series Σⱼ zʲ / (j+n)! takes its place, to round-off.
    """
    import numpy as np

    near, far = np.where(abs(z) < 1, z, 0), np.where(abs(z) < 1, 1, z)
    result, quotient, factorial = [], np.exp(far), 1.0
    for n in range(1, order + 1):
        quotient = (quotient - 1 / factorial) / far
        factorial *= n
        series = term = np.full_like(z, 1 / factorial)
        for j in range(1, 18):
            term = term * near / (j + n)
            series = series + term
        result.append(np.where(abs(z) < 1, series, quotient))
    return result
