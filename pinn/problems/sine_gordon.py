"""The sine-Gordon equation."""

from math import sqrt

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Exact


class SineGordon(Problem):
    """u_tt - u_xx + sin u = 0 on (-10, 10) × (0, 10], with u and u_t at the start and u on both walls: a breather.

    Exact (Ablowitz, Kaup, Newell and Segur 1973), with α = √(1 - ω²): u = 4 atan(α/ω · sin ωt / cosh αx).

    Args:
        frequency: ω between 0 and 1. The breather is 4 atan(α/ω) high and has a width in proportion to 1 / α.
    """

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self, frequency: float = 0.5) -> None:
        super().__init__()
        positive(frequency=frequency)
        if frequency >= 1:
            raise InputError(f"a breather has a frequency below 1, that of small waves; it was given {frequency!r}.")
        self.frequency, self.decay = frequency, sqrt(1 - frequency**2)
        self.domain = Box(x=(-10, 10), t=(0, 10))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation, the initial value and velocity, and the boundary condition."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), self.initial),
            "walls": Constraint(self.domain.boundary("x"), self.walls),
        }

    def equation(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u_tt - u_xx + sin u."""
        return partial(u, t, t) - partial(u, x, x) + torch.sin(u)

    def initial(self, u: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u and u_t - 4α / cosh αx."""
        return {"value": u, "velocity": partial(u, t) - 4 * self.decay / torch.cosh(self.decay * x)}

    def walls(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """u minus the exact one."""
        return u - self.exact(x, t)["u"]

    def reference(self) -> Exact:
        """Return the breather."""
        return Exact(self.exact)

    def exact(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """u = 4 atan(α/ω · sin ωt / cosh αx)."""
        swing = self.decay / self.frequency * torch.sin(self.frequency * t)
        return {"u": 4 * torch.atan(swing / torch.cosh(self.decay * x))}
