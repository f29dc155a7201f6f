"""Where the points of a problem lie."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pinn.domains import Points
from pinn.figures.cuts import TIME
from pinn.figures.save import write_figure
from pinn.figures.style import COLOURS, array, label, new_figure, style

MOST_PLANES = 3
"""Of pairs of coordinates that are drawn."""
MOST_NORMALS = 40
"""Of a constraint that are drawn as arrows."""
LENGTH = 14
"""Of an arrow, in points of 1/72 inch."""


def plot_points(points: Mapping[str, Points], title: str) -> Figure:
    """Draw the points of every constraint, by pairs of coordinates, and the outward normals where there are any.

    One coordinate is drawn on a line for each constraint.

    Args:
        points: by constraint: coordinates, and the components of the normal as `n_<coordinate>`.
        title: printed above all.
    """
    names = [name for name in next(iter(points.values())) if not name.startswith("n_")]
    planes = list(combinations(names, 2))[:MOST_PLANES]
    with style():
        figure = new_figure(3.6 * max(1, len(planes)) + 1.2, 3.2 if planes else 0.5 * len(points) + 1.0, title)
        panels = figure.subplots(1, max(1, len(planes)), squeeze=False)[0]
        if planes:
            for axes, plane in zip(panels, planes, strict=True):
                _plane(axes, points, *plane)
            panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), markerscale=2)
        else:
            _line(panels[0], points, names[0])
        return figure


def save_points(points: Mapping[str, Points], title: str, path: Path) -> Path:
    """Write that picture as a PNG file and return where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_figure(plot_points(points, title), path)


def _plane(axes: Axes, points: Mapping[str, Points], across: str, up: str) -> None:
    for index, (name, quantities) in enumerate(points.items()):
        x, y = array(quantities[across]), array(quantities[up])
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(x, y, ls="", marker=".", ms=3 if len(x) > 50 else 5, color=colour, label=name, clip_on=False)
        if f"n_{across}" in quantities:
            for at in range(0, len(x), max(1, len(x) // MOST_NORMALS)):
                n_across, n_up = (LENGTH * quantities[f"n_{c}"][at].item() for c in (across, up))
                # From the tip, which lies so many points away, to the place on the axes.
                axes.annotate(
                    "",
                    (x[at], y[at]),
                    (n_across, n_up),
                    textcoords="offset points",
                    arrowprops={"arrowstyle": "<-", "color": colour},
                )
    axes.set_xlabel(label(across))
    axes.set_ylabel(label(up))
    axes.margins(0.12)
    axes.set_aspect("auto" if TIME in (across, up) else "equal", adjustable="datalim")


def _line(axes: Axes, points: Mapping[str, Points], coordinate: str) -> None:
    for index, quantities in enumerate(points.values()):
        x = array(quantities[coordinate])
        axes.plot(x, [index] * len(x), ls="", marker="|", ms=12, color=COLOURS[index % len(COLOURS)], clip_on=False)
    axes.set_yticks(range(len(points)), list(points))
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_xlabel(label(coordinate))
