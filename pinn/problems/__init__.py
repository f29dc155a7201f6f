"""The interface of a problem, and one file for each problem that ships."""

from pinn.problems.advection import Advection
from pinn.problems.allen_cahn import AllenCahn
from pinn.problems.burgers import Burgers
from pinn.problems.cahn_hilliard import CahnHilliard
from pinn.problems.cavity import Cavity
from pinn.problems.constraint import Constraint
from pinn.problems.duffing import Duffing
from pinn.problems.ginzburg_landau import GinzburgLandau
from pinn.problems.gray_scott import GrayScott
from pinn.problems.heat import Heat
from pinn.problems.heat2d import Heat2D
from pinn.problems.helmholtz import Helmholtz
from pinn.problems.kdv import KdV
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
from pinn.problems.trial import require_problem, try_out
from pinn.problems.van_der_pol import VanDerPol
from pinn.problems.wave import Wave

__all__ = [
    "Advection",
    "AllenCahn",
    "Burgers",
    "CahnHilliard",
    "Cavity",
    "Constraint",
    "Duffing",
    "GinzburgLandau",
    "GrayScott",
    "Heat",
    "Heat2D",
    "Helmholtz",
    "KdV",
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
    "VanDerPol",
    "Wave",
    "require_problem",
    "try_out",
]
