"""How many threads torch computes with on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pinn.errors import InputError


def check_threads(count: Any, name: str) -> int:
    """Return a number of threads, or raise InputError under the name of what was given."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"{name} must be a whole number of at least 1; it was given {count!r}.")
    return count


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads for a while; None changes nothing.

    Raises:
        InputError: no whole number of at least 1.
    """
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(check_threads(count, "threads"))
    try:
        yield
    finally:
        torch.set_num_threads(before)
