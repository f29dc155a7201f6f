"""A thin fin that loses its heat by radiation."""

from functools import cached_property

from torch import Tensor

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.problems.constraint import Constraint
from pinn.problems.problem import Problem, positive
from pinn.references import Computed, TwoPoint
from pinn.references.reference import Solution

STEFAN_BOLTZMANN = 5.670374419e-8
"""σ in W / (m² K⁴)."""


class ThinFin(Problem):
    """k δ T'' = 2 σ ε (T⁴ - T_s⁴) on (0, L), T(0) = T_0, T'(L) = 0: conduction along a fin, radiation from both faces.

    Everything is in units of m, K and W, and σ = 5.670374419e-8 W / (m² K⁴).

    Args:
        length: L > 0, in m.
        conductivity: k > 0, in W / (m K).
        thickness: δ > 0, in m.
        emissivity: ε > 0.
        base: T_0 > 0, in K.
        surroundings: T_s > 0, in K.
    """

    coordinates, fields = ("x",), ("T",)

    def __init__(
        self,
        length: float = 0.2,
        conductivity: float = 200.0,
        thickness: float = 0.002,
        emissivity: float = 0.9,
        base: float = 800.0,
        surroundings: float = 300.0,
    ) -> None:
        super().__init__()
        positive(length=length, conductivity=conductivity, thickness=thickness)
        positive(emissivity=emissivity, base=base, surroundings=surroundings)
        self.conductivity, self.thickness, self.emissivity = conductivity, thickness, emissivity
        self.base, self.surroundings = base, surroundings
        self.domain = Box(x=(0, length))

    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and the conditions at the base and at the tip."""
        length = self.domain.upper[0]
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "base": Constraint(self.domain.face(x=0), self.root),
            "tip": Constraint(self.domain.face(x=length), self.tip),
        }

    def equation(self, T: Tensor, x: Tensor) -> Tensor:
        """k δ T'' - 2 σ ε (T⁴ - T_s⁴)."""
        return self.conductivity * self.thickness * partial(T, x, x) - self.radiation(T)

    def radiation(self, T: Tensor) -> Tensor:
        """2 σ ε (T⁴ - T_s⁴)."""
        return 2 * STEFAN_BOLTZMANN * self.emissivity * (T**4 - self.surroundings**4)

    def root(self, T: Tensor) -> Tensor:
        """T - T_0."""
        return T - self.base

    def tip(self, T: Tensor, x: Tensor) -> Tensor:
        """Return T', which is zero: no heat leaves through the tip."""
        return partial(T, x)

    def reference(self) -> Computed:
        """Return the Chebyshev series."""
        return self._reference

    @cached_property
    def _reference(self) -> Computed:
        return Computed("Chebyshev collocation", self.solve, 64, 48, self.domain)

    def solve(self, nodes: int) -> Solution:
        """Return the solution with so many nodes."""
        fin = TwoPoint(
            curvature=lambda x, T: self.radiation(T) / (self.conductivity * self.thickness),
            interval=self.domain.intervals["x"],
            ends=((0, self.base), (1, 0.0)),
            guess=self.base,
            nodes=nodes,
        )
        return lambda x: {"T": fin(x)}
