"""Code that is not ours, called where a mistake in it can be told in one line."""

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

from pinn.errors import InputError, is_out_of_memory

OURS = Path(__file__).parent
LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


@contextmanager
def in_their_code(what: str) -> Iterator[None]:
    """Turn an exception of code that a user wrote, or that refuses what a user gave, into an InputError.

    An exception that comes out of pinn, when that code has called it or where there is no such code, is a fault of
    ours, or of how the two fit together: it stays what it is, with its traceback. So does a lack of memory.

    Args:
        what: the beginning of the message; the exception, and the user's line that it comes from, follow.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # The first two frames are this function and its caller.
        frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)][2:]
        seen = [(path, line) for path, line in frames if path.is_relative_to(OURS) or not _in_a_library(path)]
        if seen and seen[-1][0].is_relative_to(OURS):
            raise
        said = ": ".join(filter(None, [type(error).__name__, str(error).rstrip(".")]))
        where = f" ({seen[-1][0].name}, line {seen[-1][1]})" if seen else ""
        raise InputError(f"{what}: {said}{where}.") from error


def _in_a_library(path: Path) -> bool:
    return str(path).startswith("<frozen") or any(path.is_relative_to(library) for library in LIBRARIES)
