"""Configurations, composed and checked before anything heavy is loaded or anything is written. Imports no torch."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn.errors import InputError

CONFIGS = Path(__file__).parent.parent / "configs"

OPEN = ("weights.", "counts.")
"""Keys that take any name: `weights.walls=10` adds one."""

OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


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
    search = [f"hydra.searchpath=[file://{Path(config_dir).absolute()}]"] if config_dir else []
    if config_dir and not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir} is no folder; give one with problem/<name>.yaml inside.")
    words = [f"++{word}" if word.startswith(OPEN) else word for word in overrides]
    with _in_one_line(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = compose("train", overrides=[*words, *search], return_hydra_config=True)
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
    return _plain(config), folder, _plain(record)


def options(group: str) -> list[str]:
    """Return the names of the options in a folder of `configs/`."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        message = " ".join(str(error).split())
        if unknown := re.search(r"Could not override '(.*?)'", message):
            message = f"there is no key {unknown[1]!r} in the configuration; --cfg job shows them all"
        # What follows these words is for the authors of configurations, not for their users.
        raise InputError(
            re.split(r" Config search path:| full_key:| Set the environment variable", message)[0]
        ) from error


def _plain(config: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in config.items()}
