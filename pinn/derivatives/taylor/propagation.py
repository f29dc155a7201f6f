"""A network evaluated on jets: every torch function that meets one is replaced by its rule."""

from collections.abc import Iterator
from typing import Any

from torch.overrides import TorchFunctionMode, resolve_name

from pinn.derivatives.taylor.composites import COMPOSITES
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.derivatives.taylor.inputs import Network
from pinn.derivatives.taylor.jet import Jet
from pinn.derivatives.taylor.rules import CONSTANT, RULES
from pinn.derivatives.taylor.shapes import lift


def propagate(network: Network, inputs: Jet) -> Jet:
    """The jet of the outputs, (points, outputs), from the jet of the inputs, (points, inputs).

    Raises:
        UnsupportedOperationError: the network uses an operation without a rule.
    """
    with Propagation():
        outputs = network(inputs)
    if not isinstance(outputs, Jet):
        return lift(outputs, like=inputs)
    _refuse_custom_functions([outputs])
    return outputs


class Propagation(TorchFunctionMode):
    """While active, torch functions of jets follow their rules, and all others run as they are."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Apply the rule of `func` if a jet is among its arguments."""
        kwargs = kwargs or {}
        jets = list(_jets((*args, *kwargs.values())))
        if not jets:
            return func(*args, **kwargs)
        _refuse_custom_functions(jets)
        name = func.__name__
        if name.endswith("_") and not name.endswith("__"):
            raise UnsupportedOperationError(f"{resolve_name(func)}, which works in place")
        name = name.removeprefix("__").removesuffix("__")
        if name in CONSTANT:
            return func(*map(_value, args), **{key: _value(argument) for key, argument in kwargs.items()})
        try:
            result = RULES[name](*args, **kwargs) if name in RULES else NotImplemented
            if result is NotImplemented and name in COMPOSITES:
                with self:
                    result = COMPOSITES[name](*args, **kwargs)
            # A jet itself answers for its shape and dtype; what needs data is refused in `Jet.__torch_dispatch__`.
            return func(*args, **kwargs) if result is NotImplemented else result
        except TypeError as error:
            raise UnsupportedOperationError(f"{resolve_name(func)} with these arguments ({error})") from error


def _jets(arguments: Any) -> Iterator[Jet]:
    for argument in arguments:
        if isinstance(argument, Jet):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _jets(argument)


def _value(argument: Any) -> Any:
    return argument.value if isinstance(argument, Jet) else argument


def _refuse_custom_functions(jets: list[Jet]) -> None:
    for jet in jets:
        if jet.grad_fn is not None:
            raise UnsupportedOperationError(f"the custom autograd function {jet.grad_fn.name()}")
