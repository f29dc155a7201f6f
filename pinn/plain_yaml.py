"""YAML of plain values, read without trusting who wrote it: bounded in size, and nothing in it is built or expanded."""

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.nodes import MappingNode, Node, SequenceNode

from pinn.errors import InputError

MOST_BYTES = 100_000
"""Of a file; a configuration has about two thousand."""
MOST_VALUES = 10_000
"""Of a file, after its aliases are expanded: nine lines of nine aliases each would be four hundred million."""
MOST_LEVELS = 32
"""Of lists and mappings inside each other."""
MOST_BITS = 64
"""Of a whole number."""


class _Bounded(yaml.SafeLoader):
    """Refuses a document as soon as it has too many values or levels; each alias counts as all that it stands for."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.sizes: dict[Node, tuple[int, int]] = {}

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose a node, and count the values and levels of it."""
        begins: Any = self.peek_event()
        self.depth += 1
        self._require(1, self.depth, begins)
        if getattr(begins, "tag", None) is not None:
            raise _refusal("a tag, which says how to build a value", begins)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is None or node in self.sizes:
            return node
        if isinstance(begins, yaml.AliasEvent):
            # What it stands for is not counted yet, so it is what the alias is a part of.
            raise _refusal("a value holds itself", begins)
        children = node.value if isinstance(node, SequenceNode) else []
        if isinstance(node, MappingNode):
            children = [part for pair in node.value for part in pair]
        sizes = [self.sizes[child] for child in children]
        values, levels = 1 + sum(size for size, _ in sizes), 1 + max((deep for _, deep in sizes), default=0)
        self._require(values, levels, begins)
        self.sizes[node] = values, levels
        return node

    def _require(self, values: int, levels: int, where: Any) -> None:
        if values > MOST_VALUES or levels > MOST_LEVELS:
            raise _refusal(f"more than {MOST_VALUES:,} values or {MOST_LEVELS} levels", where)


def _refusal(reason: str, where: Any) -> ComposerError:
    return ComposerError(None, None, reason, where.start_mark)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        InputError: no file, one that is too large, or no YAML of plain values by name.
        OSError: it cannot be opened.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    with open(path, "rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES:,} bytes, which no configuration has.")
    try:
        content = yaml.load(text.decode(), Loader=_Bounded)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path} cannot be read: {error.problem}{line}.") from error
    # Bytes that are no text, and dates and numbers that Python cannot hold.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no mapping of names to values.")
    if odd := _first_odd(content):
        raise InputError(f"{path} may hold numbers, words, lists and mappings by name only; it holds {odd}.")
    return content


def to_yaml(content: Any) -> str:
    """Return YAML of plain values, in which nothing stands for anything else, in the order of the mapping."""
    return yaml.dump(content, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _first_odd(value: Any) -> str | None:
    """Return a name for the first value that is not plain, or None."""
    if isinstance(value, dict):
        if odd := [key for key in value if not isinstance(key, str)]:
            return f"the name {odd[0]!r}"
        return next(filter(None, map(_first_odd, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_first_odd, value)), None)
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return "a whole number that is too large"
    return None if value is None or isinstance(value, bool | int | float | str) else repr(value)
