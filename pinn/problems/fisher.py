"""Fisher's equation."""

from math import sqrt

import torch
from torch import Tensor

from pinn.derivatives import gradient, partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class Fisher(Problem):
    """u_t = D u_xx + r u (1 - u) on (-1, 1) × (0, 1], with u at the start and on both walls: a front that travels.

    Exact (Ablowitz and Zeppetella 1979), with k = √(r / 6D): u = (1 + exp(k (x + ½) - 5rt/6))⁻². With the defaults
    the front goes from -½ to ½. Ahead of it u = 0 is unstable, so that an error grows there like exp(rt).

    Args:
        diffusivity: D > 0.
        growth: r > 0. The front is about 3.7 / k wide and as fast as 5 √(rD/6).
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, diffusivity: float = 0.02, growth: float = 12.0) -> None:
        super().__init__()
        positive(diffusivity=diffusivity, growth=growth)
        self.diffusivity, self.growth = diffusivity, growth
        self.domain = Box(x=(-1, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.difference),
            "walls": Constraint(self.domain.boundary("x"), self.difference),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_t - D u_xx - r u (1 - u)."""
        u_x, u_t = gradient(u, (x, t))
        return u_t - self.diffusivity * partial(u_x, x) - self.growth * u * (1 - u)

    def difference(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u minus the exact one."""
        return u - self.exact(x, t)["u"]

    def reference(self) -> Exact:
        """Return the travelling front."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = (1 + exp(k (x + ½) - 5rt/6))⁻²."""
        steepness = sqrt(self.growth / (6 * self.diffusivity))
        return {"u": (1 + torch.exp(steepness * (x + 0.5) - 5 * self.growth * t / 6)) ** -2}
