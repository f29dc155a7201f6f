"""How a solution is found: stages of optimizers in one Lightning fit, with checkpoints, progress and signals."""

from pinn.training.module import Training
from pinn.training.stage import Stage

__all__ = ["Stage", "Training"]
