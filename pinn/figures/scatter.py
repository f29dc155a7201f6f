"""Fields and residuals at scattered points: in more than three coordinates there is nothing to map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pinn.figures.gallery import Quantity
from pinn.figures.style import COLOURS, GREY, Array, array, label, new_figure

if TYPE_CHECKING:
    from pinn.evaluation import Evaluation

BINS = 60


def plot_scattered_solution(evaluation: Evaluation, title: str) -> Figure:
    """Draw a row for each field: prediction over reference, a dot for each point, and how its errors are distributed.

    A field without a reference has the distribution of its prediction alone.
    """
    figure = new_figure(7.5, 2.6 * len(evaluation.fields) + 0.6, title)
    panels = figure.subplots(len(evaluation.fields), 2, squeeze=False)
    for (left, right), (name, values) in zip(panels, evaluation.fields.items(), strict=True):
        prediction = array(values)
        if name in evaluation.reference:
            reference = array(evaluation.reference[name])
            _against(left, prediction, reference, label(name))
            _distribution(right, prediction - reference, f"error of {label(name)}")
        else:
            _distribution(left, prediction, f"prediction {label(name)}")
            right.remove()
    return figure


def plot_distributions(quantities: Sequence[Quantity], title: str) -> Figure:
    """Draw how the values of each quantity are distributed over the points, a panel for each."""
    figure = new_figure(3.75 * len(quantities), 3.0, title)
    panels = figure.subplots(1, len(quantities), squeeze=False).flat
    for axes, quantity in zip(panels, quantities, strict=True):
        _distribution(axes, array(quantity.values), quantity.label)
        axes.set_title(quantity.title)
    return figure


def _against(axes: Axes, prediction: Array, reference: Array, name: str) -> None:
    axes.axline((reference.mean(), reference.mean()), slope=1, color=GREY, lw=0.8)
    axes.plot(reference, prediction, ls="", marker=".", ms=2, alpha=0.4, color=COLOURS[0], rasterized=True)
    axes.set_xlabel(f"reference {name}")
    axes.set_ylabel(f"prediction {name}")
    axes.grid(True)


def _distribution(axes: Axes, values: Array, text: str) -> None:
    finite = values[np.isfinite(values)]
    axes.hist(finite, bins=BINS, color=COLOURS[0])
    axes.locator_params("x", nbins=5)  # room for signed numbers of three digits
    axes.set_xlabel(text)
    axes.set_ylabel("points")
    axes.grid(True)
