"""Taylor-Green vortices: the Navier-Stokes equations on a torus."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.navier_stokes import steady_navier_stokes
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class TaylorGreen(Problem):
    """u_t + (u·∇)u + ∇p = ν Δu, ∇·u = 0 for u = (u, v) on (0, 2π)² × (0, 1], periodic in x and y.

    u(x, y, 0) = -cos x sin y, v(x, y, 0) = sin x cos y, and p is given in one corner. Exact (Taylor 1923): the vortices
    decay like e = exp(-2νt), and p = -¼ (cos 2x + cos 2y) e².

    Args:
        viscosity: ν > 0.
    """

    coordinates, fields = ("x", "y", "t"), ("u", "v", "p")

    def __init__(self, viscosity: float = 0.1) -> None:
        super().__init__()
        positive(viscosity=viscosity)
        self.viscosity = viscosity
        self.domain = Box(x=(0, 2 * pi), y=(0, 2 * pi), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations, the initial velocity, the periodic conditions and the pressure in one corner."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring_x": Constraint(self.domain.periodic("x"), self.ring_x),
            "ring_y": Constraint(self.domain.periodic("y"), self.ring_y),
            "gauge": Constraint(self.domain.at(x=0, y=0), self.gauge),
        }

    def equation(self, u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """Balance of momentum in x and y, and of mass."""
        balance = steady_navier_stokes(u, v, p, x, y, 1 / self.viscosity)
        balance["momentum_x"] = partial(u, t) + balance["momentum_x"]
        balance["momentum_y"] = partial(v, t) + balance["momentum_y"]
        return balance

    def initial(self, u: Tensor, v: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """u + cos x sin y and v - sin x cos y."""
        return {"u": u + torch.cos(x) * torch.sin(y), "v": v - torch.sin(x) * torch.cos(y)}

    def ring_x(
        self, u: Tensor, v: Tensor, p: Tensor, u_image: Tensor, v_image: Tensor, p_image: Tensor, x: Tensor
    ) -> dict[str, Tensor]:
        """u, v, p, u_x and v_x at x = 2π minus those at x = 0."""
        across, along = u_image - u, v_image - v
        return {"u": across, "v": along, "p": p_image - p, "u_x": partial(across, x), "v_x": partial(along, x)}

    def ring_y(
        self, u: Tensor, v: Tensor, p: Tensor, u_image: Tensor, v_image: Tensor, p_image: Tensor, y: Tensor
    ) -> dict[str, Tensor]:
        """u, v, p, u_y and v_y at y = 2π minus those at y = 0."""
        along, across = u_image - u, v_image - v
        return {"u": along, "v": across, "p": p_image - p, "u_y": partial(along, y), "v_y": partial(across, y)}

    def gauge(self, p: Tensor, t: Tensor) -> Tensor:
        """p + ½ exp(-4νt)."""
        return p + torch.exp(-4 * self.viscosity * t) / 2

    def reference(self) -> Exact:
        """Return the decaying vortices."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = -cos x sin y e, v = sin x cos y e and p = -¼ (cos 2x + cos 2y) e² with e = exp(-2νt)."""
        decay = torch.exp(-2 * self.viscosity * t)
        return {
            "u": -torch.cos(x) * torch.sin(y) * decay,
            "v": torch.sin(x) * torch.cos(y) * decay,
            "p": -(torch.cos(2 * x) + torch.cos(2 * y)) * decay**2 / 4,
        }
