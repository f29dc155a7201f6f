"""The jet: a value together with its derivatives, in the place of a tensor inside a network."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor.errors import MixedDirectionsError, UnsupportedOperationError

Parts = tuple[Tensor, Tensor]
"""z and some of its derivatives."""


class Jet(torch.Tensor):
    """z and ∂^α z. To the module that it passes through it is a tensor of the shape of z that holds no data.

    It is never seen outside of a network: `propagate` puts it in and takes it out. What has no rule ends in
    `__torch_dispatch__`, so that nothing can be computed without the derivatives.

    A jet may be computed only when it is read: who then reads a few slots only, as a Laplacian is read from the outputs
    of a network, does not pay for the others.

    Attributes:
        slots: which derivatives these are.
        directions: identifies the free directions of the slots; only jets that share it can meet. None where directions
            are to be kept as they are.
    """

    slots: tuple[Slot, ...]
    directions: object
    _parts: Parts
    _compute: Callable[[tuple[int, ...]], Parts] | None

    # Reached only with `Propagation` off, as within C++: nothing is left to intercept there.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, value: Tensor, derivatives: Tensor, slots: tuple[Slot, ...], directions: object) -> "Jet":
        """A jet of these parts."""
        jet = cls._of_shape(value.shape, value, slots, directions)
        jet._parts, jet._compute = (value, derivatives), None
        return jet

    def __init__(self, value: Tensor, derivatives: Tensor, slots: tuple[Slot, ...], directions: object) -> None: ...

    @classmethod
    def later(cls, shape: torch.Size, like: "Jet", compute: Callable[[tuple[int, ...]], Parts]) -> "Jet":
        """A jet with the slots of another that is computed when it is read.

        Args:
            shape: of its value.
            like: the other jet.
            compute: takes the positions of slots; returns the value, and the derivatives in these slots.
        """
        jet = cls._of_shape(shape, like, like.slots, like.directions)
        jet._compute = compute
        return jet

    @classmethod
    def _of_shape(cls, shape: torch.Size, like: Tensor, slots: tuple[Slot, ...], directions: object) -> "Jet":
        # It requires grad, so that a custom autograd.Function, which knows no jets, leaves its mark: a grad_fn.
        jet = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=like.dtype, device=like.device, requires_grad=True)
        jet.slots, jet.directions = slots, directions
        return jet

    @property
    def value(self) -> Tensor:
        """z, of shape (points, ...)."""
        return self._all()[0]

    @property
    def derivatives(self) -> Tensor:
        """∂^α z, of shape (slots, points, ...), or (slots, 1, ...) where they are the same at all points."""
        return self._all()[1]

    def read(self, positions: Sequence[int]) -> Parts:
        """z, and its derivatives in some slots only; if they are few, nobody reads others."""
        few = len(positions) < len(self.slots)
        if few and self._compute is not None:
            return self._compute(tuple(positions))
        value, derivatives = self._all()
        return value, derivatives[list(positions)] if few else derivatives

    def _all(self) -> Parts:
        if self._compute is not None:
            # Without what it was computed from, which is of no use any more, the network goes on in the same memory.
            self._parts, self._compute = self._compute(tuple(range(len(self.slots)))), None
        return self._parts

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
