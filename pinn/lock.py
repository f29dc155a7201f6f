"""One process at a time."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pinn.errors import InputError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file for this process alone; it is made if it is missing, and free when the process ends in any way.

    Raises:
        InputError: another process holds it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"{path.parent} is held by another run that is still going on; wait for its end.") from error
    except NotImplementedError as error:
        # Some network file systems know no locks; that must not keep anybody from training there.
        warnings.warn(f"{path} cannot be locked, so take care that no other run uses it: {error}", stacklevel=3)
    try:
        yield
    finally:
        lock.release()
