"""The solution of a run beside the reference, and its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from torch import Tensor

from pinn.figures.cuts import Cut, cuts
from pinn.figures.gallery import Quantity, plot_gallery
from pinn.figures.panels import (
    PREDICTION,
    REFERENCE,
    colour_bar,
    draw_line,
    draw_map,
    error_scale,
    field_scale,
    panel_size,
)
from pinn.figures.scatter import plot_scattered_solution
from pinn.figures.style import GREY, label, new_figure, scientific, style

if TYPE_CHECKING:
    from pinn.evaluation import Evaluation


def plot_solution(evaluation: Evaluation, title: str, errors: Mapping[str, float] | None = None) -> Figure:
    """Draw prediction, reference and error = prediction - reference, a row for each field (and each cut).

    Prediction and reference share one colour scale, that of the reference. Without a reference there is the prediction
    alone. One coordinate is drawn as curves, two as a map, more as cuts through the middle; scattered points are drawn
    as prediction over reference.

    Args:
        evaluation: what is drawn.
        title: printed above.
        errors: relative L2 errors to print, by field; those of the evaluation if None.
    """
    with style():
        if evaluation.reference:
            said = [f"{label(name)}: {scientific(e)}" for name, e in (errors or evaluation.relative_l2).items()]
            title = f"{title}\nrelative $L^2$ error of {', '.join(said)}"
        if not evaluation.on_grid:
            return plot_scattered_solution(evaluation, title)
        if not evaluation.reference:
            fields = [
                Quantity(f"prediction {label(name)}", label(name), values) for name, values in evaluation.fields.items()
            ]
            return plot_gallery(evaluation.coordinates, fields, field_scale, title)
        return (_curves if len(evaluation.coordinates) == 1 else _maps)(evaluation, title)


def _curves(evaluation: Evaluation, title: str) -> Figure:
    [line] = cuts(evaluation.coordinates)
    figure = new_figure(7.5, 2.4 * len(evaluation.fields) + 0.5, title)
    panels = figure.subplots(len(evaluation.fields), 2, squeeze=False)
    for (left, right), name in zip(panels, evaluation.fields, strict=True):
        prediction = line(evaluation.fields[name])
        if name in evaluation.reference:
            reference = line(evaluation.reference[name])
            draw_line(left, line, reference, label(name), label="reference", color=GREY, **REFERENCE)
            draw_line(right, line, prediction - reference, f"error of {label(name)}")
        else:
            right.remove()
        draw_line(left, line, prediction, label(name), label="prediction", **PREDICTION)
    panels[0, 0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _maps(evaluation: Evaluation, title: str) -> Figure:
    planes = cuts(evaluation.coordinates)
    rows = len(evaluation.fields) * len(planes)
    width, height = panel_size(planes[0], rows)
    figure = new_figure(3 * width + 3.0, rows * (height + 0.4) + 0.7, title)
    panels = figure.subplots(rows, 3, squeeze=False, sharex=True, sharey=True)
    # Fields without a reference stand above, so that the lowest panel of each column has the labels below it.
    names = sorted(evaluation.fields, key=lambda name: name in evaluation.reference)
    for name, block in zip(names, panels.reshape(-1, len(planes), 3), strict=True):
        prediction, reference = evaluation.fields[name], evaluation.reference.get(name)
        if reference is None:
            _maps_alone(prediction, planes, block, label(name))
            continue
        error = prediction - reference
        shared = field_scale([plane(reference) for plane in planes])
        signed = error_scale([plane(error) for plane in planes])
        columns = (("prediction", prediction, shared), ("reference", reference, shared), ("error of", error, signed))
        for plane, row in zip(planes, block, strict=True):
            for axes, (kind, values, scale) in zip(row, columns, strict=True):
                draw_map(axes, plane, plane(values), scale)
                axes.set_title(plane.caption(f"{kind} {label(name)}"))
                axes.label_outer()
            colour_bar(row[1], shared, plane(prediction), label(name))
            colour_bar(row[2], signed, plane(error), "error")
    return figure


def _maps_alone(prediction: Tensor, planes: Sequence[Cut], block: Any, name: str) -> None:
    """Draw a field without a reference in the first of three columns."""
    scale = field_scale([plane(prediction) for plane in planes])
    for plane, (axes, *unused) in zip(planes, block, strict=True):
        draw_map(axes, plane, plane(prediction), scale)
        axes.set_title(plane.caption(f"prediction {name}"))
        axes.label_outer()
        colour_bar(axes, scale, plane(prediction), name)
        for empty in unused:
            empty.remove()
