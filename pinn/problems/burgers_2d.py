"""The viscous Burgers equations in the plane."""

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Burgers2D(Problem):
    """u_t + (u·∇)u = ν Δu for u = (u, v) on (0, 1)² × (0, 1], with u and v at the start and on all walls.

    Exact (Fletcher 1983), with s = (4y - 4x - t) / 32ν: u = ¾ - ¼ / (1 + exp s) and v = ¾ + ¼ / (1 + exp s), a front
    along the diagonal.

    Args:
        viscosity: ν > 0.
    """

    coordinates, fields = ("x", "y", "t"), ("u", "v")

    def __init__(self, viscosity: float = 0.01) -> None:
        super().__init__()
        positive(viscosity=viscosity)
        self.viscosity = viscosity
        self.domain = Box(x=(0, 1), y=(0, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equations, the initial and the boundary conditions."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.difference),
            "walls": Constraint(self.domain.boundary(), self.difference),
        }

    def equation(self, u: Tensor, v: Tensor, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u_t + u u_x + v u_y - ν Δu and v_t + u v_x + v v_y - ν Δv."""
        u_x, u_y, u_t = gradient(u, (x, y, t))
        v_x, v_y, v_t = gradient(v, (x, y, t))
        return {
            "u": u_t + u * u_x + v * u_y - self.viscosity * (partial(u_x, x) + partial(u_y, y)),
            "v": v_t + u * v_x + v * v_y - self.viscosity * (partial(v_x, x) + partial(v_y, y)),
        }

    def difference(self, u: Tensor, v: Tensor, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """Velocity minus the exact one."""
        exact = self.exact(x, y, t)
        return {"u": u - exact["u"], "v": v - exact["v"]}

    def reference(self) -> Exact:
        """Return the front."""
        return Exact(self.exact)

    def exact(self, x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = ¾ - ¼ / (1 + exp s) and v = ¾ + ¼ / (1 + exp s)."""
        front = torch.sigmoid(-(4 * y - 4 * x - t) / (32 * self.viscosity)) / 4
        return {"u": 0.75 - front, "v": 0.75 + front}
