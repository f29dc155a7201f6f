"""Matrix products of jets with weights: one product for the values and one for all the derivatives."""

from torch import Tensor
from torch.nn import functional

from pinn.derivatives.taylor.arithmetic import add, mul
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.derivatives.taylor.jet import Jet, Parts


def linear(z: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """z Wᵀ + b.

    Both products are calls of `torch.nn.functional.linear`, on values ``(points, ..., in)`` with the bias and on
    derivatives ``(slots, points, ..., in)`` without: the points run faster than the slots, and every row belongs to
    one point. So whoever intercepts that function sees all there is to see. Derivatives that are the same at all
    points, ``(slots, 1, ..., in)``, belong to none; they are multiplied by `torch.matmul`.
    """
    if isinstance(weight, Jet) or isinstance(bias, Jet) or not isinstance(z, Jet):
        raise UnsupportedOperationError("a matrix product with weights that depend on the coordinates")

    def compute(positions: tuple[int, ...]) -> Parts:
        value, derivatives = z.read(positions)
        shared = derivatives.shape[1] != len(value)
        return (
            functional.linear(value, weight, bias),
            derivatives @ weight.mT if shared else functional.linear(derivatives, weight),
        )

    return Jet.later(z.shape[:-1] + weight.shape[:-1], z, compute)


def matmul(z: Jet, matrix: Tensor) -> Jet:
    """z A with a constant matrix A."""
    if isinstance(matrix, Jet) or not isinstance(z, Jet) or matrix.ndim != 2 or z.value.ndim < 2:
        raise UnsupportedOperationError("a matrix product other than of a jet with one constant matrix")
    return linear(z, matrix.mT)


def addmm(offset: Tensor, z: Jet, matrix: Tensor, *, beta: float = 1, alpha: float = 1) -> Jet:
    """beta offset + alpha z A."""
    return add(mul(matmul(z, matrix), alpha), beta * offset)
