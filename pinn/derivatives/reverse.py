"""One backward pass that keeps the contract of the derivative library; every operator is built on it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.contract import check
from pinn.derivatives.errors import FreedGraphError
from pinn.derivatives.graph import refuse_copies


def backward(
    fields: Sequence[Tensor],
    coordinates: Sequence[Tensor],
    grad_outputs: Sequence[Tensor] | None = None,
    among: Sequence[Tensor] = (),
) -> tuple[Tensor, ...]:
    """Σᵢ wᵢ ∂fᵢ/∂xⱼ for every coordinate xⱼ, from one backward pass that can be differentiated again.

    A row of a field must depend on the same row of the coordinates alone: reverse mode differentiates the sum over all
    points, and only then is that the derivative at each.

    Args:
        fields: tensors fᵢ of shape ``(points,)``.
        coordinates: tensors xⱼ of shape ``(points,)`` or ``(points, dim)``.
        grad_outputs: weights wᵢ of shape ``(points,)``; ones by default.
        among: coordinates that were named together with these; see `pinn.derivatives.graph`.

    Returns:
        One tensor for each coordinate, of its shape, dtype and device; zero where the fields do not depend on it.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    check(fields, coordinates, grad_outputs)
    if grad_outputs is None:
        grad_outputs = [torch.ones_like(field) for field in fields]
    try:
        found = torch.autograd.grad(fields, coordinates, grad_outputs, create_graph=True, allow_unused=True)
    except RuntimeError as error:
        if "backward through the graph a second time" not in str(error):
            raise
        raise FreedGraphError(
            "the graph of the field was freed by an earlier backward pass; "
            "pass retain_graph=True to that pass, or evaluate the field again"
        ) from error
    unused = [x for x, derivative in zip(coordinates, found, strict=True) if derivative is None]
    if unused:
        refuse_copies(fields, unused, [*coordinates, *among])
    return tuple(_attached(derivative, x) for derivative, x in zip(found, coordinates, strict=True))


def _attached(derivative: Tensor | None, coordinate: Tensor) -> Tensor:
    """The derivative with a graph in any case, so that the derivative of a constant is zero and not an exception."""
    if derivative is None:
        derivative = torch.zeros_like(coordinate)
    if derivative.requires_grad:
        return derivative
    # The coordinate is never chosen, so that its gradient is zero at any order. Adding 0·x would turn ∞ into NaN.
    return torch.where(torch.zeros_like(coordinate, dtype=torch.bool), coordinate, derivative)
