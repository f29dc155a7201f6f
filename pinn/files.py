"""Files that are whole or absent, never half written, and files that show whether one of their bits has changed."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from pinn.errors import InputError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, a crash or a full disk never leaves half of it at `path`.

    The content goes to a temporary file in the same folder, is flushed to the disk, and replaces `path` in one step. If
    anything fails, the temporary file is removed and what stood at `path` stays. A process that is killed leaves it
    behind, for `sweep`.

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


def sweep(folder: Path) -> None:
    """Remove what killed processes left behind in a folder and those in it; no other process may be writing there."""
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}", path.name) and path.is_file() and not path.is_symlink():
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as `write_atomically` does."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_sealed(path: Path, layout: int, content: Sequence[bytes | memoryview]) -> None:
    """Write a first line, `pinn <layout> sha256 <digest of all that follows>`, and the content, atomically."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)

    def write(file: IO[bytes]) -> None:
        file.write(f"pinn {layout} sha256 {digest.hexdigest()}\n".encode())
        file.writelines(content)

    write_atomically(path, write)


def read_sealed(path: Path, layout: int) -> bytes:
    """Return the content of a file that `write_sealed` wrote.

    Raises:
        InputError: no file, none of ours, one of another layout, or one in which a bit has changed.
        OSError: it cannot be opened.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the folder of a run, or a file that Solution.save wrote.")
    with open(path, "rb") as file:
        first = re.fullmatch(rb"pinn (\d{1,9}) sha256 ([0-9a-f]{64})\n", file.readline(100))
        if not first:
            raise InputError(
                f"{path} is none of pinn's files, or one of layout 1, which had no checksum and is not read any more; "
                f"give one that a run or Solution.save wrote, or solve the problem again."
            )
        if int(first[1]) != layout:
            raise InputError(f"{path} has layout {int(first[1])}, this version of pinn reads layout {layout}.")
        content = file.read()
    if hashlib.sha256(content).hexdigest().encode() != first[2]:
        raise InputError(f"{path} is damaged: its content is not that which its checksum was made of.")
    return content
