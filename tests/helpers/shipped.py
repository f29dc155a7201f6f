"""The problems that ship, with what their documentation promises of them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

from torch import Tensor

from pinn.problems import (
    Advection,
    AllenCahn,
    Arrhenius,
    Bratu,
    Burgers,
    Burgers2D,
    CahnHilliard,
    Cavity,
    Duffing,
    Fisher,
    GinzburgLandau,
    GrayScott,
    Heat,
    Heat2D,
    Helmholtz,
    KdV,
    KleinGordon,
    Kovasznay,
    KuramotoSivashinsky,
    Lorenz,
    LotkaVolterra,
    Poisson,
    PoissonCosines,
    PoissonMultiscale,
    PoissonParabola,
    Problem,
    Robertson,
    Schrodinger,
    SineGordon,
    TaylorGreen,
    ThinFin,
    VanDerPol,
    Wave,
)
from pinn.references import CavityFlow


@dataclass(frozen=True)
class Shipped:
    """A problem by the name of its configuration.

    Args:
        problem: its class; the defaults of its constructor are the problem of the documentation.
        domain: as the documentation states it.
        tolerance: for the residuals that the exact solution leaves in float64.
        of_conditions: the tolerance of all rows but the equation's, where that is another.
        of_the_reference: functions in its file that only the reference uses.
        points: of each region on which residuals are looked at, fewer where a point is costly.
        margin: what is left out at both ends of each coordinate of a region, as a part of it.
        solution: of a problem, in all its fields.
    """

    problem: type[Problem]
    domain: dict[str, tuple[float, float]]
    tolerance: float
    of_the_reference: tuple[str, ...] = ("reference", "exact")
    points: int = 1000
    margin: float = 0.0
    of_conditions: float | None = None
    solution: Callable[[Any], Callable[..., dict[str, Tensor]]] = lambda problem: problem.reference()


UNIT = (0.0, 1.0)
OF_AN_INTEGRATOR = ("reference", "_reference", "_rate")
OF_COLLOCATION = ("reference", "_reference", "solve")
OF_A_FLOW = ("reference", "_reference", "solve")


def cube(dimension: int) -> dict[str, tuple[float, float]]:
    """The unit cube with its numbered coordinates."""
    return {f"x{number}": UNIT for number in range(1, dimension + 1)}


# Tolerances: a residual is a sum of a few terms, each with a relative round-off of some 10 ulp (1e-15 to 1e-14), so it
# is left with that share of its largest term.
SHIPPED = {
    "poisson": Shipped(Poisson, {"x": UNIT, "y": UNIT}, tolerance=1e-13),  # 2π² = 20
    # 2π² (4² + … + 16²) / 4 = 2,369
    "poisson_multiscale": Shipped(PoissonMultiscale, {"x": UNIT, "y": UNIT}, tolerance=1e-11),
    # 5π² = 49; the source and the data are computed by the formula of the reference, so that formula is mutated too.
    "poisson_5d": Shipped(PoissonCosines, cube(5), tolerance=1e-13, of_the_reference=("reference",)),
    # 2 × 100, both sides exact but for the sum of 100 terms; one point for each of the 200 faces
    "poisson_100d": Shipped(PoissonParabola, cube(100), tolerance=1e-12, of_the_reference=("reference",), points=200),
    "helmholtz": Shipped(Helmholtz, {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, tolerance=1e-12),  # 17π² = 168
    "advection": Shipped(Advection, {"x": (0.0, 2 * pi), "t": UNIT}, tolerance=1e-12),  # 40, and sin at 40 rad
    "heat": Shipped(Heat, {"x": UNIT, "t": UNIT}, tolerance=1e-13),  # 0.1 (3π)² / 2 = 4
    "heat2d": Shipped(Heat2D, {"x": UNIT, "y": UNIT, "t": UNIT}, tolerance=1e-13),  # 0.05 × 5π² / 2 = 1
    "wave": Shipped(Wave, {"x": UNIT, "t": UNIT}, tolerance=1e-12),  # (8π)² / 2 = 316
    # ν u_xx, some 50 at the front, is the curvature of a quotient of two sums over 256 nodes cancelling to a 100th.
    "burgers": Shipped(Burgers, {"x": (-1.0, 1.0), "t": UNIT}, tolerance=1e-11, of_the_reference=("reference",)),
    # (5π)² = 247; walls are computed by the formula of the reference here and in the next three, which is mutated too.
    "klein_gordon": Shipped(KleinGordon, {"x": UNIT, "t": UNIT}, tolerance=1e-12, of_the_reference=("reference",)),
    "sine_gordon": Shipped(
        SineGordon, {"x": (-10.0, 10.0), "t": (0.0, 10.0)}, tolerance=1e-13, of_the_reference=("reference",)
    ),
    # r u (1 - u), 12 / 4
    "fisher": Shipped(Fisher, {"x": (-1.0, 1.0), "t": UNIT}, tolerance=1e-13, of_the_reference=("reference",)),
    # u u_x, 0.7 × 0.8
    "burgers_2d": Shipped(
        Burgers2D, {"x": UNIT, "y": UNIT, "t": UNIT}, tolerance=1e-13, of_the_reference=("reference",)
    ),
    # The reference is a series of 1,024 modes; behind the start it misses the rest of the kink, which leaves 6e-7.
    "allen_cahn": Shipped(AllenCahn, {"x": (-1.0, 1.0), "t": UNIT}, 1e-5, OF_A_FLOW, points=50),
    # The relative error of the reference is 1e-10; u_t and u u_x of up to 100 leave 5e-8 of it, and differences 1e-11.
    "kdv": Shipped(KdV, {"x": (-1.0, 1.0), "t": UNIT}, 1e-6, OF_A_FLOW, points=50),
    # The kink's waves that the series of 1,024 modes misses come to 1e-5 where they meet; times 3 |h|² of up to 48. The
    # conditions hold to round-off.
    "schrodinger": Shipped(
        Schrodinger, {"x": (-5.0, 5.0), "t": (0.0, pi / 2)}, 1e-3, OF_A_FLOW, points=50, of_conditions=1e-12
    ),
    # Fields have relative errors of 1e-10, the last one of 1e-12; u_t of 24 nodes in a panel of 1/48 to 1/15 magnifies
    # them by up to 24² × 2 × 48 = 6e4, and the walls between phases, ten times as steep, by 1e6.
    "gray_scott": Shipped(GrayScott, {"x": (-1.0, 1.0), "t": (0.0, 0.5)}, 1e-5, OF_A_FLOW, points=50),
    "kuramoto_sivashinsky": Shipped(
        KuramotoSivashinsky, {"x": (-1.0, 1.0), "t": (0.0, 0.5)}, 1e-5, OF_A_FLOW, points=50
    ),
    "cahn_hilliard": Shipped(CahnHilliard, {"x": (-1.0, 1.0), "t": (0.0, 1.0)}, 1e-4, OF_A_FLOW, points=50),
    "ginzburg_landau": Shipped(GinzburgLandau, {"x": (-1.0, 1.0), "t": (0.0, 0.5)}, 1e-8, OF_A_FLOW, points=50),
    # An integrator with a tolerance of 1e-13, differentiated within its steps: x' and x y of up to 50, and u″ of up to
    # 600 in jumps of van der Pol's oscillator. The slow rates of Robertson's reaction are 1e-6.
    "lotka_volterra": Shipped(LotkaVolterra, {"t": (0.0, 10.0)}, 1e-8, OF_AN_INTEGRATOR),
    "duffing": Shipped(Duffing, {"t": (0.0, 10.0)}, 1e-8, OF_AN_INTEGRATOR),
    "van_der_pol": Shipped(VanDerPol, {"t": (0.0, 20.0)}, 1e-5, OF_AN_INTEGRATOR),
    "lorenz": Shipped(Lorenz, {"t": (0.0, 10.0)}, 1e-8, OF_AN_INTEGRATOR),
    "robertson": Shipped(Robertson, {"t": (0.0, 40.0)}, 1e-10, OF_AN_INTEGRATOR),
    # λ exp u, 1.2
    "bratu": Shipped(Bratu, {"x": UNIT}, tolerance=1e-13, of_the_reference=("reference", "exact", "smaller_root")),
    # Chebyshev series to round-off, of radiation of up to 42,000 W/m² and of a reaction of up to 1.
    "thin_fin": Shipped(ThinFin, {"x": (0.0, 0.2)}, 1e-8, OF_COLLOCATION),
    "arrhenius": Shipped(Arrhenius, {"x": UNIT}, 1e-11, OF_COLLOCATION),
    # Velocity and pressure of the reference are 7e-7 and 1.4e-5 off. Their derivatives are as good in the middle of the
    # box, not at its sides.
    "cavity": Shipped(
        Cavity,
        {"x": UNIT, "y": UNIT},
        tolerance=2e-5,
        of_the_reference=("reference", "_reference", "velocity"),
        points=100,
        margin=0.1,
        solution=lambda problem: CavityFlow(problem.reynolds, 36),
    ),
    # All terms are at most 1.
    "taylor_green": Shipped(TaylorGreen, {"x": (0.0, 2 * pi), "y": (0.0, 2 * pi), "t": UNIT}, tolerance=1e-13),
    # u u_x, 2.6 × 3; the conditions are computed by the formula of the reference, so that formula is mutated too.
    "kovasznay": Shipped(
        Kovasznay, {"x": (-0.5, 1.0), "y": (-0.5, 1.5)}, tolerance=1e-13, of_the_reference=("reference",)
    ),
}
