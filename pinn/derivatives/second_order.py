"""Second derivatives."""

from torch import Tensor

from pinn.derivatives.components import Coordinates, partials
from pinn.derivatives.vector import divergence


def laplacian(u: Tensor, coordinates: Coordinates) -> Tensor:
    """Δu = ∇·∇u = Σᵢ ∂²u/∂xᵢ².

    Args:
        u: field of shape ``(points,)``.
        coordinates: a sequence of tensors of shape ``(points,)``, or one tensor of shape ``(points, dim)``.

    Returns:
        Tensor of shape ``(points,)``.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    return divergence(partials(u, coordinates), coordinates)
