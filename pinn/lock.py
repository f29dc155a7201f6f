"""One process at a time."""

import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinn.errors import InputError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file for this process alone.

    The lock (`flock`) is the operating system's: it is gone when the process is, however that ended, and leaves nothing
    behind.

    Args:
        path: an existing file that may be written; its content is left alone.

    Raises:
        InputError: another process holds it.
    """
    with open(path, "rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{path} is held by another run that is still going on; wait for its end.") from error
        except OSError as error:
            # Some network file systems know no locks; that must not keep anybody from training there.
            warnings.warn(f"{path} cannot be locked, so take care that no other run uses it: {error}", stacklevel=3)
        yield
