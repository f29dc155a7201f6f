"""∇ on single components in an orthogonal frame: what every operator is made of.

The derivative of a vector field along eⱼ is the change of its components per length and the turning of the unit
vectors, with the scale factors h and the curvatures κ of `pinn.derivatives.systems`:

    (∇F)ⱼⱼ = (1/hⱼ) ∂Fⱼ/∂xⱼ + Σ_c κ_cⱼ F_c,        (∇F)ᵢⱼ = (1/hⱼ) ∂Fᵢ/∂xⱼ - κᵢⱼ Fⱼ    (i ≠ j).

A tensor field turns in the same way with each of its indices.
"""

from collections.abc import Sequence

from torch import Tensor

from pinn.derivatives.components import Coordinates, Rows, columns, inputs, lines
from pinn.derivatives.reverse import backward
from pinn.derivatives.systems import Frame


def slopes(
    u: Tensor, coordinates: Coordinates, frame: Frame, grad_outputs: Sequence[Tensor] | None = None
) -> list[Tensor]:
    """(1/hⱼ) ∂u/∂xⱼ for every j, from one backward pass."""
    derivatives = columns(backward([u], inputs(coordinates), grad_outputs))
    return [_per_length(derivative, line, frame) for line, derivative in enumerate(derivatives)]


def slope(u: Tensor, coordinates: Coordinates, line: int, frame: Frame) -> Tensor:
    """(1/hⱼ) ∂u/∂xⱼ for one j; where its coordinate is a tensor of its own, the backward pass spares the others."""
    tensor, column = lines(coordinates)[line]
    (derivative,) = backward([u], [tensor], among=inputs(coordinates))
    return _per_length(derivative if column is None else derivative.select(1, column), line, frame)


def vector_gradient(parts: Sequence[Tensor], coordinates: Coordinates, frame: Frame) -> Rows:
    """(∇F)ᵢⱼ."""
    return [
        [
            total([derivative, *_turning(parts, i, j, frame)])
            for j, derivative in enumerate(slopes(part, coordinates, frame))
        ]
        for i, part in enumerate(parts)
    ]


def vector_divergence(parts: Sequence[Tensor], coordinates: Coordinates, frame: Frame) -> Tensor:
    """Σⱼ (∇F)ⱼⱼ."""
    return total(
        [
            term
            for j, part in enumerate(parts)
            for term in (slope(part, coordinates, j, frame), *_turning(parts, j, j, frame))
        ]
    )


def tensor_divergence(rows: Rows, coordinates: Coordinates, frame: Frame) -> list[Tensor]:
    """Σⱼ (∇T)ᵢⱼⱼ for every row i: the divergence of the row, and the turning of the unit vector that it belongs to."""
    return [
        total(
            [
                vector_divergence(row, coordinates, frame),
                *(term for j, column in enumerate(zip(*rows, strict=True)) for term in _turning(column, i, j, frame)),
            ]
        )
        for i, row in enumerate(rows)
    ]


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum of at least one term, without the addition to 0 that the built-in starts with."""
    first, *others = terms
    return sum(others, start=first)


def _turning(components: Sequence[Tensor], index: int, line: int, frame: Frame) -> list[Tensor]:
    """What the unit vectors add to (∇F)ᵢⱼ, for the index i and the line j."""
    if index == line:
        return [curvature * components[c] for (c, j), curvature in frame.curvatures.items() if j == line]
    curvature = frame.curvatures.get((index, line))
    return [] if curvature is None else [-curvature * components[line]]


def _per_length(derivative: Tensor, line: int, frame: Frame) -> Tensor:
    scale = frame.scales[line]
    return derivative / scale if isinstance(scale, Tensor) or scale != 1 else derivative
