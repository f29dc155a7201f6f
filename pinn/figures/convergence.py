"""How the training went: the loss over steps, the error over time."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pinn.figures.style import COLOURS, GREY, Array, label, new_figure, style

RESIDUAL, ERROR = "residual/", "relative_l2/"
LETTER = 0.022
"""Width of a letter as a share of the panel's width."""


def plot_convergence(history: Mapping[str, Sequence[float]], stages: Sequence[str], title: str) -> Figure:
    """Draw the loss and its terms over steps and, where a reference exists, the error of each field over wall seconds.

    Args:
        history: columns of equal length: `step`, `seconds`, `stage` (an index into `stages`), `loss`, `validation`,
            `residual/<constraint>` and `relative_l2/<field>`. Values that have no logarithm are left out: nan, where
            a quantity was not evaluated, and zero.
        stages: names of the stages; a line marks where one ends and the next begins.
        title: printed above all.
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    errors = {
        label(name.removeprefix(ERROR)): values
        for name, values in columns.items()
        if name.startswith(ERROR) and not np.isnan(values).all()
    }
    with style():
        figure = new_figure(10.5 if errors else 6.0, 3.2, title)
        losses, *others = figure.subplots(1, 2 if errors else 1, squeeze=False).flat
        losses.set_prop_cycle(cycler(linestyle=["-", "--", ":"]) * cycler(color=COLOURS))
        for name, values in columns.items():
            if name.startswith(RESIDUAL):
                _curve(losses, columns["step"], values, name.removeprefix(RESIDUAL), lw=1.0)
        _curve(losses, columns["step"], columns["validation"], "validation", color=GREY, ls="-")
        _curve(losses, columns["step"], columns["loss"], "loss", color="black", ls="-")
        _finish(losses, columns["step"], columns["stage"], "step", "loss and its terms")
        losses.xaxis.set_major_locator(MaxNLocator(integer=True))
        _name_stages(losses, columns["step"], columns["stage"], stages)
        for axes in others:
            for name, values in errors.items():
                _curve(axes, columns["seconds"], values, name)
            _finish(axes, columns["seconds"], columns["stage"], "wall time (s)", "relative $L^2$ error")
        return figure


def _curve(axes: Axes, abscissa: Array, values: Array, name: str, **line: Any) -> None:
    drawn = np.isfinite(values) & (values > 0)  # zero has no logarithm
    if (values == 0).any() and not drawn.any():
        name = f"{name} (zero)"
    # Few values need markers: a single one has no line.
    axes.plot(abscissa[drawn], values[drawn], marker="o" if drawn.sum() < 20 else "", ms=3, label=name, **line)


def _finish(axes: Axes, abscissa: Array, stage: Array, over: str, what: str) -> None:
    axes.set_yscale("log")
    axes.set_xlabel(over)
    axes.set_ylabel(what)
    axes.grid(True)
    axes.set_xlim(0, 1.02 * abscissa.max(initial=0) or 1)
    for change in np.flatnonzero(np.diff(stage)):
        axes.axvline(abscissa[change], color=GREY, lw=0.8, ls=":")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))


def _name_stages(axes: Axes, steps: Array, stage: Array, stages: Sequence[str]) -> None:
    """Write each name above the panel where its stage begins, on the lowest line that is free there."""
    begins = [0.0, *steps[np.flatnonzero(np.diff(stage))]]
    names = [stages[int(index)] for index, _ in groupby(stage)]
    ends: list[float] = []  # of the last name on each line
    for begin, name in zip(begins, names, strict=False):
        line = next((line for line, end in enumerate(ends) if end <= begin), len(ends))
        ends[line : line + 1] = [begin + LETTER * (len(name) + 1) * steps[-1]]
        axes.annotate(
            name,
            (begin, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3 + 10 * line),
            textcoords="offset points",
            color=GREY,
            fontsize=8,
        )
