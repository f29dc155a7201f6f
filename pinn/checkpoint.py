"""Checkpoints and saved solutions: tensors and plain values in a file that cannot do anything when it is read.

After its first line, see `pinn.files`, a file holds one line of JSON and then the numbers of all tensors, one tensor
after another in the order in which the JSON names them. There is no pickle in it: what comes out is tensors, numbers,
words, lists, tuples and dicts, and never more of them than there are bytes in the file.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinn.errors import InputError
from pinn.files import read_sealed, write_sealed

SCHEMA = 2
"""Number of the layout of a checkpoint; a file of another layout is refused."""

DTYPES = {
    name: getattr(torch, name)
    for name in ("float64", "float32", "float16", "bfloat16", "complex128", "complex64", "bool", "uint8")
} | {name: getattr(torch, name) for name in ("int64", "int32", "int16", "int8")}
"""Of the tensors that a checkpoint can hold, by name."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; the file is whole or absent.

    Raises:
        TypeError: anything else in the content.
    """
    tensors: list[Tensor] = []
    text = json.dumps(_to_json(content, tensors), separators=(",", ":"))
    write_sealed(path, SCHEMA, [f"{text}\n".encode(), *map(_bytes_of, tensors)])


def read(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Args:
        path: the file.
        needs: what it must hold.

    Raises:
        InputError: no file, no checkpoint of pinn, one of another layout, a damaged one, or one without what is needed.
    """
    content = read_sealed(path, SCHEMA)
    text, _, _ = content.partition(b"\n")
    numbers = _Numbers(memoryview(content)[len(text) + 1 :])
    try:
        found = _from_json(json.loads(text), numbers.take)
    # Not JSON, another kind of value than `_to_json` writes, or too deep a nesting.
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a checkpoint: {error}") from error
    if not isinstance(found, dict) or numbers.left:
        raise InputError(f"{path} cannot be read as a checkpoint: it holds something else, or more.")
    if missing := [name for name in needs if name not in found]:
        raise InputError(f"{path} is another kind of checkpoint of pinn: it holds no {', '.join(missing)}.")
    return found


def _to_json(value: Any, tensors: list[Tensor]) -> Any:
    """Return a value in terms of JSON, and add its tensors to the list.

    What JSON does not know is a dict with one key that begins with a dollar.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        tensors.append(value)
        return {"$tensor": [str(value.dtype).removeprefix("torch."), list(value.shape)]}
    if isinstance(value, tuple):
        return {"$tuple": [_to_json(item, tensors) for item in value]}
    if isinstance(value, list):
        return [_to_json(item, tensors) for item in value]
    if not isinstance(value, dict):
        raise TypeError(f"a checkpoint holds tensors and plain values; it was given a {type(value).__name__}.")
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _to_json(item, tensors) for key, item in value.items()}
    return {"$items": [[_to_json(key, tensors), _to_json(item, tensors)] for key, item in value.items()]}


def _from_json(value: Any, take: Callable[[str, list[int]], Tensor]) -> Any:
    """Return the value that `_to_json` was given."""
    if isinstance(value, list):
        return [_from_json(item, take) for item in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: _from_json(item, take) for key, item in value.items()}
    [(kind, inside)] = value.items()
    if kind == "$tensor":
        return take(*inside)
    if kind == "$tuple":
        return tuple(_from_json(item, take) for item in inside)
    if kind == "$items":
        return {_from_json(key, take): _from_json(item, take) for key, item in inside}
    raise ValueError(f"{kind!r} is no kind of value")


class _Numbers:
    """The bytes of all tensors, which are taken one after another."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.at = content, 0

    @property
    def left(self) -> int:
        """How many bytes no tensor has taken."""
        return len(self.content) - self.at

    def take(self, dtype: str, shape: list[int]) -> Tensor:
        """Return the next tensor."""
        if not all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape):
            raise ValueError(f"{shape!r} is no shape")
        kind = DTYPES[dtype]
        begin, self.at = self.at, self.at + math.prod(shape) * kind.itemsize
        if self.left < 0:
            raise ValueError("the numbers of a tensor are missing")
        if begin == self.at:
            return torch.empty(shape, dtype=kind)
        # A copy, for the content cannot be written to.
        return torch.frombuffer(bytearray(self.content[begin : self.at]), dtype=kind).reshape(shape)


def _bytes_of(tensor: Tensor) -> memoryview:
    """Return the numbers of a tensor, row by row, as this machine holds them."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
