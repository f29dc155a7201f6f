"""What networks in slabs of time have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class InSlabs(nn.Module, ABC):
    """Fields in slabs of time: one slab after another is found and evaluated alone, and in the end all together.

    Attributes:
        time: which input is time.
        active: the slab that is evaluated alone, also outside of it; all of them together where it is None.
    """

    time: int

    def __init__(self) -> None:
        super().__init__()
        self.active: int | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return how many slabs there are."""

    @abstractmethod
    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""

    @contextmanager
    def evaluating(self, slab: int | None) -> Iterator[None]:
        """Evaluate another slab than the active one for a while, or, None, all of them together."""
        active, self.active = self.active, slab
        try:
            yield
        finally:
            self.active = active
