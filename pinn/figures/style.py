"""How every figure looks, and how names and numbers are written in it."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Distinct to colour-blind readers as well (Okabe and Ito, 2008)."""
GREY = "#7f7f7f"
STYLE = mpl.RcParams(
    {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "figure.titlesize": 10,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.2,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.axisbelow": True,
        "grid.color": "#e0e0e0",
        "grid.linewidth": 0.5,
        "axes.formatter.use_mathtext": True,
        "axes.formatter.limits": (-2, 4),
    }
)
GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega|"
    "Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)


@contextmanager
def style() -> Iterator[None]:
    """Draw with the settings of this file alone, whatever the user's matplotlibrc says, and restore his afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure, sizes in inches, that belongs to no display and to no global list of figures.

    The compressed layout keeps panels of fixed aspect together.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(compress=True, w_pad=0.12))
    figure.suptitle(title)
    return figure


def label(name: str) -> str:
    r"""Typeset the name of a coordinate or field in italics; an underscore starts a subscript, `phi_0` becomes φ₀."""
    head, *subscripts = (part for part in name.split("_") if part)
    below = ",".join(_word(part) for part in subscripts)
    return f"${_word(head)}_{{{below}}}$" if below else f"${_word(head)}$"


def _word(text: str) -> str:
    return rf"\{text}" if GREEK.fullmatch(text) else rf"\mathit{{{text}}}"


def scientific(value: float) -> str:
    """Write a number with two digits and a power of ten; zero, infinity and nan as they are."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def array(values: Tensor) -> Array:
    """Copy a tensor of any floating dtype, on any device, into a float64 array of the same shape."""
    return values.detach().cpu().double().numpy()
