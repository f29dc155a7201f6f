"""Where conditions hold, and how points are placed there."""

from pinn.domains.box import Box
from pinn.domains.region import Patch, Periodic, Points, Region, Union

__all__ = ["Box", "Patch", "Periodic", "Points", "Region", "Union"]
