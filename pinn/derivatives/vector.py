"""Derivatives of vector fields."""

from torch import Tensor

from pinn.derivatives.components import Coordinates, VectorField, dimension, partial_along, vector
from pinn.derivatives.errors import ShapeError


def divergence(fields: VectorField, coordinates: Coordinates) -> Tensor:
    """∇·F = Σᵢ ∂Fᵢ/∂xᵢ.

    Args:
        fields: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.

    Returns:
        Tensor of shape ``(points,)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    components = vector(fields)
    if len(components) != dimension(coordinates):
        raise ShapeError(f"the field has {len(components)} components in {dimension(coordinates)} coordinates")
    first, *others = (partial_along(component, coordinates, i) for i, component in enumerate(components))
    return sum(others, start=first)
