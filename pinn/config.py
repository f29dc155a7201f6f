"""Configurations, composed and checked before anything heavy is loaded or anything is written. Imports no torch."""

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from pinn.errors import InputError
from pinn.option_files import CONFIGS, BoundedFiles, options
from pinn.options import check
from pinn.words import in_one_line, parse, parsed, quoted, require_single, suggest, sweep, with_pluses

__all__ = ["CONFIGS", "KEYS", "check_config", "options", "parse", "read", "register_resolvers", "sweep", "with_pluses"]

GROUPS = {
    "problem": None,
    "network": None,
    "training": None,
    "sampling": None,
    "weighting": None,
    "trainer": ("accelerator", "threads"),
    "logger": ("tensorboard",),
}
"""Keys that have options, and what these say: single values, or what classes and stages take."""

KEYS = (
    *GROUPS,
    *("seed", "dtype", "points", "boundary_points", "counts", "weights", "seconds", "target_error", "grid", "trust"),
    *("engine", "compile", "chunk", "hard", "slabs", "estimate", "check"),
)
"""What a configuration may say at its top level."""


def read(overrides: Sequence[str], config_dir: str | None = None) -> tuple[dict[str, Any], Path, dict[str, Any]]:
    """Compose the configuration of a run from `configs/` and the words of the command line.

    Args:
        overrides: `problem=burgers`, `network.width=30`, …
        config_dir: a folder of further options, searched too.

    Returns:
        the configuration as plain values, the folder that the run is to have, and Hydra's own part of it.

    Raises:
        InputError: an unknown option or key, a word that cannot be parsed, or a value that cannot be used.
    """
    if config_dir and not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir} is no folder; give one with problem/<name>.yaml inside.")
    words = parsed(overrides)
    require_single(words)
    for word in words:
        if word.key_or_group in (*GROUPS, "experiment") and not (_names_option(word) or word.is_delete()):
            names = ", ".join(options(word.key_or_group, config_dir))
            raise InputError(f"{word.input_line} names no option of {word.key_or_group}; choose one of {names}.")
    with in_one_line():
        composed = _compose(words, config_dir)
        if config_dir:
            _require_same_hydra(composed, _compose([w for w in words if w.key_or_group == "hydra.run.dir"]))
        _require_names(composed.hydra.runtime.choices)
        HydraConfig.instance().set_config(composed)
        folder = composed.hydra.run.dir
        record = _plain(OmegaConf.to_container(OmegaConf.masked_copy(composed, ["hydra"]), resolve=False))
        config = _without_hydra(composed)
    if not folder:
        raise InputError("hydra.run.dir= needs a folder.")
    check_config(config)
    return config, Path(folder), record


def defaults(**choices: str) -> dict[str, Any]:
    """Return the configuration in which only some options are chosen, by group: `network="mlp"`."""
    for group, name in choices.items():
        if name not in options(group):
            raise InputError(f"there is no {group} {name!r}; choose one of {', '.join(options(group))}.")
    with in_one_line():
        return _without_hydra(_compose(parsed([f"{group}={name}" for group, name in choices.items()])))


def _compose(words: Sequence[Override], config_dir: str | None = None) -> DictConfig:
    """Return everything that Hydra composes from words."""
    register_resolvers()
    Plugins.instance().register(BoundedFiles)
    lines = with_pluses([str(word.input_line) for word in words])
    if config_dir:
        lines.append(f"hydra.searchpath=[{quoted(f'bounded://{Path(config_dir).absolute()}')}]")
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        try:
            return compose("train", overrides=lines, return_hydra_config=True)
        except HydraException as error:
            unknown = re.search(r"Could not (?:override|delete from config\.) '(.*?)'", " ".join(str(error).split()))
            if not unknown:
                raise
            chosen = [str(word.input_line) for word in words if word.key_or_group in GROUPS and _names_option(word)]
            question = suggest(unknown[1], compose("train", overrides=chosen)) or "; --cfg job shows them all."
            raise InputError(f"there is no key {unknown[1]!r} in the configuration{question}") from error


def _names_option(word: Override) -> bool:
    return isinstance(word.value(), str)


def _without_hydra(composed: DictConfig) -> dict[str, Any]:
    """Return the configuration as plain values."""
    OmegaConf.set_readonly(composed, False)
    OmegaConf.set_struct(composed, False)
    composed.pop("hydra")
    plain = _plain(OmegaConf.to_container(composed, resolve=True))
    if isinstance(plain.get("weights"), Mapping):
        # `weights.equation.mass=2` is the weight of one residual of a system, whose name has a dot in it.
        plain["weights"] = _flat(plain["weights"])
    return plain


def _plain(container: Any) -> dict[str, Any]:
    return {str(key): value for key, value in container.items()}


def _flat(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _require_names(choices: Mapping[str, str | None]) -> None:
    """Raise InputError for an option that is a path: it would lead out of `configs/`, and the run out of `outputs/`."""
    for group, name in choices.items():
        if name is not None and not all(re.fullmatch(r"\w[\w.-]*", part) for part in name.split("/")):
            raise InputError(f"{group}={name} is no name of an option; choose one of those that --help lists.")


def _require_same_hydra(composed: DictConfig, plain: DictConfig) -> None:
    """Raise InputError if an option file says something about Hydra itself, which could make it run any code."""
    said, shipped = (_plain(OmegaConf.to_container(part.hydra, resolve=False)) for part in (composed, plain))
    for key in said:
        if key not in ("runtime", "overrides", "job", "searchpath") and said[key] != shipped.get(key):
            raise InputError(f"an option file sets hydra.{key}; only the command line may, and only hydra.run.dir.")


def check_config(config: Mapping[str, Any]) -> None:
    """Raise InputError unless a configuration says exactly what a run needs, in values that it can use."""
    if unknown := sorted(set(config) - set(KEYS)):
        raise InputError(f"there is no key {', '.join(unknown)}; the keys are {', '.join(sorted(KEYS))}.")
    if missing := sorted(set(KEYS) - set(config)):
        raise InputError(f"the configuration says nothing about {', '.join(missing)}.")
    check(config)
    for group, names in GROUPS.items():
        if not isinstance(config[group], Mapping):
            raise InputError(f"{group} must be a mapping, as one of its options is; it was given {config[group]!r}.")
        if names is not None:
            if set(config[group]) != set(names):
                raise InputError(f"{group} must say {' and '.join(names)} alone; it was given {dict(config[group])}.")
            check(config[group], f"{group}.")
        if config[group].get("_target_", "") is None and len(config[group]) > 1:
            others = ", ".join(f"{group}.{name}" for name in config[group] if name != "_target_")
            raise InputError(f"{others} says nothing, for the plan chooses the {group}; name one by {group}=<name>.")
    for name, stage in config["training"].items():
        if not isinstance(stage, Mapping) or "_target_" not in stage:
            question = suggest(f"training.{name}", config)
            raise InputError(f"training.{name} is no stage, which names a class by _target_{question or '.'}")


def register_resolvers() -> None:
    """Teach OmegaConf `${unique:}`, six hexadecimal digits that make the folder of a run its own."""
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)
