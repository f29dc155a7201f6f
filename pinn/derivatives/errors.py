"""What an operator refuses, and why: one exception for each clause of the contract."""


class DerivativeError(Exception):
    """Base of every refusal, so that one ``except`` catches them all."""


class GradModeError(DerivativeError, RuntimeError):
    """Gradients are not being recorded: grad mode is off, or inference mode is on."""


class DetachedError(DerivativeError, RuntimeError):
    """A field or coordinate has no graph, so that there is nothing to differentiate."""


class FreedGraphError(DerivativeError, RuntimeError):
    """The graph of the field was used up by an earlier backward pass."""


class CoordinateError(DerivativeError, ValueError):
    """The coordinate is not the tensor that the field was computed from, but shares its origin (a copy, a slice)."""


class ShapeError(DerivativeError, ValueError):
    """A field, coordinate or weight has another shape, or there are more or fewer of them, than the operator needs."""


class DtypeError(DerivativeError, TypeError):
    """A field or coordinate does not hold real floating-point numbers."""
