"""What a checkpoint holds, and how it is read without running anything that it holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pinn.errors import InputError
from pinn.files import write_atomically

SCHEMA = 1
"""Number of the layout of a checkpoint; a file of another layout is refused."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; the file is whole or absent."""
    write_atomically(path, lambda file: torch.save({"schema": SCHEMA, **content}, file))


def read(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values can come out of it.

    Args:
        path: the file.
        needs: what it must hold.

    Raises:
        InputError: no file, not readable, no checkpoint of pinn, one of another layout, or one without what is needed.
    """
    if not path.is_file():
        raise InputError(
            f"there is no checkpoint {path}; give the folder of a run, or a file that Solution.save wrote."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged or hostile file can fail anywhere in the reader; whatever it raises, the file cannot be used.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path} cannot be read as a checkpoint: {reason}") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise InputError(f"{path} is not a checkpoint of pinn; give one that a run or Solution.save wrote.")
    if content["schema"] != SCHEMA:
        raise InputError(f"{path} has layout {content['schema']}, this version of pinn reads layout {SCHEMA}.")
    if missing := [name for name in needs if name not in content]:
        raise InputError(f"{path} is another kind of checkpoint of pinn: it holds no {', '.join(missing)}.")
    return content
