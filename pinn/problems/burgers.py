"""The viscous Burgers equation."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact, cole_hopf


class Burgers(Problem):
    """u_t + u u_x = ν u_xx on (-1, 1) × (0, 1], u(x, 0) = -sin πx, u(±1, t) = 0.

    A front steepens at x = 0 until t ≈ 1/2, where |u_x| reaches 152 for ν = 0.01/π. Exact by Cole-Hopf.

    Args:
        viscosity: ν > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, viscosity: float = 0.01 / pi) -> None:
        super().__init__()
        positive(viscosity=viscosity)
        self.viscosity = viscosity
        self.domain = Box(x=(-1, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary("x"), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t + u u_x - ν u_xx."""
        u_x, u_t = gradient(u, (x, t))
        return u_t + u * u_x - self.viscosity * partial(u_x, x)

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u + sin πx."""
        return u + torch.sin(pi * x)

    def walls(self, u: Tensor) -> Tensor:
        """Return u, which is zero at the walls."""
        return u

    def reference(self) -> Exact:
        """Return the Cole-Hopf solution."""
        return Exact(cole_hopf(self.viscosity), error=1e-13)
