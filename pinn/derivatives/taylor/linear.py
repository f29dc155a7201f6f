"""Matrix products of jets with weights: one product for the values and one for all the derivatives."""

from torch import Tensor
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from pinn.derivatives.taylor.arithmetic import add, mul
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.derivatives.taylor.jet import Jet, Parts


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, axis: int) -> Tensor:
    """x Wᵀ + b, with the points along one axis of x.

    A `TorchFunctionMode` can intercept it like the functions of torch, and is told which rows belong to which point.
    """
    if has_torch_function((x, weight)):
        result: Tensor = handle_torch_function(product, (x, weight), x, weight, bias, axis=axis)
        return result
    return functional.linear(x, weight, bias)


def linear(z: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """z Wᵀ + b.

    Both products are calls of `product`, on values ``(points, ..., in)`` with the bias and on derivatives
    ``(slots, points, ..., in)`` without. Derivatives that are the same at all points, ``(slots, 1, ..., in)``, belong
    to none; they are multiplied by `torch.matmul`.
    """
    if isinstance(weight, Jet) or isinstance(bias, Jet) or not isinstance(z, Jet):
        raise UnsupportedOperationError("a matrix product with weights that depend on the coordinates")
    if z.ndim < 2:
        raise UnsupportedOperationError("a matrix product along the dimension of the points")

    def compute(positions: tuple[int, ...]) -> Parts:
        value, derivatives = z.read(positions)
        shared = derivatives.shape[1] != len(value)
        return (
            product(value, weight, bias, axis=0),
            derivatives @ weight.mT if shared else product(derivatives, weight, axis=1),
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
