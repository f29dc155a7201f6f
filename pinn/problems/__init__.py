"""The interface of a problem, and one file for each problem that ships."""

from pinn.problems.burgers import Burgers
from pinn.problems.heat import Heat
from pinn.problems.kovasznay import Kovasznay
from pinn.problems.poisson import Poisson
from pinn.problems.problem import Constraint, Problem
from pinn.problems.wave import Wave

__all__ = ["Burgers", "Constraint", "Heat", "Kovasznay", "Poisson", "Problem", "Wave"]
