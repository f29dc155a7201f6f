"""What the annotations of a constructor say about the values that a configuration gives it."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAPPINGS = (dict, Mapping)
SEQUENCES = (list, Sequence)


def of_constructor(target: type) -> dict[str, Any]:
    """Return the annotations of a constructor by argument; none where they cannot be evaluated."""
    try:
        return typing.get_type_hints(target.__init__)  # type: ignore[misc]
    except (NameError, TypeError, AttributeError):
        # Names that are imported for type checkers alone, for example.
        return {}


def admits(annotation: Any, value: Any) -> bool:
    """Tell whether a plain value is what an annotation asks for.

    A whole number is a float too; true and false are no numbers; a list is a tuple too, for YAML has no tuples. An
    annotation that is of no plain values alone admits everything: what is right there, only the constructor knows.
    """
    kind, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if kind in (typing.Union, types.UnionType):
        plain = [part for part in inside if _is_plain(part)]
        return any(admits(part, value) for part in plain or inside)
    if kind is typing.Literal:
        return any(type(value) is type(word) and value == word for word in inside)
    if kind in SEQUENCES or annotation in SEQUENCES:
        return isinstance(value, list | tuple) and all(admits(inside[0] if inside else Any, item) for item in value)
    if kind is tuple or annotation is tuple:
        return isinstance(value, list | tuple) and _admits_each(inside, value)
    if kind in MAPPINGS or annotation in MAPPINGS:
        return isinstance(value, Mapping) and all(admits(inside[1] if inside else Any, item) for item in value.values())
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (None, types.NoneType):
        return value is None
    return annotation not in (str, bool) or isinstance(value, annotation)


def _is_plain(annotation: Any) -> bool:
    known = (int, float, str, bool, None, types.NoneType, typing.Literal, tuple, *SEQUENCES, *MAPPINGS)
    return (typing.get_origin(annotation) or annotation) in known


def _admits_each(inside: tuple[Any, ...], value: Sequence[Any]) -> bool:
    if not inside or inside[-1] is Ellipsis:
        return all(admits(inside[0] if inside else Any, item) for item in value)
    return len(inside) == len(value) and all(map(admits, inside, value))


def class_in(annotation: Any) -> tuple[type | types.UnionType, int | None] | None:
    """Return the class that an annotation asks for, and how many arguments it is made with later, or None.

    `Geometry` and `Geometry | None` ask for a Geometry now, `Callable[[Iterable[Tensor]], Optimizer]` for what makes an
    Optimizer from one argument; there it may be one of several classes.
    """
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(filter(None, map(class_in, typing.get_args(annotation))), None)
    if typing.get_origin(annotation) is Callable:
        later, made = typing.get_args(annotation)
        return (made, len(later)) if isinstance(made, type | types.UnionType) and isinstance(later, list) else None
    plain = (bool, int, float, str, object, types.NoneType, *MAPPINGS, *SEQUENCES)
    return (annotation, None) if isinstance(annotation, type) and annotation not in plain else None


def in_words(annotation: Any) -> str:
    """Return what an annotation asks for: `a number`, `a number or a list`."""
    kind, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if kind in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(in_words, inside)))
    if kind is typing.Literal:
        return f"one of {', '.join(map(repr, inside))}"
    if kind is Callable:
        return "a class by _target_"
    if kind is tuple and inside and inside[-1] is not Ellipsis:
        return f"a list of {len(inside)}"
    if (kind or annotation) in (tuple, *SEQUENCES):
        return f"a list, each {in_words(inside[0])}" if inside else "a list"
    if (kind or annotation) in MAPPINGS:
        return "a mapping"
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", types.NoneType: "null"}
    return words.get(annotation) or f"a {getattr(annotation, '__name__', annotation)}"
