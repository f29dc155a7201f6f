"""Derivatives along a direction: any, the normal of a boundary, the path of a particle."""

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from pinn.derivatives.components import Coordinates, Vector, columns, in_form_of_field, inputs, rank, vector
from pinn.derivatives.contract import check_single
from pinn.derivatives.errors import ShapeError
from pinn.derivatives.nabla import slopes, total, vector_gradient
from pinn.derivatives.systems import Frame, System, cartesian, frame_at

Direction = Tensor | Sequence[Tensor | float]


@overload
def directional(u: Tensor, coordinates: Coordinates, direction: Direction, *, system: System = cartesian) -> Tensor: ...
@overload
def directional(
    u: Sequence[Tensor], coordinates: Coordinates, direction: Direction, *, system: System = cartesian
) -> tuple[Tensor, ...]: ...
def directional(
    u: Vector, coordinates: Coordinates, direction: Direction, *, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]:
    """(d·∇)u, in Cartesian coordinates Σⱼ dⱼ ∂u/∂xⱼ; d is not normalised.

    Args:
        u: a field of shape ``(points,)``, or a vector field: a sequence of those, or one tensor ``(points, m)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        direction: d, a sequence of n numbers or tensors ``(points,)``, or one tensor ``(points, n)``; in a
            curvilinear system, its components along the unit vectors.
        system: the coordinate system, such as `polar`; for a vector field in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a vector field, in the form of the field.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    parts = _parts(direction, coordinates)
    return _along(u, coordinates, parts, frame_at(coordinates, system), dimension=len(parts))


@overload
def normal(u: Tensor, coordinates: Coordinates, normals: Direction, *, system: System = cartesian) -> Tensor: ...
@overload
def normal(
    u: Sequence[Tensor], coordinates: Coordinates, normals: Direction, *, system: System = cartesian
) -> tuple[Tensor, ...]: ...
def normal(
    u: Vector, coordinates: Coordinates, normals: Direction, *, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]:
    """∂u/∂n = (n·∇)u, the derivative across a boundary with unit normals n.

    Args:
        u: a field of shape ``(points,)``, or a vector field: a sequence of those, or one tensor ``(points, m)``.
        coordinates: a sequence of n tensors of shape ``(points,)``, or one tensor of shape ``(points, n)``.
        normals: n, in the forms of the direction of `directional`; that its length is 1 is not checked.
        system: the coordinate system, such as `polar`; for a vector field in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a vector field, in the form of the field.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    return directional(u, coordinates, normals, system=system)


@overload
def material(
    u: Tensor, velocity: Direction, coordinates: Coordinates, time: Tensor, *, system: System = cartesian
) -> Tensor: ...
@overload
def material(
    u: Sequence[Tensor], velocity: Direction, coordinates: Coordinates, time: Tensor, *, system: System = cartesian
) -> tuple[Tensor, ...]: ...
def material(
    u: Vector, velocity: Direction, coordinates: Coordinates, time: Tensor, *, system: System = cartesian
) -> Tensor | tuple[Tensor, ...]:
    """Du/Dt = ∂u/∂t + (v·∇)u, the rate of change seen by a particle of velocity v, from one backward pass a component.

    Args:
        u: a field of shape ``(points,)``, or a vector field: a sequence of those, or one tensor ``(points, m)``.
        velocity: v, in the forms of the direction of `directional`.
        coordinates: those of space, a sequence of n tensors of shape ``(points,)``, or one tensor ``(points, n)``.
        time: t, a tensor of shape ``(points,)``.
        system: the coordinate system of space, such as `polar`; for a vector field in any but the Cartesian one, m = n.

    Returns:
        Tensor of shape ``(points,)``; of a vector field, in the form of the field.

    Raises:
        DerivativeError: a clause of the contract is broken; its kinds are in `pinn.derivatives.errors`.
    """
    check_single([time])
    parts, space = _parts(velocity, coordinates), frame_at(coordinates, system)
    # In space and time the particle moves along (v, 1), and time is one more straight coordinate.
    frame = Frame([*space.scales, 1], space.curvatures)
    return _along(u, [*inputs(coordinates), time], [*parts, 1.0], frame, dimension=len(parts))


def _along(
    u: Vector, coordinates: Coordinates, direction: Sequence[Tensor | float], frame: Frame, dimension: int
) -> Tensor | tuple[Tensor, ...]:
    if isinstance(u, Tensor) and rank(u) == 0:
        return _dot(direction, slopes(u, coordinates, frame))
    rows = vector_gradient(vector(u, dimension if frame.curvatures else None), coordinates, frame)
    results = tuple(_dot(direction, row) for row in rows)
    return in_form_of_field(u, results)


def _parts(direction: Direction, coordinates: Coordinates) -> Sequence[Tensor | float]:
    """The components of the direction, a number or a tensor ``(points,)`` for each coordinate."""
    parts = vector(direction) if isinstance(direction, Tensor) else direction
    every = columns(inputs(coordinates))
    if len(parts) != len(every):
        raise ShapeError(f"the direction has {len(parts)} components, expected {len(every)}: one for each coordinate")
    for part, coordinate in zip(parts, every, strict=True):
        if isinstance(part, Tensor) and part.shape not in (coordinate.shape, ()):
            raise ShapeError(
                f"a component of the direction has shape {tuple(part.shape)}, "
                f"expected {tuple(coordinate.shape)} as the coordinates, or a number"
            )
    return parts


def _dot(direction: Sequence[Tensor | float], derivatives: Sequence[Tensor]) -> Tensor:
    return total([part * derivative for part, derivative in zip(direction, derivatives, strict=True)])
