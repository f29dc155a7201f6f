"""Partial derivatives of fields on collocation points, to any order, from plain tensors."""

from pinn.derivatives.first_order import gradient, partial
from pinn.derivatives.second_order import laplacian
from pinn.derivatives.vector import divergence

__all__ = ["divergence", "gradient", "laplacian", "partial"]
