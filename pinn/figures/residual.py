"""Where the equation holds, and how well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from pinn.figures.gallery import Quantity, plot_gallery
from pinn.figures.panels import Scale
from pinn.figures.scatter import plot_distributions
from pinn.figures.style import Array, style

if TYPE_CHECKING:
    from pinn.evaluation import Evaluation


def plot_residual(evaluation: Evaluation, title: str) -> Figure:
    """Draw log₁₀ |r| of every interior residual r on the grid, or how it is distributed over scattered points.

    The colours leave out the smallest fiftieth of the values: a residual passes through zero along lines, where its
    logarithm has no bound.
    """
    with style():
        logarithms = [
            Quantity(name, r"$\log_{10}\,|r|$", log_magnitude(values)) for name, values in evaluation.residuals.items()
        ]
        if not evaluation.on_grid:
            return plot_distributions(logarithms, title)
        return plot_gallery(evaluation.coordinates, logarithms, _scale, title)


def log_magnitude(residual: Tensor) -> Tensor:
    """Return log₁₀ |r|, not lower than 16 digits below its peak, so that a zero can be drawn; nan stays nan."""
    magnitude = residual.detach().double().abs()
    peak = float(magnitude.where(magnitude.isfinite(), 0.0).max())
    return magnitude.clamp(min=max(1e-16 * peak, torch.finfo(torch.float64).tiny)).log10()


def _scale(values: Sequence[Array]) -> Scale:
    finite = np.concatenate([array[np.isfinite(array)] for array in values])
    # At round-off many residuals are exactly zero, which lie at the floor of `log_magnitude`.
    above = finite[finite > finite.min(initial=np.inf)]
    shown = above if above.size else finite
    lower, upper = np.quantile(shown, (0.02, 1.0)) if shown.size else (-1.0, 0.0)
    return Scale(float(lower), max(float(upper), float(lower) + 1.0), "magma")
