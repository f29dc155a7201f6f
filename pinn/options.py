"""What a run may be told: one rule for each value, by its name. Needs no torch, so that mistakes are told at once.

The command line, `pinn.solve`, `scripts/evaluate.py` and a run that goes on are all judged here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pinn.errors import InputError

DTYPES = ("float64", "float32", "mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "mps")
ENGINES = ("auto", "reverse", "taylor")
MOST_POINTS = 2**30
"""What a Sobol sequence can number."""
MOST_NODES = 10**7
MOST_THREADS = 1024
"""More are no help on any machine, and the threads of OpenMP end the process where they cannot be made."""


@dataclass(frozen=True)
class Rule:
    """What a value must be, in words and as a test."""

    words: str
    allows: Callable[[Any], bool]


def check(values: Mapping[str, Any], prefix: str = "") -> None:
    """Raise InputError for the first value that breaks its rule.

    Args:
        values: by name; names without a rule are left alone.
        prefix: of the names in the message, `trainer.` for example.
    """
    for name, value in values.items():
        if name in RULES and not RULES[name].allows(value):
            raise InputError(f"{prefix}{name} must be {RULES[name].words}; it was given {value!r}.")


def is_auto(value: Any) -> bool:
    """Tell whether a value is left to be chosen."""
    return isinstance(value, str) and value == "auto"


def is_whole(value: Any, least: int, most: int) -> bool:
    """Tell whether a value is a whole number within bounds; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_positive(value: Any) -> bool:
    """Tell whether a value is a finite number above zero."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and math.isfinite(value)


def is_module(value: Any) -> bool:
    """Tell whether a value can be the dotted name of a module of one's own."""
    return isinstance(value, str) and value != "__main__" and all(part.isidentifier() for part in value.split("."))


def _one_of(names: tuple[str, ...]) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def _by_name(value: Any, allows: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and allows(v) for k, v in value.items())


_POINTS = Rule(f"a whole number from 1 to {MOST_POINTS:,}", lambda value: is_whole(value, 1, MOST_POINTS))
_SWITCH = Rule("true or false", lambda value: isinstance(value, bool))
_POSITIVE = Rule("a positive number or null", lambda value: value is None or is_positive(value))

RULES = {
    "seed": Rule("a whole number from 0 to 2^63 - 1", lambda value: is_whole(value, 0, 2**63 - 1)),
    "dtype": _one_of(DTYPES),
    "points": _POINTS,
    "boundary_points": _POINTS,
    "counts": Rule(
        f"whole numbers from 1 to {MOST_POINTS:,} by constraint, as in counts.walls=50",
        lambda value: _by_name(value, lambda count: is_whole(count, 1, MOST_POINTS)),
    ),
    "weights": Rule(
        "positive numbers by constraint or residual, as in weights.walls=10", lambda value: _by_name(value, is_positive)
    ),
    "seconds": _POSITIVE,
    "target_error": _POSITIVE,
    "grid": Rule(
        f"a whole number of nodes from 2 to {MOST_NODES:,}, or one for each coordinate, as in grid.x=201 grid.t=101",
        lambda value: is_whole(value, 2, MOST_NODES) or _by_name(value, lambda size: is_whole(size, 2, MOST_NODES)),
    ),
    "slabs": Rule("auto or a whole number from 1 to 1000", lambda value: is_auto(value) or is_whole(value, 1, 1000)),
    "engine": _one_of(ENGINES),
    "compile": Rule("auto, true or false", lambda value: is_auto(value) or isinstance(value, bool)),
    "chunk": Rule(
        "auto, null or a whole number of at least 1",
        lambda value: value is None or is_auto(value) or is_whole(value, 1, MOST_POINTS),
    ),
    "hard": _SWITCH,
    "estimate": _SWITCH,
    "check": _SWITCH,
    "tensorboard": _SWITCH,
    "trust": Rule(
        "a list of modules, as in trust=[my_module]",
        lambda value: isinstance(value, list | tuple) and all(map(is_module, value)),
    ),
    "accelerator": _one_of(ACCELERATORS),
    "threads": Rule(
        f"a whole number of at least 1 and at most {MOST_THREADS}", lambda value: is_whole(value, 1, MOST_THREADS)
    ),
}
"""By name."""
