"""What a value from a file must look like: told by an example, and refused by name where it looks otherwise."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinn.errors import InputError


class Plain:
    """An example for what YAML can say: numbers, words, lists and dicts by name."""


HISTORY = [{str: float}]
"""Of the history of a training: rows of numbers by name."""


def require(value: Any, example: Any, name: str = "") -> None:
    """Raise InputError unless a value looks like an example.

    Args:
        value: tensors and plain values.
        example: a type, which is that of the value, where a whole number is a float too; `Plain`; a tensor, whose shape
            and dtype are those of the value; `[example]` for a list of any length; `{str: example}` for a dict of any
            names; `{"name": example, …}` for one of these names and no others; a tuple of examples, one of which will
            do; and a word, a number or None, which is the value itself.
        name: of the value in messages, `state.network.weight`.

    Raises:
        InputError: the value looks otherwise.
    """
    if isinstance(example, tuple):
        if not any(_looks_like(value, choice) for choice in example):
            raise InputError(f"{name} is {_shown(value)}, expected {' or '.join(map(_told, example))}.")
        return
    if not _is_like(value, example):
        raise InputError(f"{name or 'the content'} is {_shown(value)}, expected {_told(example)}.")
    prefix = f"{name}." if name else ""
    if isinstance(example, dict) and set(example) == {str}:
        for key, item in value.items():
            require(item, example[str], f"{prefix}{key}")
    elif isinstance(example, dict):
        if missing := [key for key in example if key not in value]:
            raise InputError(f"{prefix}{missing[0]} is missing.")
        for key, item in value.items():
            if key not in example:
                raise InputError(f"{prefix}{key} does not belong there.")
            require(item, example[key], f"{prefix}{key}")
    elif isinstance(example, list):
        for index, item in enumerate(value):
            require(item, example[0], f"{prefix}{index}")


def _looks_like(value: Any, example: Any) -> bool:
    try:
        require(value, example)
    except InputError:
        return False
    return True


def _is_like(value: Any, example: Any) -> bool:
    """Tell whether a value looks like an example on the outside."""
    if isinstance(example, Tensor):
        return isinstance(value, Tensor) and value.shape == example.shape and value.dtype == example.dtype
    if example is Plain:
        return _is_plain(value)
    if example is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if example is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(example, type):
        return isinstance(value, example)
    if isinstance(example, dict):
        return isinstance(value, dict) and (set(example) != {str} or all(isinstance(key, str) for key in value))
    if isinstance(example, list):
        return isinstance(value, list)
    return type(value) is type(example) and value == example


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _told(example: Any) -> str:
    if isinstance(example, Tensor):
        return _shown(example)
    if isinstance(example, type):
        return f"a {example.__name__}"
    return "a dict" if isinstance(example, dict) else "a list" if isinstance(example, list) else repr(example)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__}"
    return repr(value)


def require_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise InputError for the first tensor with a number that is infinite or none."""
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{name}.{key} holds a number that is infinite or none.")


@contextmanager
def about(file: Path) -> Iterator[None]:
    """Say in which file is what an InputError of the body complains about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{file} cannot be used: {error}") from error
