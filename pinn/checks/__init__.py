"""What would be silently wrong in a training is found before it begins."""

from pinn.checks.check import check
from pinn.checks.exactness import check_jacobian

__all__ = ["check", "check_jacobian"]
