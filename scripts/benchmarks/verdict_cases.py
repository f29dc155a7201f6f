"""Problems whose verdict is known: some without a solution or with many, and well-posed ones right beside them."""

from collections.abc import Callable, Mapping
from math import pi
from typing import Any

import torch
from torch import Tensor

from pinn import Box, Constraint, Exact, Problem
from pinn.derivatives import laplacian, partial


class Case(Problem):
    """A problem put together from its parts, so that one of them can be left out."""

    def __init__(
        self,
        domain: Mapping[str, tuple[float, float]],
        constraints: Callable[[Box], dict[str, Constraint]],
        fields: tuple[str, ...] = ("u",),
        exact: Callable[..., dict[str, Tensor]] | None = None,
    ) -> None:
        super().__init__()
        self.coordinates, self.fields = tuple(domain), fields
        self.domain = Box(**domain)
        self.made, self.exact = constraints, exact

    def constraints(self) -> dict[str, Constraint]:
        """Return what was given."""
        return self.made(self.domain)

    def reference(self) -> Exact | None:
        """Return the solution, where one was given."""
        return Exact(self.exact) if self.exact else None


UNIT = (0.0, 1.0)


def heat(u: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """u_t - u_xx / 10."""
    return partial(u, t) - 0.1 * partial(u, x, x)


def wave(u: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """u_tt - u_xx."""
    return partial(u, t, t) - partial(u, x, x)


def poisson(u: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Δu + 1."""
    return laplacian(u, (x, y)) + 1


def value(number: float) -> Callable[[Tensor], Tensor]:
    """u = number."""
    return lambda u: u - number


def hump(u: Tensor, x: Tensor) -> Tensor:
    """u = sin πx."""
    return u - torch.sin(pi * x)


def flux(u: Tensor, x: Tensor, y: Tensor, n_x: Tensor, n_y: Tensor) -> Tensor:
    """∂u/∂n."""
    return n_x * partial(u, x) + n_y * partial(u, y)


Conditions = Mapping[str, tuple[Callable[[Box], Any], Callable[..., Any]]]


def case(
    domain: Mapping[str, tuple[float, float]],
    equation: Callable[..., Any],
    conditions: Conditions,
    fields: tuple[str, ...] = ("u",),
    exact: Callable[..., dict[str, Tensor]] | None = None,
) -> Case:
    """Return the problem of an equation on the interior and conditions on regions, by name."""

    def constraints(box: Box) -> dict[str, Constraint]:
        rest = {name: Constraint(region(box), residual) for name, (region, residual) in conditions.items()}
        return {"equation": Constraint(box.interior, equation), **rest}

    return Case(domain, constraints, fields, exact)


XT, XY, X = {"x": UNIT, "t": UNIT}, {"x": UNIT, "y": UNIT}, {"x": UNIT}
WALLS = (lambda box: box.boundary("x"), value(0))
START = (lambda box: box.face(t=0), hump)
SIDES = (lambda box: box.boundary(), value(0))
ORIGIN = (lambda box: box.point(x=0, y=0), value(0))


def stokes(u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Δu - ∇p + (1, x), and ∇·u."""
    return {
        "x": laplacian(u, (x, y)) - partial(p, x) + 1,
        "y": laplacian(v, (x, y)) - partial(p, y) + x,
        "mass": partial(u, x) + partial(v, y),
    }


def cosine(u: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Δu - cos πx: with ∂u/∂n = 0 the integral of the source has to vanish, and does."""
    return laplacian(u, (x, y)) - torch.cos(pi * x)


def rest(u: Tensor, v: Tensor) -> dict[str, Tensor]:
    """u = v = 0."""
    return {"u": u, "v": v}


def conducting(left: float, right: float) -> Callable[[Tensor, Tensor], Tensor]:
    """(k u')' + 1 with a conductivity that jumps in the middle."""
    return lambda u, x: partial(torch.where(x < 0.5, left, right) * partial(u, x), x) + 1


NOT_DETERMINED = {
    "heat without an initial value": case(XT, heat, {"walls": WALLS}),
    "wave without a velocity": case(XT, wave, {"walls": WALLS, "initial": START}),
    "Poisson without any condition": case(XY, poisson, {}),
    "a field without an equation": case(
        XY, poisson, {"sides": (lambda box: box.boundary(), lambda u, v: {"u": u, "v": v - 1})}, fields=("u", "v")
    ),
    "heat backwards in time": case(
        XT,
        heat,
        {"walls": WALLS, "end": (lambda box: box.face(t=1), lambda u, x: u - 0.5 * torch.sin(pi * x) * (1 + x))},
    ),
    "Laplace with all data on one side": case(
        XY,
        lambda u, x, y: laplacian(u, (x, y)),
        {"side": (lambda box: box.face(x=0), lambda u, x, y: {"u": u - torch.exp(-y), "u_x": partial(u, x) - y**2})},
    ),
    "Neumann conditions, up to a constant": case(XY, cosine, {"sides": (lambda box: box.boundary(), flux)}),
    "a decay without a start": case({"t": UNIT}, lambda u, t: partial(u, t) + u, {}),
    "an oscillator without a velocity": case(
        {"t": (0.0, 6.0)}, lambda u, t: partial(u, t, t) + u, {"start": (lambda box: box.face(t=0), value(1))}
    ),
    "a beam with three conditions": case(
        X,
        lambda u, x: partial(u, x, x, x, x) - 1,
        {
            "left": (lambda box: box.face(x=0), lambda u, x: {"u": u, "u_x": partial(u, x)}),
            "right": (lambda box: box.face(x=1), value(0)),
        },
    ),
    "advection without an inflow": case(XT, lambda u, x, t: partial(u, t) + partial(u, x), {"initial": START}),
    "Stokes flow, its pressure up to a constant": case(
        XY, stokes, {"walls": (lambda box: box.boundary(), rest)}, fields=("u", "v", "p")
    ),
    "heat in two dimensions without an initial value": case(
        {"x": UNIT, "y": UNIT, "t": UNIT},
        lambda u, x, y, t: partial(u, t) - 0.1 * laplacian(u, (x, y)),
        {"sides": SIDES},
    ),
}
"""Nothing fixes the solution, or it does not depend continuously on the data."""

CONTRADICTORY = {
    "0 and 1 on one side": case(
        XY,
        lambda u, x, y: laplacian(u, (x, y)),
        {"sides": SIDES, "again": (lambda box: box.face(x=0), value(1))},
    ),
    "Neumann conditions, and a source that they cannot take": case(
        XY, poisson, {"sides": (lambda box: box.boundary(), flux)}
    ),
    "two slopes at one end": case(
        X,
        lambda u, x: partial(u, x, x) - 1,
        {
            "left": (lambda box: box.face(x=0), value(0)),
            "right": (lambda box: box.face(x=1), lambda u, x: {"one": partial(u, x) - 1, "two": 3 * partial(u, x) - 6}),
        },
    ),
    "two starts": case(
        {"t": UNIT},
        lambda u, t: partial(u, t) + u,
        {"first": (lambda box: box.face(t=0), value(1)), "second": (lambda box: box.at(t=0), value(2))},
    ),
}
"""No field can meet all conditions."""

NOT_JOINED = {
    "a rod of two materials": case(X, conducting(1.14, 0.01), {"ends": SIDES}),
    "a plate of two materials": case(
        XY,
        lambda u, x, y: sum(partial(torch.where(x < 0.5, 1.14, 0.01) * partial(u, c), c) for c in (x, y)) + 1,
        {"sides": SIDES},
    ),
    "a disk in a plate": case(
        {"x": (-1.0, 1.0), "y": (-1.0, 1.0)},
        lambda u, x, y: sum(partial(torch.where(x**2 + y**2 < 0.3, 5.0, 1.0) * partial(u, c), c) for c in (x, y)) + 1,
        {"sides": SIDES},
    ),
    "a current that changes its speed": case(
        XT,
        lambda u, x, t: partial(u, t) + torch.where(x < 0.5, 1.14, 0.1) * partial(u, x),
        {"initial": START, "inflow": (lambda box: box.face(x=0), lambda u, t: u + torch.sin(1.14 * pi * t))},
    ),
}
"""A leading coefficient jumps, and the equation does not say how the sides join."""

WELL_POSED = {
    "heat": case(
        XT,
        heat,
        {"walls": WALLS, "initial": START},
        exact=lambda x, t: {"u": torch.exp(-0.1 * pi**2 * t) * torch.sin(pi * x)},
    ),
    "a two-point problem": case(
        X,
        lambda u, x: partial(u, x, x) - 2,
        {"ends": (lambda box: box.boundary(), lambda u, x: u - x**2)},
        exact=lambda x: {"u": x**2},
    ),
    "Neumann conditions and one value": case(
        XY,
        cosine,
        {"sides": (lambda box: box.boundary(), flux), "origin": ORIGIN},
        exact=lambda x, y: {"u": (1 - torch.cos(pi * x)) / pi**2},
    ),
    "a weak Robin condition": case(
        X,
        lambda u, x: partial(u, x, x) + 1,
        {"ends": (lambda box: box.boundary(), lambda u, x, n_x: n_x * partial(u, x) + 1e-3 * u)},
        exact=lambda x: {"u": 500 + x * (1 - x) / 2},
    ),
    "a beam in SI units": case(
        {"x": (0.0, 10.0)},
        lambda u, x: 1.6e6 * partial(u, x, x, x, x) - 1e3,
        {
            "left": (lambda box: box.face(x=0), lambda u, x: {"u": u, "u_x": partial(u, x)}),
            "right": (lambda box: box.face(x=10), lambda u, x: {"m": partial(u, x, x), "q": partial(u, x, x, x)}),
        },
        exact=lambda x: {"u": 1e3 / (24 * 1.6e6) * x**2 * (x**2 - 40 * x + 600)},
    ),
    "growth": case(
        {"t": (0.0, 10.0)},
        lambda u, t: partial(u, t) - u,
        {"start": (lambda box: box.face(t=0), value(1))},
        exact=lambda t: {"u": torch.exp(t)},
    ),
    "an oscillator": case(
        {"t": (0.0, 30.0)},
        lambda u, t: partial(u, t, t) + u,
        {"start": (lambda box: box.face(t=0), lambda u, t: {"u": u - 1, "u_t": partial(u, t)})},
        exact=lambda t: {"u": torch.cos(t)},
    ),
    "a temperature in kelvin": case(
        X,
        lambda u, x: 400 * partial(u, x, x) + 5e4,
        {"ends": (lambda box: box.boundary(), value(293.15))},
        exact=lambda x: {"u": 293.15 + 62.5 * x * (1 - x)},
    ),
    "a coefficient of a field that jumps": case(
        {"t": UNIT},
        lambda u, t: partial(u, t) + torch.where(t < 0.5, 1.0, 2.0) * u,
        {"start": (lambda box: box.face(t=0), value(1))},
        exact=lambda t: {"u": torch.exp(-torch.where(t < 0.5, t, 2 * t - 0.5))},
    ),
    "a thin strip": case(
        {"x": (0.0, 100.0), "y": UNIT},
        lambda u, x, y: laplacian(u, (x, y)) - 2,
        {"sides": (lambda box: box.boundary(), lambda u, x, y: u - y**2)},
        exact=lambda x, y: {"u": y**2},
    ),
}
"""What stands right beside them and has one solution, which is known."""
