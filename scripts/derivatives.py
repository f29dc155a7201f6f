"""Automatic differentiation by example: plain torch.autograd beside the operators of pinn.derivatives.

`python scripts/derivatives.py [--output FOLDER]` prints the numbers and writes the pictures. The examples are those of
a tutorial on torch.autograd.grad: a cubic, the two errors that everybody meets, and a function on a mesh grid.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.autograd import grad

from pinn.derivatives import gradient, hessian, partial
from pinn.figures.cuts import cut
from pinn.figures.panels import PREDICTION, REFERENCE, colour_bar, draw_line, draw_map, error_scale, field_scale
from pinn.figures.style import COLOURS, new_figure, style

NODES = 100
CUBIC, PARABOLA, SURFACE = "x^3 + 2x^2 + 3x + 1", "x^2 + 2x + 3", "x^2 y + 2x y^3"


@dataclass(frozen=True)
class Derivative:
    """One derivative three times, each of shape (points,), and the call that gives ours.

    The formula is evaluated in double precision, the others in single precision as they are by default.
    """

    formula: str
    analytic: Tensor
    autograd: Tensor
    ours: Tensor
    call: str

    def difference(self) -> Tensor:
        """Ours minus the analytic derivative: the round-off of single precision."""
        return self.ours.detach().double() - self.analytic


@dataclass(frozen=True)
class Cubic:
    """y = x³ + 2x² + 3x + 1 and z = x² + 2x + 3 at 100 points of [0, 1]."""

    x: Tensor
    y_x: Derivative
    y_xx: Derivative
    z_x: Derivative


@dataclass(frozen=True)
class Surface:
    """z = X²Y + 2XY³ on a mesh grid of 100 × 100 points, where x grows from 0 to 1 and y falls from 2 to 1."""

    x: Tensor
    y: Tensor
    first: Sequence[Derivative]
    second: Sequence[Derivative]
    doubled: Derivative


def cubic() -> Cubic:
    """Differentiate the cubic once and twice, and the parabola."""
    x = torch.linspace(0, 1, NODES, requires_grad=True)
    y, z = x**3 + 2 * x**2 + 3 * x + 1, x**2 + 2 * x + 3
    (y_x,) = grad(y, x, torch.ones_like(y), create_graph=True)
    (y_xx,) = grad(y_x, x, torch.ones_like(y))
    (z_x,) = grad(z, x, torch.ones_like(z), retain_graph=True)
    exact = x.detach().double()
    return Cubic(
        x,
        Derivative("dy/dx = 3x^2 + 4x + 3", 3 * exact**2 + 4 * exact + 3, y_x, partial(y, x), "partial(y, x)"),
        Derivative("d^2y/dx^2 = 6x + 4", 6 * exact + 4, y_xx, partial(y, x, x), "partial(y, x, x)"),
        Derivative("dz/dx = 2x + 2", 2 * exact + 2, z_x, partial(z, x), "partial(z, x)"),
    )


def mistakes() -> dict[str, tuple[str, str]]:
    """Differentiate what has no graph any more, and what never had one: what torch says and what we say."""
    x = torch.linspace(0, 1, NODES, requires_grad=True)
    y = x**3 + 2 * x**2 + 3 * x + 1
    (y_x,) = grad(y, x, torch.ones_like(y))
    return {
        "a second derivative of a graph that the first one freed (no retain_graph)": (
            message(bind(grad, y, x, torch.ones_like(y))),
            message(bind(partial, y, x)),
        ),
        "a derivative of a derivative that has no graph (no create_graph)": (
            message(bind(grad, y_x, x, torch.ones_like(y))),
            message(bind(partial, y_x, x)),
        ),
    }


def message(call: Callable[[], object]) -> str:
    """What the call raises, in one line."""
    try:
        call()
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("the call was expected to raise")


def surface() -> Surface:
    """Differentiate the function of two variables once and twice."""
    x, y = torch.linspace(0, 1, NODES, requires_grad=True), torch.linspace(2, 1, NODES, requires_grad=True)
    X, Y = (grid.reshape(-1) for grid in torch.meshgrid(x, y, indexing="xy"))
    z = X**2 * Y + 2 * X * Y**3
    ones = torch.ones_like(z)
    z_x, z_y = grad(z, (X, Y), ones, create_graph=True)
    z_xx, z_xy = grad(z_x, (X, Y), ones, create_graph=True)
    (z_yy,) = grad(z_y, Y, ones, create_graph=True)
    (doubled,) = grad(z, X, 2 * ones, retain_graph=True)
    first, second = gradient(z, (X, Y)), hessian(z, (X, Y))
    exact_x, exact_y = X.detach().double(), Y.detach().double()
    z_x_formula = 2 * exact_x * exact_y + 2 * exact_y**3
    z_y_formula = exact_x**2 + 6 * exact_x * exact_y**2
    weighted = partial(z, X, grad_outputs=2 * ones)
    return Surface(
        X,
        Y,
        first=[
            Derivative(r"\partial z/\partial x = 2xy + 2y^3", z_x_formula, z_x, first[0], "gradient(z, (X, Y))[0]"),
            Derivative(r"\partial z/\partial y = x^2 + 6xy^2", z_y_formula, z_y, first[1], "gradient(z, (X, Y))[1]"),
        ],
        second=[
            Derivative(r"\partial^2 z/\partial x^2 = 2y", 2 * exact_y, z_xx, second[0][0], "hessian(z, (X, Y))[0][0]"),
            Derivative(
                r"\partial^2 z/\partial x\partial y = 2x + 6y^2",
                2 * exact_x + 6 * exact_y**2,
                z_xy,
                second[0][1],
                "hessian(z, (X, Y))[0][1]",
            ),
            Derivative(
                r"\partial^2 z/\partial y^2 = 12xy",
                12 * exact_x * exact_y,
                z_yy,
                second[1][1],
                "hessian(z, (X, Y))[1][1]",
            ),
        ],
        doubled=Derivative(
            r"2\partial z/\partial x = 4xy + 4y^3",
            2 * z_x_formula,
            doubled,
            weighted,
            "partial(z, X, grad_outputs=2 * ones)",
        ),
    )


def show(derivative: Derivative) -> None:
    """Print the first and last values, and how far the three are apart."""
    ours, autograd = derivative.ours, derivative.autograd
    first, last = (" ".join(f"{value:.4f}" for value in values) for values in (ours[:3], ours[-3:]))
    print(f"  {plain(derivative.formula)}, as {derivative.call}")
    print(f"    {first} ... {last}")
    print(f"    differs from autograd by at most {(ours - autograd).abs().max():.1e}, ", end="")
    print(f"from the formula by at most {derivative.difference().abs().max():.1e}")


def draw_cubic(example: Cubic) -> Figure:
    """The derivative of the cubic, analytic and broad below ours and dashed, and their difference."""
    line, derivative = cut({"x": example.x}, ["x"], {}), example.y_x
    figure = new_figure(5.0, 4.4, f"$y = {CUBIC}$")
    curves, difference = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    colour = COLOURS[1]
    draw_line(curves, line, line(derivative.analytic), "$dy/dx$", label=f"${derivative.formula}$", **REFERENCE)
    draw_line(curves, line, line(derivative.ours), "$dy/dx$", label=derivative.call, color=colour, **PREDICTION)
    curves.set_xlabel("")
    curves.legend()
    draw_line(difference, line, line(derivative.difference()), "ours − analytic", color=colour)
    return figure


def draw_maps(example: Surface, derivatives: Sequence[Derivative]) -> Figure:
    """A row for each derivative: analytic and ours in the same colours, and their difference in its own."""
    shape = (NODES, NODES)
    plane = cut({"x": example.x.reshape(shape), "y": example.y.reshape(shape)}, ["x", "y"], {})
    figure = new_figure(9.6, 2.75 * len(derivatives) + 0.4, f"$z = {SURFACE}$")
    for row, derivative in zip(figure.subplots(len(derivatives), 3, squeeze=False), derivatives, strict=True):
        values = [plane(v.reshape(shape)) for v in (derivative.analytic, derivative.ours, derivative.difference())]
        field = field_scale(values[:2])
        # A scale below the last digit of the largest value would colour what single precision cannot hold.
        digit = torch.finfo(derivative.ours.dtype).eps * abs(values[0]).max()
        error = error_scale([values[2], np.array([digit])])
        titles = (f"${derivative.formula}$", derivative.call, "ours − analytic")
        for axes, value, scale, title in zip(row, values, (field, field, error), titles, strict=True):
            draw_map(axes, plane, value, scale)
            colour_bar(axes, scale, value, "")
            axes.set_title(title, loc="left")
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the numbers and write the pictures."""
    parser = argparse.ArgumentParser(description="Automatic differentiation by example.")
    parser.add_argument("--output", type=Path, default=Path("outputs/derivatives"), help="folder for the pictures")
    folder = parser.parse_args(arguments).output
    curve, plane = cubic(), surface()

    print(f"y = {plain(CUBIC)} and z = {plain(PARABOLA)} on [0, 1]")
    for derivative in (curve.y_x, curve.y_xx, curve.z_x):
        show(derivative)
    for title, (torch_says, we_say) in mistakes().items():
        print(f"\n{title}\n  torch: {torch_says}\n  ours:  {we_say}")
    print(f"\nz = {plain(SURFACE)} on a mesh grid of {NODES} × {NODES} points of [0, 1] × [1, 2]")
    for derivative in (*plane.first, plane.doubled, *plane.second):
        show(derivative)

    folder.mkdir(parents=True, exist_ok=True)
    with style():
        for name, figure in (
            ("cubic", draw_cubic(curve)),
            ("first_derivatives", draw_maps(plane, plane.first)),
            ("second_derivatives", draw_maps(plane, plane.second)),
        ):
            figure.savefig(folder / f"{name}.png", dpi=150, bbox_inches="tight")
            print(f"\nwrote {folder / name}.png", end="")
    print()


def plain(formula: str) -> str:
    """The formula without its typesetting."""
    for typeset, symbol in ((r"\partial ", "∂"), (r"\partial", "∂"), ("^2", "²"), ("^3", "³")):
        formula = formula.replace(typeset, symbol)
    return formula


if __name__ == "__main__":
    main()
