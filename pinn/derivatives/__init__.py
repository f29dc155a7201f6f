"""Derivatives of fields on collocation points, to any order: plain tensors in, plain tensors out.

    >>> x = torch.linspace(0, 1, 100, requires_grad=True)
    >>> u = torch.sin(x)
    >>> partial(u, x, x)  # -sin x

Fields and coordinates are tensors of one number a point, and a coordinate is named by its own tensor. Needs nothing but
torch.
"""

from pinn.derivatives.along import directional, material, normal
from pinn.derivatives.errors import (
    CoordinateError,
    DerivativeError,
    DetachedError,
    DtypeError,
    FreedGraphError,
    GradModeError,
    ShapeError,
)
from pinn.derivatives.first_order import gradient, partial, vjp
from pinn.derivatives.second_order import biharmonic, hessian, laplacian
from pinn.derivatives.systems import Frame, System, cartesian, cylindrical, polar, spherical
from pinn.derivatives.vector import curl, divergence, jacobian

__all__ = [
    "CoordinateError",
    "DerivativeError",
    "DetachedError",
    "DtypeError",
    "Frame",
    "FreedGraphError",
    "GradModeError",
    "ShapeError",
    "System",
    "biharmonic",
    "cartesian",
    "curl",
    "cylindrical",
    "directional",
    "divergence",
    "gradient",
    "hessian",
    "jacobian",
    "laplacian",
    "material",
    "normal",
    "partial",
    "polar",
    "spherical",
    "vjp",
]
