"""Which tensors inside a network have one row for each point, in the order of the points."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor

ELEMENTWISE = frozenset(
    (
        *("abs", "celu", "cos", "cosh", "elu", "erf", "exp", "expm1", "gelu", "leaky_relu", "log", "log1p"),
        *("logsigmoid", "mish", "neg", "relu", "rsqrt", "selu", "sigmoid", "silu", "sin", "sinh", "softplus"),
        *("softsign", "sqrt", "square", "tan", "tanh"),
        *("add", "sub", "mul", "div", "true_divide", "pow", "radd", "rsub", "rmul", "rtruediv", "rdiv", "rpow"),
    )
)
"""Functions that act on each entry by itself, as torch calls them."""
QUESTIONS = frozenset(("__get__", "__len__", "dim", "is_floating_point", "numel", "size"))
"""How a network asks for shape, dtype or device, as long as no tensor is the answer."""

T = TypeVar("T")


def look_up(known: Mapping[int, T], *arguments: Any) -> Iterator[T]:
    """Yield what is known by their `id` of arguments, and of those in lists, tuples and dictionaries."""
    for argument in arguments:
        if id(argument) in known:
            yield known[id(argument)]
        elif isinstance(argument, list | tuple):
            yield from look_up(known, *argument)
        elif isinstance(argument, dict):
            yield from look_up(known, *argument.values())


class DisplacedError(Exception):
    """Something happened to the points of which it is not known where it leaves them."""


class Places:
    """The tensors that a network has computed from its inputs so far, each with the points along its first dimension.

    No shape is ever taken for a sign of that: there may be as many points as units. It is known of the inputs, and of
    what functions make of them that act on each entry by itself, on rows, or on columns that stay side by side.

    Args:
        inputs: (points, inputs).
    """

    def __init__(self, inputs: Tensor) -> None:
        # The tensors themselves: the number of one that is gone may be given to another.
        self._tensors = {id(inputs): inputs}

    def __contains__(self, tensor: object) -> bool:
        return id(tensor) in self._tensors

    def take(self, tensor: Tensor) -> None:
        """Know of one more tensor that its points lie along its first dimension."""
        self._tensors[id(tensor)] = tensor

    def follow(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note what a torch function has made of tensors in their places.

        Args:
            name: of the function.
            args: what it was given.
            kwargs: likewise.
            result: what it returned.

        Raises:
            DisplacedError: it is not known to leave the points where they are.
        """
        if next(look_up(self._tensors, args, kwargs), None) is None:
            return
        if name.startswith("__"):
            name = name.strip("_")
        if not isinstance(result, Tensor) or "out" in kwargs or not self._keeps(name, args, kwargs, result):
            raise DisplacedError(name)
        self.take(result)

    def _keeps(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Tensor) -> bool:
        if name in ELEMENTWISE:
            # Else one of them was broadcast along the points.
            form = result.ndim, result.shape[0]
            return all((each.ndim, each.shape[0]) == form for each in (*args, *kwargs.values()) if each in self)
        if name == "piecewise_series":
            return True
        if name == "linear":
            return args[0] in self and result.ndim > 1 and not any(each in self for each in args[1:])
        if name == "getitem":
            rows, *others = args[1] if isinstance(args[1], tuple) else (args[1],)
            whole = isinstance(rows, slice) and rows == slice(None)
            return whole and all(isinstance(each, int | slice) for each in others)
        if name in ("cat", "concat"):
            tensors, dim = _joined(*args, **kwargs)
            return dim % result.ndim > 0 and all(each in self for each in tensors)
        return False


def _joined(tensors: Sequence[Tensor], dim: int = 0) -> tuple[Sequence[Tensor], int]:
    return tensors, dim
