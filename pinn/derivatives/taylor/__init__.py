"""Engines: nested reverse mode, and derivatives that travel through the network. See docs/engines.md."""

from pinn.derivatives.taylor.choice import Choice, choose
from pinn.derivatives.taylor.engine import Engine, Reverse
from pinn.derivatives.taylor.errors import NotPropagatedError, UnsupportedOperationError
from pinn.derivatives.taylor.estimators import Directions, Estimate, Hutchinson, Sparse, estimate_laplacian
from pinn.derivatives.taylor.linear import product
from pinn.derivatives.taylor.recorder import Recorder, discover
from pinn.derivatives.taylor.taylor import Taylor

__all__ = [
    "Choice",
    "Directions",
    "Engine",
    "Estimate",
    "Hutchinson",
    "NotPropagatedError",
    "Recorder",
    "Reverse",
    "Sparse",
    "Taylor",
    "UnsupportedOperationError",
    "choose",
    "discover",
    "estimate_laplacian",
    "product",
]
