"""Optimizers that torch lacks, one file each. Like torch's own they are `torch.optim.Optimizer`s; `step(objective)`."""

from pinn.optimizers.least_squares import LeastSquares
from pinn.optimizers.levenberg_marquardt import LevenbergMarquardt
from pinn.optimizers.self_scaled_broyden import SelfScaledBroyden

__all__ = ["LeastSquares", "LevenbergMarquardt", "SelfScaledBroyden"]
