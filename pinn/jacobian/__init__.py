"""The derivative of every residual with respect to every parameter, one row a point."""

from pinn.jacobian.rows import Blocks, Rows, residual_jacobian

__all__ = ["Blocks", "Rows", "residual_jacobian"]
