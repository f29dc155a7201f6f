"""Solutions to compare with, each with a statement of its own error."""

from pinn.references.cavity import CavityFlow
from pinn.references.cole_hopf import cole_hopf
from pinn.references.initial_value import initial_value
from pinn.references.periodic import PeriodicFlow
from pinn.references.reference import Computed, Exact, Reference, relative_errors
from pinn.references.two_point import TwoPoint

__all__ = [
    "CavityFlow",
    "Computed",
    "Exact",
    "PeriodicFlow",
    "Reference",
    "TwoPoint",
    "cole_hopf",
    "initial_value",
    "relative_errors",
]
