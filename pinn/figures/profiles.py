"""The solution as curves over space at a few times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from pinn.errors import InputError
from pinn.figures.cuts import TIME, Cut, cut
from pinn.figures.panels import PREDICTION, REFERENCE, draw_line
from pinn.figures.style import GREY, label, new_figure, style

if TYPE_CHECKING:
    from pinn.evaluation import Evaluation

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)


def has_profiles(evaluation: Evaluation) -> bool:
    """Tell whether the coordinates are time and one other."""
    return len(evaluation.coordinates) == 2 and TIME in evaluation.coordinates


def plot_profiles(evaluation: Evaluation, title: str) -> Figure:
    """Draw every field over x at the start, the quarters and the end of time, and its error below.

    The prediction is dashed on the broad, light reference; without a reference it is alone and solid. Times are the
    nodes of the grid nearest to the quarters.

    Raises:
        InputError: the coordinates are not time and one other.
    """
    if not has_profiles(evaluation):
        raise InputError(
            f"profiles need one coordinate and time 't'; the evaluation has {', '.join(evaluation.coordinates)}. "
            "plot_solution draws every case."
        )
    with style():
        times = [_hold_time(evaluation.coordinates, fraction) for fraction in FRACTIONS]
        colours = mpl.colormaps["viridis"]([0.9 * fraction for fraction in FRACTIONS])
        rows, stroke = (2, PREDICTION) if evaluation.reference else (1, {})
        figure = new_figure(4.2 * len(evaluation.fields) + 1.2, 2.4 * rows + 0.4, title)
        panels = figure.subplots(rows, len(evaluation.fields), squeeze=False, sharex=True)
        for column, (name, values) in zip(panels.T, evaluation.fields.items(), strict=True):
            for curve, colour in zip(times, colours, strict=True):
                prediction = curve(values)
                if name in evaluation.reference:
                    reference = curve(evaluation.reference[name])
                    draw_line(column[0], curve, reference, label(name), color=colour, **REFERENCE)
                    error = prediction - reference
                    draw_line(column[1], curve, error, f"error of {label(name)}", color=colour)
                draw_line(column[0], curve, prediction, label(name), color=colour, **stroke)
            for axes in column[:-1]:
                axes.set_xlabel("")
        handles = [
            Line2D([], [], color=colour, label=curve.caption()) for curve, colour in zip(times, colours, strict=True)
        ]
        if evaluation.reference:
            handles.append(Line2D([], [], color=GREY, label="prediction", **PREDICTION))
            handles.append(Line2D([], [], color=GREY, label="reference", **REFERENCE))
        figure.legend(handles=handles, loc="outside right upper")
        return figure


def _hold_time(coordinates: Mapping[str, Tensor], fraction: float) -> Cut:
    [name] = set(coordinates) - {TIME}
    times = coordinates[TIME].select(tuple(coordinates).index(name), 0)
    wanted = times.min() + fraction * (times.max() - times.min())
    return cut(coordinates, [name], {TIME: int((times - wanted).abs().argmin())})
