"""The jet: a value together with its derivatives, in the place of a tensor inside a network."""

from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor.errors import MixedDirectionsError, UnsupportedOperationError


class Jet(torch.Tensor):
    """z and ∂^α z. To the module that it passes through it is a tensor of the shape of z that holds no data.

    It is never seen outside of a network: `propagate` puts it in and takes it out. What has no rule ends in
    `__torch_dispatch__`, so that nothing can be computed without the derivatives.

    Attributes:
        value: z, of shape (points, ...).
        derivatives: ∂^α z, of shape (slots, points, ...), or (slots, 1, ...) where they are the same at all points.
        slots: which derivatives these are.
        directions: identifies the free directions of the slots; only jets that share it can meet. None where directions
            are to be kept as they are.
    """

    value: Tensor
    derivatives: Tensor
    slots: tuple[Slot, ...]
    directions: object

    # Reached only with `Propagation` off, as within C++: nothing is left to intercept there.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, value: Tensor, derivatives: Tensor, slots: tuple[Slot, ...], directions: object) -> "Jet":
        """A jet of these parts."""
        # It requires grad, so that a custom autograd.Function, which knows no jets, leaves its mark: a grad_fn.
        jet = torch.Tensor._make_wrapper_subclass(
            cls, value.shape, dtype=value.dtype, device=value.device, requires_grad=True
        )
        jet.value, jet.derivatives, jet.slots, jet.directions = value, derivatives, slots, directions
        return jet

    def __init__(self, value: Tensor, derivatives: Tensor, slots: tuple[Slot, ...], directions: object) -> None: ...

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Refuse whatever reaches the data."""
        raise UnsupportedOperationError(str(func))

    def with_parts(self, value: Tensor, derivatives: Tensor) -> "Jet":
        """Another jet with the same slots.

        Raises:
            UnsupportedOperationError: the points are no longer the first dimension, as each needs its own derivatives.
        """
        self.require_points(value)
        self.require_rank(derivatives.ndim - 1, value.ndim)
        return Jet(value, derivatives, self.slots, self.directions)

    def require_points(self, value: Tensor) -> None:
        """Raise unless the value has the points of this jet for its first dimension."""
        if value.shape[:1] != self.value.shape[:1]:
            raise UnsupportedOperationError(
                f"an operation that turns shape {tuple(self.value.shape)} into {tuple(value.shape)}, coupling points"
            )

    def require_same(self, other: "Jet") -> None:
        """Raise unless the other jet can be combined with this one, entry by entry."""
        if other.directions is not self.directions:
            raise MixedDirectionsError
        self.require_rank(other.value.ndim, self.value.ndim)

    @staticmethod
    def require_rank(rank: int, expected: int) -> None:
        """Raise unless ranks are equal: else torch would put the points of one beside something else of the other."""
        if rank != expected:
            raise UnsupportedOperationError(f"broadcasting between {expected} and {rank} dimensions")
