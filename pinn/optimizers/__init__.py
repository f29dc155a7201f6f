"""Ways to lower an objective, one file each. Torch's own are taken behind the same interface."""

from pinn.optimizers.least_squares import LeastSquares
from pinn.optimizers.levenberg_marquardt import LevenbergMarquardt
from pinn.optimizers.limited_memory import SelfScaledLBFGS
from pinn.optimizers.march import March
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited
from pinn.optimizers.self_scaled_broyden import SelfScaledBroyden
from pinn.optimizers.torch_optimizers import TorchOptimizer, adapted

__all__ = [
    "LeastSquares",
    "LevenbergMarquardt",
    "March",
    "Optimizer",
    "Progress",
    "SelfScaledBroyden",
    "SelfScaledLBFGS",
    "Stop",
    "TorchOptimizer",
    "Unlimited",
    "adapted",
]
