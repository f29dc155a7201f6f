"""The interface of a problem, and one file for each problem that ships."""

from pinn.problems.advection import Advection
from pinn.problems.allen_cahn import AllenCahn
from pinn.problems.arrhenius import Arrhenius
from pinn.problems.bratu import Bratu
from pinn.problems.burgers import Burgers
from pinn.problems.burgers_2d import Burgers2D
from pinn.problems.cahn_hilliard import CahnHilliard
from pinn.problems.cavity import Cavity
from pinn.problems.constraint import Constraint
from pinn.problems.duffing import Duffing
from pinn.problems.fisher import Fisher
from pinn.problems.ginzburg_landau import GinzburgLandau
from pinn.problems.gray_scott import GrayScott
from pinn.problems.heat import Heat
from pinn.problems.heat2d import Heat2D
from pinn.problems.helmholtz import Helmholtz
from pinn.problems.kdv import KdV
from pinn.problems.klein_gordon import KleinGordon
from pinn.problems.kovasznay import Kovasznay
from pinn.problems.kuramoto_sivashinsky import KuramotoSivashinsky
from pinn.problems.lorenz import Lorenz
from pinn.problems.lotka_volterra import LotkaVolterra
from pinn.problems.poisson import Poisson
from pinn.problems.poisson_cosines import PoissonCosines
from pinn.problems.poisson_multiscale import PoissonMultiscale
from pinn.problems.poisson_parabola import PoissonParabola
from pinn.problems.problem import Problem
from pinn.problems.robertson import Robertson
from pinn.problems.schrodinger import Schrodinger
from pinn.problems.sine_gordon import SineGordon
from pinn.problems.taylor_green import TaylorGreen
from pinn.problems.thin_fin import ThinFin
from pinn.problems.trial import require_problem, try_out
from pinn.problems.van_der_pol import VanDerPol
from pinn.problems.wave import Wave

__all__ = [
    "Advection",
    "AllenCahn",
    "Arrhenius",
    "Bratu",
    "Burgers",
    "Burgers2D",
    "CahnHilliard",
    "Cavity",
    "Constraint",
    "Duffing",
    "Fisher",
    "GinzburgLandau",
    "GrayScott",
    "Heat",
    "Heat2D",
    "Helmholtz",
    "KdV",
    "KleinGordon",
    "Kovasznay",
    "KuramotoSivashinsky",
    "Lorenz",
    "LotkaVolterra",
    "Poisson",
    "PoissonCosines",
    "PoissonMultiscale",
    "PoissonParabola",
    "Problem",
    "Robertson",
    "Schrodinger",
    "SineGordon",
    "TaylorGreen",
    "ThinFin",
    "VanDerPol",
    "Wave",
    "require_problem",
    "try_out",
]
