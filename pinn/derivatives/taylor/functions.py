"""Elementwise functions of jets, in the forms in which torch offers them."""

from typing import Any

from pinn.derivatives.taylor import elementwise
from pinn.derivatives.taylor.composition import compose
from pinn.derivatives.taylor.directions import compress
from pinn.derivatives.taylor.elementwise import ELEMENTWISE, Elementwise
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.derivatives.taylor.jet import Jet


def apply(f: Elementwise, z: Jet) -> Jet:
    """f(z)."""
    z = compress(z)
    # All of z is needed, whatever will be read of f(z); read later, a deep network would be a deep recursion.
    value, derivatives = z.value, z.derivatives
    return Jet.later(z.shape, z, lambda positions: compose(f, value, derivatives, z.slots, positions))


def silu(z: Jet, inplace: bool) -> Jet:
    """z σ(z)."""
    _refuse_in_place(inplace)
    return apply(ELEMENTWISE["silu"], z)


def relu(z: Jet, inplace: bool = False) -> Jet:
    """max(z, 0)."""
    _refuse_in_place(inplace)
    return apply(ELEMENTWISE["relu"], z)


def gelu(z: Jet, approximate: str = "none") -> Any:
    """z Φ(z). The approximation of it is a composite."""
    return apply(ELEMENTWISE["gelu"], z) if approximate == "none" else NotImplemented


def softplus(z: Jet, beta: float = 1.0, threshold: float = 20.0) -> Jet:
    """log(1 + exp βz) / β."""
    return apply(elementwise.softplus(beta, threshold), z)


def _refuse_in_place(inplace: bool) -> None:
    if inplace:
        raise UnsupportedOperationError("an activation with inplace=True", hint="leave that out")
