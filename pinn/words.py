"""The words of a command line, key=value, and what can be said about them before they are composed."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn.errors import InputError
from pinn.option_files import options

OPEN = ("problem", "network", "training", "sampling", "weighting", "weights", "counts", "grid")
"""Keys whose inside need not be in the configuration yet: names of constraints and coordinates, and arguments of
constructors, which refuse what they do not know. `problem.viscosity=0.01` needs none of Hydra's plus signs."""
MAPPINGS = ("weights", "counts")
"""Keys that are whole such mappings, as in `counts={walls: 20}`; the others name options."""
MOST_RUNS = 1000
"""Of one command line."""


def parsed(words: Sequence[str]) -> list[Override]:
    """Return what Hydra's grammar makes of each word.

    Raises:
        InputError: a word that is none, or one about Hydra itself, other than `hydra.run.dir=`.
    """
    parser = OverridesParser.create()
    found = []
    for word in words:
        try:
            found.append(parser.parse_override(word))
        except HydraException as error:
            raise InputError(
                f"{word!r} cannot be read; write key=value, with quotes around what is unusual."
            ) from error
    for override in found:
        key = override.get_key_element().lstrip("+~")
        if re.match(r"hydra\b", key) and key != "hydra.run.dir":
            raise InputError(f"{key} has no effect here; of Hydra's own keys only hydra.run.dir=<folder> may be said.")
        if override.package is not None:
            raise InputError(f"{key} is no key: each option has its own place, as in network=mlp.")
    return found


def require_single(overrides: Sequence[Override]) -> None:
    """Raise InputError for a word that names several values."""
    if several := [override.input_line for override in overrides if override.is_sweep_override()]:
        raise InputError(f"{several[0]} names several values; add -m for one run with each, or write a list as [0,1].")


def with_pluses(words: Sequence[str]) -> list[str]:
    """Return the words as Hydra wants them, which asks for `++` before a key that is not there yet."""
    beginnings = tuple(f"{key}." for key in OPEN) + tuple(f"{key}=" for key in MAPPINGS)
    return [f"++{word}" if word.startswith(beginnings) else word for word in words]


def quoted(text: str) -> str:
    """Return text in the quotes of Hydra's grammar, in which a backslash means itself unless a quote follows."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text) + "'"


def sweep(words: Sequence[str], config_dir: str | None = None) -> list[list[str]]:
    """Return the words of each run that words with several values ask for: `seed=0,1` asks for two.

    Raises:
        InputError: no values, or too many runs.
    """
    choices = []
    for override in parsed(words):
        values = _values(override, config_dir) if override.is_sweep_override() else None
        key = override.get_key_element()
        choices.append([str(override.input_line)] if values is None else [f"{key}={value}" for value in values])
    runs = [list(run) for run in itertools.islice(itertools.product(*choices), MOST_RUNS + 1)]
    if not 1 <= len(runs) <= MOST_RUNS:
        raise InputError(f"-m would start {len(runs) or 'no'} runs or more; name at least 1 and at most {MOST_RUNS}.")
    return runs


def _values(override: Override, config_dir: str | None) -> list[str]:
    """Return the values that a word names, at most one more than there can be runs."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        raise InputError(f"{override.input_line} names no single values; list them, or write range(start,stop,step).")
    if isinstance(value, Glob):
        found = value.filter(options(override.key_or_group, config_dir))
        if not found:
            raise InputError(f"{override.input_line} fits no option of {override.key_or_group}.")
        return found
    return list(itertools.islice(override.sweep_string_iterator(), MOST_RUNS + 1))


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that words like `grid.x=201` or `seconds=20` set, without any configuration behind them."""
    if bad := [word for word in words if not re.match(r"\w+(\.\w+)*=", word)]:
        raise InputError(f"{bad[0]!r} says nothing; write key=value.")
    with in_one_line():
        values = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)))
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def suggest(key: str, config: Mapping[str, Any]) -> str:
    """Return a question, which key of a configuration was meant by one that is not there; nothing if none is close."""
    paths = [path for path in _paths(config) if not key.startswith(path) and not path.endswith("_")]
    same = [path for path in paths if path.rpartition(".")[2] == key.rpartition(".")[2]]
    close = same or get_close_matches(key, paths, n=1, cutoff=0.75)
    return f"; did you mean {' or '.join(close[:3])}?" if close else ""


def _paths(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn what Hydra and OmegaConf say into an InputError, without what is for authors of configurations."""
    try:
        yield
    except InputError:
        raise
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        aside = r" Config search path:| full_key:| Set the environment variable| See https://hydra.cc"
        message = re.split(aside, " ".join(str(error).split()))[0]
        if unknown := re.search(r"Could not find '(\w+)/(.*?)' Available options in '.*?': (.*)", message):
            message = f"there is no {unknown[1]} {unknown[2]!r}; choose one of {', '.join(unknown[3].split())}."
        raise InputError(message) from error
