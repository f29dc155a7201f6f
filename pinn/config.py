"""Configurations, composed and checked before anything heavy is loaded or anything is written. Imports no torch."""

import itertools
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn.errors import InputError

CONFIGS = Path(__file__).parent.parent / "configs"

KEYS = (
    *("problem", "network", "training", "sampling", "weighting", "trainer", "logger"),
    *("seed", "dtype", "points", "boundary_points", "counts", "weights", "seconds", "target_error", "grid", "trust"),
    *("engine", "compile", "chunk", "hard", "slabs"),
)
"""What a configuration may say at its top level."""

OPEN = tuple(f"{group}." for group in ("problem", "network", "training", "sampling", "weighting", "weights", "counts"))
"""Beginnings of keys that need not be in the configuration yet: names of constraints, and arguments of constructors,
which refuse what they do not know. `problem.viscosity=0.01` and `weights.walls=10` need none of Hydra's plus signs."""


def read(overrides: Sequence[str], config_dir: str | None = None) -> tuple[dict[str, Any], Path, dict[str, Any]]:
    """Compose the configuration of a run from `configs/` and the words of the command line.

    Args:
        overrides: `problem=burgers`, `network.width=30`, …
        config_dir: a folder of further options, searched too.

    Returns:
        the configuration as plain values, the folder that the run is to have, and Hydra's own part of it.

    Raises:
        InputError: an unknown option or key, or a word that cannot be parsed.
    """
    if config_dir and not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir} is no folder; give one with problem/<name>.yaml inside.")
    if several := [word for word, override in _parsed(overrides) if override.is_sweep_override()]:
        raise InputError(f"{several[0]} names several values; add -m for one run with each, or write a list as [0,1].")
    search = [f"hydra.searchpath=[file://{Path(config_dir).absolute()}]"] if config_dir else []
    register_resolvers()
    with _in_one_line(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = compose("train", overrides=[*with_pluses(overrides), *search], return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        folder = Path(composed.hydra.run.dir)
        hydra = OmegaConf.masked_copy(composed, ["hydra"])
        OmegaConf.set_readonly(composed, False)
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        config = OmegaConf.to_container(composed, resolve=True)
        record = OmegaConf.to_container(hydra, resolve=False)
    if not isinstance(config, dict) or not isinstance(record, dict):
        raise InputError("the configuration must be a mapping of keys to values.")
    check_keys(_plain(config))
    return _plain(config), folder, _plain(record)


def check_keys(config: Mapping[str, Any]) -> None:
    """Raise InputError unless the configuration says exactly what a run needs."""
    if unknown := set(config) - set(KEYS):
        raise InputError(f"there is no key {', '.join(sorted(unknown))}; the keys are {', '.join(sorted(KEYS))}.")
    if missing := set(KEYS) - set(config):
        raise InputError(f"the configuration says nothing about {', '.join(sorted(missing))}.")


def register_resolvers() -> None:
    """Teach OmegaConf `${unique:}`, six hexadecimal digits that make the folder of a run its own."""
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def with_pluses(overrides: Sequence[str]) -> list[str]:
    """Return the words as Hydra wants them, which asks for `++` before a key that is not there yet."""
    return [f"++{word}" if word.startswith(OPEN) else word for word in overrides]


def sweep(overrides: Sequence[str]) -> list[list[str]]:
    """Return the words of each run that words with several values ask for: `seed=0,1` asks for two."""
    choices = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [word]
        for word, override in _parsed(overrides)
    ]
    return [list(words) for words in itertools.product(*choices)]


def _parsed(words: Sequence[str]) -> list[tuple[str, Override]]:
    """Return each word with what Hydra's grammar makes of it."""
    parser = OverridesParser.create()
    parsed = []
    for word in words:
        try:
            parsed.append((word, parser.parse_override(word)))
        except HydraException as error:
            raise InputError(
                f"{word!r} cannot be read; write key=value, with quotes around what is unusual."
            ) from error
    return parsed


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that words like `grid.x=201` or `seconds=20` set, without any configuration behind them."""
    if bad := [word for word in words if not re.match(r"[\w.]+=", word)]:
        raise InputError(f"{bad[0]!r} says nothing; write key=value.")
    with _in_one_line():
        values = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)))
    return _plain(values) if isinstance(values, dict) else {}


def options(group: str) -> list[str]:
    """Return the names of the options in a folder of `configs/`."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


@contextmanager
def _in_one_line() -> Iterator[None]:
    # Hydra raises a ValueError of its own for `problem=null`.
    try:
        yield
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        # What follows these words is for the authors of configurations, not for their users.
        aside = r" Config search path:| full_key:| Set the environment variable| See https://hydra.cc"
        message = re.split(aside, " ".join(str(error).split()))[0]
        if unknown := re.search(r"Could not override '(.*?)'", message):
            message = f"there is no key {unknown[1]!r} in the configuration; --cfg job shows them all."
        elif unknown := re.search(r"Could not find '(\w+)/(.*?)' Available options in '.*?': (.*)", message):
            message = f"there is no {unknown[1]} {unknown[2]!r}; choose one of {', '.join(unknown[3].split())}."
        elif "Config group override must be a string" in message:
            message = "an option cannot be null; name one of those that --help lists."
        raise InputError(message) from error


def _plain(config: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in config.items()}
