"""Which engine is cheaper for a residual, by counting what both have to compute."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pinn.derivatives.taylor.engine import Engine, Reverse
from pinn.derivatives.taylor.errors import TooManyDerivativesError, UnsupportedOperationError
from pinn.derivatives.taylor.recorder import discover
from pinn.derivatives.taylor.taylor import Taylor

Rows = Tensor | Sequence[Tensor] | Mapping[str, Tensor]
EngineName = Literal["auto", "reverse", "taylor"]

FLOPS_PER_ENTRY = 32
"""The cost of an entry that passes through memory, in floating-point operations of a matrix product.

Measured on one core: 0.2 to 0.4 ns an entry, 0.01 ns an operation. On a GPU the quotient is of the same order.
"""

FLOPS_PER_FUNCTION = 4 * FLOPS_PER_ENTRY
"""The same for an entry of which tanh, a sine or the like is taken: measured 2 to 5 times that of a product."""

FUNCTIONS = frozenset(("cos", "erf", "exp", "expm1", "log", "log1p", "sigmoid", "sin", "softplus", "tan", "tanh"))
"""Names of the operations that cost so much."""


class Choice(NamedTuple):
    """An engine, its name, and why it was chosen."""

    engine: Engine
    name: Literal["reverse", "taylor"]
    reason: str


def choose(
    name: EngineName,
    evaluate: Callable[[Engine], Rows],
    parameters: Sequence[Tensor],
    work: Callable[[Engine], object] | None = None,
) -> Choice:
    """The engine of that name, or for ``auto`` the one with fewer operations for residual and parameter gradient.

    Operations are counted, not timed: both ways are run once, and every matrix product and every entry that is written
    counts. So the choice is the same on every machine.

    Args:
        name: ``auto``, ``reverse`` or ``taylor``.
        evaluate: evaluates the residuals with the engine that it is given, at the points of a step or some of them.
        parameters: by which the loss is differentiated.
        work: what is counted instead, such as the Jacobian of the residuals, with the engine that it is given.

    Warns:
        UserWarning: one line that names the operation, if the network uses one that ``taylor`` has no rule for. Then
            the choice is ``reverse``.

    Raises:
        ValueError: there is no engine of that name.
    """
    if name not in ("auto", "reverse", "taylor"):
        raise ValueError(f"there is no engine {name!r}; choose auto, reverse or taylor")
    if name == "reverse":
        return Choice(Reverse(), "reverse", "as asked")
    work = work or partial(loss_and_gradient, evaluate, parameters)
    try:
        needs = discover(evaluate)
        taylor = Taylor(needs)
        if name == "auto" and not needs:
            return Choice(Reverse(), "reverse", "no derivatives")
        forward = count_operations(work, taylor)
    except TooManyDerivativesError as error:
        return Choice(Reverse(), "reverse", str(error))
    except UnsupportedOperationError as error:
        reason = f"{error.operation} has no rule for taylor"
        warnings.warn(f"engine=reverse: {reason}", stacklevel=2)
        return Choice(Reverse(), "reverse", reason)
    if name == "taylor":
        return Choice(taylor, "taylor", "as asked")
    backward = count_operations(work, Reverse())
    reason = f"{forward / 1e6:.3g} million operations with taylor, {backward / 1e6:.3g} with reverse"
    return Choice(taylor, "taylor", reason) if forward < backward else Choice(Reverse(), "reverse", reason)


def loss_and_gradient(evaluate: Callable[[Engine], Rows], parameters: Sequence[Tensor], engine: Engine) -> None:
    """The sum of squared residuals and its gradient."""
    rows = evaluate(engine)
    tensors = [rows] if isinstance(rows, Tensor) else list(rows.values() if isinstance(rows, Mapping) else rows)
    loss = torch.stack([row.square().sum() for row in tensors]).sum()
    torch.autograd.grad(loss, list(parameters), allow_unused=True)


def count_operations(work: Callable[[Engine], object], engine: Engine) -> float:
    """Floating-point operations of some work with an engine, entries weighted as above."""
    with _Counter() as counter:
        work(engine)
    return counter.operations


class _Counter(TorchDispatchMode):
    """Counts what is executed while it is active, backward passes included."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in flop_registry:
            self.operations += flop_registry[packet](*args, **(kwargs or {}), out_val=result)
        elif not func.is_view:
            tensors = [t for t in (*args, result) if isinstance(t, Tensor)]
            entry = FLOPS_PER_FUNCTION if packet.__name__ in FUNCTIONS else FLOPS_PER_ENTRY
            self.operations += entry * max((t.numel() for t in tensors), default=0)
        return result
