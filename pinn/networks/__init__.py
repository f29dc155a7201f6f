"""Plain modules that map points (points, inputs) to outputs (points, outputs). They know no PDE."""

from pinn.networks.corrected import Corrected
from pinn.networks.in_slabs import InSlabs
from pinn.networks.marched import Marched
from pinn.networks.mlp import MLP
from pinn.networks.periodic_inputs import PeriodicInputs
from pinn.networks.random_features import RandomFeatures
from pinn.networks.refined import Refined
from pinn.networks.scaled import Scaled
from pinn.networks.slabs import Slabs

__all__ = [
    "MLP",
    "Corrected",
    "InSlabs",
    "Marched",
    "PeriodicInputs",
    "RandomFeatures",
    "Refined",
    "Scaled",
    "Slabs",
]
