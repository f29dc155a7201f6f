"""The figures of a run as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import Tensor

from pinn.figures.convergence import plot_convergence
from pinn.figures.profiles import has_profiles, plot_profiles
from pinn.figures.residual import plot_residual
from pinn.figures.solution import plot_solution
from pinn.figures.style import style
from pinn.files import write_atomically

if TYPE_CHECKING:
    from pinn.domains import Points
    from pinn.evaluation import Evaluation

DPI = 150
MOST_NODES = 801
"""Along an axis, twice as many as a panel has dots."""


def save_figures(
    evaluation: Evaluation,
    history: Mapping[str, Sequence[float]],
    stages: Sequence[str],
    title: str,
    folder: Path,
) -> list[Path]:
    """Write solution.png, residual.png, convergence.png and, for one coordinate and time, profiles.png.

    A problem without interior residuals has no residual.png.

    Args:
        evaluation: fields, reference and residuals on a mesh grid.
        history: columns of the training, see `plot_convergence`.
        stages: names of the stages of the training.
        title: printed above every figure.
        folder: where to write; made if it does not exist. Files of these names are replaced, each in one piece.

    Returns:
        The files, in the order above.
    """
    errors, evaluation = evaluation.relative_l2, thinned(evaluation)
    figures = {"solution": plot_solution(evaluation, title, errors)}
    if evaluation.residuals:
        figures["residual"] = plot_residual(evaluation, title)
    figures["convergence"] = plot_convergence(history, stages, title)
    if has_profiles(evaluation):
        figures["profiles"] = plot_profiles(evaluation, title)
    folder.mkdir(parents=True, exist_ok=True)
    return [write_figure(figure, folder / f"{name}.png") for name, figure in figures.items()]


def thinned(evaluation: Evaluation) -> Evaluation:
    """Return the part of an evaluation that can be told apart on paper: some hundred nodes along each axis."""

    def thin(values: Tensor) -> Tensor:
        if not evaluation.on_grid:
            return values[: MOST_NODES**2]
        for axis, size in enumerate(values.shape):
            if size > MOST_NODES:
                values = values.index_select(axis, torch.linspace(0, size - 1, MOST_NODES).round().long())
        return values

    def each(values: Points) -> Points:
        return {name: thin(row) for name, row in values.items()}

    return replace(
        evaluation,
        coordinates=each(evaluation.coordinates),
        fields=each(evaluation.fields),
        reference=each(evaluation.reference),
        residuals=each(evaluation.residuals),
        inside=None if evaluation.inside is None else thin(evaluation.inside),
    )


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as a PNG file, in one piece, and return where it is."""
    with style():
        write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight"))
    return path
