"""Solutions to compare with, each with a statement of its own error."""

from pinn.references.cole_hopf import cole_hopf
from pinn.references.reference import Exact, Reference

__all__ = ["Exact", "Reference", "cole_hopf"]
