"""What the engine refuses."""

from pinn.derivatives.errors import DerivativeError
from pinn.derivatives.linked import Index


class UnsupportedOperationError(DerivativeError, NotImplementedError):
    """The network uses an operation for which the engine has no rule."""

    def __init__(self, operation: str, hint: str = "evaluate the network with Reverse(), which needs none") -> None:
        super().__init__(f"the taylor engine has no rule for {operation}; {hint}")
        self.operation = operation


class NotPropagatedError(DerivativeError, RuntimeError):
    """A derivative was asked for that the engine was not told to propagate."""

    def __init__(self, index: Index) -> None:
        along = " ∂".join(f"x{i}" for i in index)
        super().__init__(
            f"the derivative ∂^{len(index)}u/∂{along} by inputs of the network was asked for, but not propagated; "
            "discover the needs with the residual that asks for it, or evaluate the network with Reverse(). If this "
            "comes from loss.backward(), name the parameters: loss.backward(inputs=list(parameters))"
        )


class TooManyDerivativesError(DerivativeError, RuntimeError):
    """A residual asks for more different derivatives than jets can reasonably carry."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the residual takes more than {limit} different derivatives, which reverse mode does cheaper")


class SecondOrderError(DerivativeError, NotImplementedError):
    """The second derivative by parameters was asked for where only the first is exact."""

    def __init__(self) -> None:
        super().__init__(
            "a Laplacian in more dimensions than the first layer is wide has exact first derivatives by parameters, "
            "but no second ones; evaluate the network with Reverse() for these"
        )


class MixedDirectionsError(DerivativeError, RuntimeError):
    """Jets along different directions met. The engine catches it and keeps the coordinates' own directions."""
