"""One panel: a curve or a map of an array on a cut, its colours and its colour bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from pinn.figures.cuts import TIME, Cut
from pinn.figures.style import Array, label

PREDICTION: dict[str, Any] = {"ls": "--"}
REFERENCE: dict[str, Any] = {"lw": 4, "alpha": 0.35}
"""Curves are told apart by their strokes: a dashed prediction stays visible on the broad reference below it."""


@dataclass(frozen=True)
class Scale:
    """Colours of a quantity, by the name of matplotlib's map.

    Values outside [lower, upper] take the end colours, and the colour bar shows an arrow.
    """

    lower: float
    upper: float
    colours: str

    def extend(self, values: Array) -> str:
        """Name the ends at which values leave the scale by more than one colour of 256, as matplotlib names them."""
        lowest, highest = _range([values])
        margin = (self.upper - self.lower) / 256
        below, above = lowest < self.lower - margin, highest > self.upper + margin
        return ("neither", "min", "max", "both")[below + 2 * above]


def field_scale(values: Sequence[Array]) -> Scale:
    """Scale of a field: diverging around zero if it takes both signs, else perceptually uniform over its range.

    Both signs means that the smaller side is at least a tenth of the larger: an undershoot is no second sign. A
    constant field gets a range around its value, so that its round-off is not drawn as if it were a pattern.
    """
    lower, upper = _range(values)
    largest = max(abs(lower), abs(upper))
    if lower < 0 < upper and min(-lower, upper) > 0.1 * largest:
        return Scale(-largest, largest, "RdBu_r")
    if upper - lower <= 1e-9 * largest or largest == 0:
        margin = 0.5 * largest or 1.0
        return Scale(lower - margin, upper + margin, "viridis")
    return Scale(lower, upper, "viridis")


def error_scale(values: Sequence[Array]) -> Scale:
    """Scale of an error: symmetric and diverging, in other colours than a field."""
    lower, upper = _range(values)
    largest = max(abs(lower), abs(upper)) or 1.0
    return Scale(-largest, largest, "PuOr_r")


def _range(values: Sequence[Array]) -> tuple[float, float]:
    finite = np.concatenate([each[np.isfinite(each)] for each in values])
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def draw_map(axes: Axes, cut: Cut, values: Array, scale: Scale) -> None:
    """Colour the plane of a cut, linear between nodes, and leave cells with a nan or infinite node grey.

    Space is drawn to scale. Time against space is not, for they have no common unit.
    """
    axes.pcolormesh(
        *cut.axes.values(), values, vmin=scale.lower, vmax=scale.upper, cmap=scale.colours, shading="gouraud"
    )
    axes.set_facecolor("#d0d0d0")
    axes.set_aspect("auto" if TIME in cut.axes else "equal")
    horizontal, vertical = cut.axes
    axes.set_xlabel(label(horizontal))
    axes.set_ylabel(label(vertical))
    width, height = panel_size(cut)
    axes.locator_params("x", nbins=max(1, int(width / 0.5)))  # half an inch holds the number at a tick
    axes.locator_params("y", nbins=max(1, int(height / 0.5)))


def draw_line(axes: Axes, cut: Cut, values: Array, text: str, **line: Any) -> None:
    """Draw a quantity over the one free coordinate of a cut; `line` goes to matplotlib's plot."""
    [(name, abscissa)] = cut.axes.items()
    axes.plot(abscissa, values, **line)
    axes.set_xlim(abscissa.min(), abscissa.max())
    axes.set_xlabel(label(name))
    axes.set_ylabel(text)
    axes.grid(True)


def colour_bar(axes: Axes, scale: Scale, values: Array, text: str) -> None:
    """Put a thin bar of the panel's own height to its right; `values` are all that share it."""
    tall = 1.0 if axes.get_aspect() == "auto" else max(axes.get_data_ratio(), 1.0)
    beside = axes.inset_axes((1.0 + 0.03 * tall, 0.0, 0.04 * tall, 1.0))
    colours = ScalarMappable(Normalize(scale.lower, scale.upper), scale.colours)
    bar = axes.figure.colorbar(colours, cax=beside, extend=scale.extend(values))
    bar.outline.set_linewidth(0.6)
    bar.set_label(text, labelpad=2)
    beside.yaxis.OFFSETTEXTPAD = 6  # the exponent stands clear of a number at the very end of the bar


def panel_size(cut: Cut, rows: int = 1) -> tuple[float, float]:
    """Return width and height in inches that suit a panel in one of `rows` rows: a plane of space keeps its shape."""
    highest = min(3.2, max(12 / rows, 1.4))
    if len(cut.axes) == 1 or TIME in cut.axes:
        return 2.7, min(2.0, highest)
    across, up = (float(np.ptp(coordinate)) for coordinate in cut.axes.values())
    scale = min(2.6 / across, highest / up)
    return across * scale, up * scale
