"""A reaction in a porous slab that heats itself, with a rate by the law of Arrhenius."""

from functools import cached_property

import torch
from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, TwoPoint
from pinn.references.reference import Solution


class Arrhenius(Problem):
    """u'' = φ² u exp(γ β (1 - u) / (1 + β (1 - u))) on (0, 1), u'(0) = 0, u(1) = 1: diffusion and reaction in a slab.

    u is the concentration and 1 + β (1 - u) the temperature, both relative to those at the surface (Weisz and Hicks
    1962). Where γ β > 4 (1 + β) there may be three solutions; the reference is the one that Newton's method finds.

    Args:
        thiele: φ > 0, the modulus of Thiele.
        activation: γ > 0, the energy of activation.
        heating: β > 0, the heat of the reaction.
    """

    coordinates, fields = ("x",), ("u",)

    def __init__(self, thiele: float = 1.0, activation: float = 20.0, heating: float = 0.1) -> None:
        super().__init__()
        positive(thiele=thiele, activation=activation, heating=heating)
        self.thiele, self.activation, self.heating = thiele, activation, heating
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the conditions in the middle of the slab and at its surface."""
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "middle": Constraint(self.domain.face(x=0), self.middle),
            "surface": Constraint(self.domain.face(x=1), self.surface),
        }

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        """u'' - φ² u exp(γ β (1 - u) / (1 + β (1 - u)))."""
        return partial(u, x, x) - self.reaction(u)

    def reaction(self, u: Tensor) -> Tensor:
        """φ² u exp(γ β (1 - u) / (1 + β (1 - u)))."""
        warming = self.heating * (1 - u)
        return self.thiele**2 * u * torch.exp(self.activation * warming / (1 + warming))

    def middle(self, u: Tensor, x: Tensor) -> Tensor:
        """Return u', which is zero."""
        return partial(u, x)

    def surface(self, u: Tensor) -> Tensor:
        """u - 1."""
        return u - 1

    def reference(self) -> Computed:
        """Return the Chebyshev series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Chebyshev collocation", self.solve, 64, 48, self.domain)

    def solve(self, nodes: int) -> Solution:
        """Return the solution with so many nodes."""
        slab = TwoPoint(
            curvature=lambda x, u: self.reaction(u),
            interval=self.domain.intervals["x"],
            ends=((1, 0.0), (0, 1.0)),
            guess=1.0,
            nodes=nodes,
        )
        return lambda x: {"u": slab(x)}
