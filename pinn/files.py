"""Files that are whole or absent, never half written."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, a crash or a full disk never leaves half of it at `path`.

    The content goes to a temporary file in the same folder, is flushed to the disk, and replaces `path` in one step. If
    anything fails, the temporary file is removed and what stood at `path` stays.

    Args:
        path: the file to make or replace; its folder must exist.
        write: called with the open binary file.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as `write_atomically` does."""
    write_atomically(path, lambda file: file.write(text.encode()))
