"""What to do with a problem when nobody says: network, stages, weighting, and what trials tell about their sizes."""

from pinn.plan.choose import NetworkFactory, Plan, makes, plan
from pinn.plan.refinement import refinement

__all__ = ["NetworkFactory", "Plan", "makes", "plan", "refinement"]
