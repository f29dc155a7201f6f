"""The steady Navier-Stokes equations in the plane."""

from torch import Tensor

from pinn.derivatives import gradient, partial


def steady_navier_stokes(u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor, reynolds: float) -> dict[str, Tensor]:
    """Balance of momentum in x and y, and of mass: (u·∇)u + ∇p - Δu / Re and ∇·u, (points,) each."""
    u_x, u_y = gradient(u, (x, y))
    v_x, v_y = gradient(v, (x, y))
    p_x, p_y = gradient(p, (x, y))
    return {
        "momentum_x": u * u_x + v * u_y + p_x - (partial(u_x, x) + partial(u_y, y)) / reynolds,
        "momentum_y": u * v_x + v * v_y + p_y - (partial(v_x, x) + partial(v_y, y)) / reynolds,
        "continuity": u_x + v_y,
    }
