"""The Klein-Gordon equation with a cubic term."""

from math import pi

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class KleinGordon(Problem):
    """u_tt - u_xx + u³ = f on (0, 1) × (0, 1], with u and u_t at the start and u on both walls.

    f is made for u = x cos wπt + (xt)³, the example of Wang, Teng and Perdikaris (2021).

    Args:
        frequency: w > 0.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, frequency: float = 5.0) -> None:
        super().__init__()
        positive(frequency=frequency)
        self.frequency = frequency
        self.domain = Box(x=(0, 1), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial value and velocity, and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary("x"), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_tt - u_xx + u³ - f."""
        return partial(u, t, t) - partial(u, x, x) + u**3 - self.source(x, t)

    def initial(self, u: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u - x and u_t."""
        return {"value": u - x, "velocity": partial(u, t)}

    def walls(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u minus the exact one."""
        return u - self.exact(x, t)["u"]

    def source(self, x: Tensor, t: Tensor) -> Tensor:
        """f = 6x³t - (wπ)² x cos wπt - 6xt³ + (x cos wπt + (xt)³)³."""
        swing = x * torch.cos(self.frequency * pi * t)
        return 6 * x**3 * t - (self.frequency * pi) ** 2 * swing - 6 * x * t**3 + (swing + (x * t) ** 3) ** 3

    def reference(self) -> Exact:
        """Return the solution that the source is made for."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = x cos wπt + (xt)³."""
        return {"u": x * torch.cos(self.frequency * pi * t) + (x * t) ** 3}
