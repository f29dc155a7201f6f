"""The folder of a run: may one begin there, and what it writes."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml
from lightning.pytorch.loggers import TensorBoardLogger

from pinn.errors import InputError
from pinn.evaluation import Evaluation
from pinn.files import write_atomically, write_text
from pinn.training.held_out import Row, columns

LEFT_BY_A_RUN_THAT_NEVER_BEGAN = {f".hydra/{name}" for name in ("lock", "config.yaml", "hydra.yaml", "overrides.yaml")}
"""What a run writes before its first checkpoint."""


def require_free(folder: Path) -> None:
    """Raise InputError unless a run may begin in a folder.

    It may also hold what a run leaves that was killed before its first checkpoint.
    """
    if not folder.exists():
        return
    if folder.is_dir():
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
        if found <= LEFT_BY_A_RUN_THAT_NEVER_BEGAN:
            return
    raise InputError(f"{folder} exists and is not empty; go on with that run by resume={folder}, or name a new folder.")


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a run as plain values; nothing in it is interpolated or built.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / ".hydra" / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder} is not the folder of a run: it has no .hydra/config.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no configuration.")
    return config


def write_yaml(path: Path, content: Any) -> None:
    """Write plain values."""
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def write_solution(path: Path, evaluation: Evaluation) -> None:
    """Write flat arrays of equal length: coordinates, fields, and references as `<field>_reference`."""
    arrays = {
        **evaluation.coordinates,
        **evaluation.fields,
        **{f"{name}_reference": values for name, values in evaluation.reference.items()},
    }

    def write(file: IO[bytes]) -> None:
        # One array at a time: coordinates of a mesh grid are much smaller before they are flat.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, values.flatten().numpy())

    write_atomically(path, write)


def write_history(path: Path, history: list[Row]) -> None:
    """Write a table with a row for each look at the held-out points."""
    text = io.StringIO()
    table = columns(history)
    writer = csv.writer(text)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    write_text(path, text.getvalue())


def log_pictures(logger: TensorBoardLogger, pictures: Sequence[Path], step: int) -> None:
    """Show pictures in TensorBoard too."""
    from matplotlib.image import imread

    for path in pictures:
        logger.experiment.add_image(path.stem, imread(path)[..., :3], step, dataformats="HWC")
    logger.finalize("success")
