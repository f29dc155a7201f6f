"""The advection equation on a ring."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import gradient
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Advection(Problem):
    """u_t + β u_x = 0 on (0, 2π) × (0, 1], u(x, 0) = sin x, u(0, t) = u(2π, t).

    Exact: u = sin(x - βt), a wave that goes β/2π times round the ring.

    Args:
        speed: β > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, speed: float = 40.0) -> None:
        super().__init__()
        positive(speed=speed)
        self.speed = speed
        self.domain = Box(x=(0, 2 * pi), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the periodic condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t + β u_x."""
        u_x, u_t = gradient(u, (x, t))
        return u_t + self.speed * u_x

    def initial(self, u: Tensor, x: Tensor) -> Tensor:
        """u - sin x."""
        return u - torch.sin(x)

    def ring(self, u: Tensor, u_image: Tensor) -> Tensor:
        """u(0, t) - u(2π, t)."""
        return u - u_image

    def reference(self) -> Exact:
        """Return the travelling wave."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = sin(x - βt)."""
        return {"u": torch.sin(x - self.speed * t)}
