"""Nothing is silent for long."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 10.0
"""After so many what goes on is said."""


@contextmanager
def said_if_long(say: Callable[[str], object], line: str, seconds: float = SECONDS) -> Iterator[None]:
    """Do something, and say a line when it takes long.

    Args:
        say: takes the line, in a thread of its own.
        line: what is going on.
        seconds: what long is.
    """
    timer = threading.Timer(seconds, say, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
