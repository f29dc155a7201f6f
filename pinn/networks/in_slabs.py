"""What networks in slabs of time have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from torch import nn


class InSlabs(nn.Module, ABC):
    """Fields in slabs of time: one slab after another is found and evaluated alone, and in the end all together.

    Attributes:
        time: which input is time.
        active: the slab that is evaluated alone, also outside of it; all of them together where it is None.
        fixed: whether nothing is differentiated by what is trained, so that a faster way may be taken.
    """

    grows: ClassVar[bool]
    """Whether slabs are added in a training, and what is known of them is no parameter any more."""
    time: int

    def __init__(self) -> None:
        super().__init__()
        self.active: int | None = None
        self.fixed = False

    @abstractmethod
    def __len__(self) -> int:
        """Return how many slabs there are."""

    @abstractmethod
    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""

    @abstractmethod
    def train_part(self, part: str | None, slab: int | None) -> None:
        """Choose the part that is trained, and its slab; None and None for all together.

        Raises:
            InputError: there is no such part or slab.
        """

    @property
    def reached(self) -> float:
        """Up to where slabs are found, in the time that runs from -1 to 1."""
        return 1.0

    def size(self) -> int:
        """Return how many numbers there are in what is found."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    @abstractmethod
    def is_whole(self) -> bool:
        """Whether what is looked at reaches to the end of time."""

    def has_jets(self, slab: int | None) -> bool:
        """Whether jets go through the evaluation of a slab; not where all together choose among their values."""
        return slab is not None

    @contextmanager
    def evaluating(self, slab: int | None) -> Iterator[None]:
        """Evaluate another slab than the active one for a while, or, None, all of them together."""
        active, self.active = self.active, slab
        try:
            yield
        finally:
            self.active = active

    @contextmanager
    def being_fixed(self) -> Iterator[None]:
        """Differentiate nothing by what is trained for a while."""
        fixed, self.fixed = self.fixed, True
        try:
            yield
        finally:
            self.fixed = fixed
