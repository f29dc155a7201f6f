"""One panel for each quantity and each cut: the plain layout, for quantities that have nothing beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

from matplotlib.figure import Figure
from torch import Tensor

from pinn.figures.cuts import cuts
from pinn.figures.panels import Scale, colour_bar, draw_line, draw_map, panel_size
from pinn.figures.style import Array, new_figure

COLUMNS = 3


@dataclass(frozen=True)
class Quantity:
    """Values (n₁, …, n_d) on a mesh grid, and what to print above them and beside their numbers."""

    title: str
    label: str
    values: Tensor


def plot_gallery(
    coordinates: Mapping[str, Tensor],
    quantities: Sequence[Quantity],
    scale_of: Callable[[Sequence[Array]], Scale],
    title: str,
) -> Figure:
    """Draw quantities as curves over one coordinate or as maps over more, three panels in a row.

    Args:
        coordinates: mesh grid, axis i for the i-th coordinate.
        quantities: what to draw.
        scale_of: chooses the colours of a quantity from its values on all cuts, so that its panels can be compared.
        title: printed above all.
    """
    planes = cuts(coordinates)
    columns = min(COLUMNS, len(planes) * len(quantities))
    rows = ceil(len(planes) * len(quantities) / columns)
    width, height = panel_size(planes[0], rows)
    figure = new_figure(columns * (width + 1.5), rows * (height + 0.7) + 0.4, title)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for quantity, cut in product(quantities, planes):
        axes, drawn = next(panels), cut(quantity.values)
        if len(cut.axes) == 1:
            draw_line(axes, cut, drawn, quantity.label)
        else:
            scale = scale_of([plane(quantity.values) for plane in planes])
            draw_map(axes, cut, drawn, scale)
            colour_bar(axes, scale, drawn, quantity.label)
        axes.set_title(cut.caption(quantity.title))
    for unused in panels:
        unused.remove()
    return figure
