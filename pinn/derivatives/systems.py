"""Orthogonal coordinates: how long a unit step is, and how the unit vectors turn along the coordinate lines.

Vector fields have physical components, along unit vectors e₁, …, eₙ that point along the coordinate lines. Two things
tell such a system from a Cartesian one: the scale factors hᵢ = |∂r/∂xᵢ|, and that the eᵢ turn from point to point,

    (1/hⱼ) ∂eᵢ/∂xⱼ = κᵢⱼ eⱼ (i ≠ j),    (1/hⱼ) ∂eⱼ/∂xⱼ = -Σᵢ κᵢⱼ eᵢ,    κᵢⱼ = (1 / hᵢhⱼ) ∂hⱼ/∂xᵢ.

Here κᵢⱼ is the curvature, towards eᵢ, of the line along which xⱼ grows. A system is a function of its coordinates that
returns both; a new one is two lines.

Source: P. Morse and H. Feshbach, Methods of Theoretical Physics, section 1.3 (1953).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor

from pinn.derivatives.components import Coordinates, columns, inputs
from pinn.derivatives.contract import check_given
from pinn.derivatives.errors import ShapeError


@dataclass(frozen=True)
class Frame:
    """Scale factors and curvatures of an orthogonal system at the points.

    Attributes:
        scales: hᵢ for each coordinate, of shape ``(points,)``, or a number: 1 where the coordinate is a length.
        curvatures: κᵢⱼ of shape ``(points,)`` for the pairs (i, j) where it is not zero everywhere.
    """

    scales: Sequence[Tensor | float]
    curvatures: Mapping[tuple[int, int], Tensor]


System = Callable[..., Frame]


def cartesian(*coordinates: Tensor) -> Frame:
    """Coordinates x₁, …, xₙ, each a length along a direction that never turns."""
    return Frame(scales=[1 for _ in coordinates], curvatures={})


def polar(r: Tensor, theta: Tensor) -> Frame:
    """x = r cos θ, y = r sin θ. Infinite at r = 0."""
    return Frame(scales=(1, r), curvatures={(0, 1): 1 / r})


def cylindrical(r: Tensor, theta: Tensor, z: Tensor) -> Frame:
    """x = r cos θ, y = r sin θ, z. Infinite at r = 0."""
    return Frame(scales=(1, r, 1), curvatures={(0, 1): 1 / r})


def spherical(r: Tensor, theta: Tensor, phi: Tensor) -> Frame:
    """x = r sin θ cos φ, y = r sin θ sin φ, z = r cos θ: polar angle θ, azimuth φ. Infinite at r = 0 and sin θ = 0."""
    return Frame(
        scales=(1, r, r * torch.sin(theta)),
        curvatures={(0, 1): 1 / r, (0, 2): 1 / r, (1, 2): 1 / (r * torch.tan(theta))},
    )


def frame_at(coordinates: Coordinates, system: System) -> Frame:
    """The frame of the system at the points.

    Raises:
        ShapeError: the system has another number of coordinates, or there is none.
    """
    given = columns(inputs(coordinates))
    check_given(given)
    try:
        signature(system).bind(*given)
    except TypeError as error:
        expected = ", ".join(signature(system).parameters)
        raise ShapeError(f"got {len(given)} coordinates, expected those of the system: {expected}") from error
    return system(*given)
