"""What a run writes into its folder beside its checkpoints."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger

from pinn.evaluation import Evaluation
from pinn.files import write_atomically, write_text
from pinn.training.held_out import Row, columns
from pinn.verdict import Verdict


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


def log_verdict(logger: TensorBoardLogger, verdict: Verdict, step: int) -> None:
    """Show a verdict in TensorBoard too."""
    lines = [f"**{verdict.status}** {verdict.reason}", *verdict.notes]
    lines += [
        f"estimated error of {name}: {error:.1e}" for name, error in {**verdict.error, **verdict.unknowns}.items()
    ]
    logger.experiment.add_text("verdict", "\n\n".join(lines), step)
    logger.finalize("success")


def log_pictures(logger: TensorBoardLogger, pictures: Sequence[Path], step: int) -> None:
    """Show pictures in TensorBoard too."""
    from matplotlib.image import imread

    for path in pictures:
        logger.experiment.add_image(path.stem, imread(path)[..., :3], step, dataformats="HWC")
    logger.finalize("success")
