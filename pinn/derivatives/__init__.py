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
from pinn.derivatives.transforms import (
    biharmonic_of,
    curl_of,
    directional_of,
    divergence_of,
    gradient_of,
    hessian_of,
    jacobian_of,
    laplacian_of,
    material_of,
    normal_of,
    partial_of,
)
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
    "biharmonic_of",
    "cartesian",
    "curl",
    "curl_of",
    "cylindrical",
    "directional",
    "directional_of",
    "divergence",
    "divergence_of",
    "gradient",
    "gradient_of",
    "hessian",
    "hessian_of",
    "jacobian",
    "jacobian_of",
    "laplacian",
    "laplacian_of",
    "material",
    "material_of",
    "normal",
    "normal_of",
    "partial",
    "partial_of",
    "polar",
    "spherical",
    "vjp",
]
