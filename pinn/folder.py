"""The folder of a run, judged before torch is loaded: by its name, by what is in it, and by what its files say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn.config import check_config
from pinn.errors import InputError
from pinn.options import check
from pinn.plain_yaml import read_yaml

LEFT_BY_A_RUN_THAT_NEVER_BEGAN = {f".hydra/{name}" for name in ("lock", "config.yaml", "hydra.yaml", "overrides.yaml")}
"""What a run writes before its first checkpoint."""
MAY_CHANGE = ("seconds", "target_error", "trust", "estimate")
"""What may be said anew when a run is resumed: everything else would make it another run."""


def require_free(folder: Path) -> None:
    """Raise InputError unless a run may begin in a folder.

    It may also hold what a run leaves that was killed before its first checkpoint.
    """
    if not folder.exists():
        return
    if folder.is_dir():
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
        if found <= LEFT_BY_A_RUN_THAT_NEVER_BEGAN:
            return
    raise InputError(f"{folder} exists and is not empty; go on with that run by resume={folder}, or name a new folder.")


def require_file(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder of a run, or raise InputError where there is none."""
    if not (folder / name).is_file():
        raise InputError(f"{folder} is not the folder of a run: it has no {name}.")
    return folder / name


def require_no_links(folder: Path) -> None:
    """Raise InputError if a folder holds a link: one that was sent could make a run write in any place."""
    if links := [path for path in folder.rglob("*") if path.is_symlink()]:
        raise InputError(f"{links[0]} is a link, through which a run does not write; put there what it points to.")


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a run as plain values; nothing in it is interpolated or built.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    path = require_file(folder, ".hydra/config.yaml")
    config = read_yaml(path)
    try:
        check_config(config)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    return config


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raise InputError unless these values may be said anew when a run is resumed."""
    if refused := [key for key in changes if key not in MAY_CHANGE]:
        raise InputError(
            f"{', '.join(refused)} cannot change when a run is resumed; only {', '.join(MAY_CHANGE)} can. "
            f"Start a new run without resume=."
        )
    check(changes)


def require_other_folder(output: Path, run: Path) -> None:
    """Raise InputError if what is to be written would take the place of a run's own files."""
    if output.resolve() == run.resolve() or run.resolve() in output.resolve().parents:
        raise InputError(f"{output} is in the folder of the run, which is left as it is; name another for output=.")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is no folder; name one for output=.")


def lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that makes a run the run that it is."""
    return {key: value for key, value in config.items() if key not in MAY_CHANGE}


def changed_keys(written: Mapping[str, Any], saved: Mapping[str, Any]) -> list[str]:
    """Return the keys of what lasts that differ between two configurations; 1 and 1.0 and true do."""
    mine, theirs = (
        {key: json.dumps(value, sort_keys=True) for key, value in lasting(config).items()}
        for config in (written, saved)
    )
    return [key for key in mine | theirs if mine.get(key) != theirs.get(key)]
