"""What must hold before a derivative is taken; each clause that does not is one error that says what to do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.errors import DetachedError, DtypeError, GradModeError, ShapeError


def check(fields: Sequence[Tensor], coordinates: Sequence[Tensor], grad_outputs: Sequence[Tensor] | None) -> None:
    """Raise the error of the first clause that is broken. This runs before every backward pass, so it only compares."""
    check_mode()
    check_given(coordinates)
    points = coordinates[0].shape[:1]
    for coordinate in coordinates:
        check_coordinate(coordinate, points)
    for field in fields:
        check_field(field, points)
    if grad_outputs is not None:
        check_weights(grad_outputs, fields)


def check_mode() -> None:
    """Derivatives, and what is computed from them, must be recorded."""
    # Inside inference mode `enable_grad()` records nothing although grad mode reads as on, so this clause comes first.
    if torch.is_inference_mode_enabled():
        raise GradModeError(
            "derivatives cannot be taken in inference mode, which records no graph; "
            "evaluate outside torch.inference_mode() (a Lightning trainer: inference_mode=False)"
        )
    if not torch.is_grad_enabled():
        raise GradModeError(
            "derivatives cannot be taken while grad mode is off; "
            "leave torch.no_grad(), or evaluate the field and its derivatives under torch.enable_grad()"
        )


def check_given(coordinates: Sequence[Tensor]) -> None:
    """There is something to differentiate with respect to."""
    if not coordinates:
        raise ShapeError("no coordinate was given; name at least one, as in partial(u, x) or gradient(u, (x, y))")


def check_single(coordinates: Sequence[Tensor]) -> None:
    """There are coordinates, and each is one alone, not a tensor of several."""
    check_given(coordinates)
    for coordinate in coordinates:
        check_tensor(coordinate, "coordinate")
        if coordinate.ndim != 1:
            raise ShapeError(
                f"the coordinate has shape {tuple(coordinate.shape)}, expected (points,); before the field is computed "
                "take x.squeeze(-1) of one column, x.reshape(-1) of a mesh, or x.unbind(-1) of several coordinates"
            )


def check_tensor(value: object, role: str) -> None:
    """Fields and coordinates are tensors, neither numbers nor arrays nor tuples."""
    if not isinstance(value, Tensor):
        raise DtypeError(f"the {role} is a {type(value).__name__}, expected a tensor of shape (points,)")


def check_real(tensor: Tensor, role: str) -> None:
    """Derivatives are of real numbers with respect to real numbers."""
    check_tensor(tensor, role)
    if tensor.is_complex():
        raise DtypeError(f"the {role} is {tensor.dtype}, expected real; differentiate the real and imaginary parts")
    if not tensor.is_floating_point():
        raise DtypeError(
            f"the {role} is {tensor.dtype}, expected floating point; "
            "convert it, as in x.to(torch.get_default_dtype()), before the field is computed"
        )


def check_coordinate(coordinate: Tensor, points: torch.Size) -> None:
    """A coordinate is one recorded real number a point, or one row of them a point."""
    check_real(coordinate, "coordinate")
    if coordinate.ndim not in (1, 2) or coordinate.shape[:1] != points:
        raise ShapeError(
            f"the coordinate has shape {tuple(coordinate.shape)}, expected (points,) or (points, dim) with as many "
            "points as the other coordinates; take x.reshape(-1) of a mesh before the field is computed"
        )
    if not coordinate.requires_grad:
        raise DetachedError(
            "the coordinate does not require grad, so that no field was recorded as a function of it; "
            "call x.requires_grad_() before the field is computed from x"
        )


def check_field(field: Tensor, points: torch.Size) -> None:
    """A field is one recorded real number a point."""
    check_real(field, "field")
    if field.shape != points:
        raise ShapeError(
            f"the field has shape {tuple(field.shape)}, expected {tuple(points)}: one number for each point of the "
            "coordinates; take u.squeeze(-1) of one column, or u.unbind(-1) of several fields"
        )
    if not field.requires_grad:
        raise DetachedError(
            "the field has no graph, so that its derivatives are unknown: it was detached, or computed under no_grad "
            "or from coordinates that did not require grad, or it is a derivative taken without create_graph; evaluate "
            "it again from coordinates that require grad, and take raw autograd derivatives with create_graph=True"
        )


def check_weights(grad_outputs: Sequence[Tensor], fields: Sequence[Tensor]) -> None:
    """There is one weight for each value of each field."""
    given, expected = [tuple(w.shape) for w in grad_outputs], [tuple(f.shape) for f in fields]
    if given != expected:
        raise ShapeError(
            f"grad_outputs has shapes {given}, expected {expected}: one weight for each value of the field"
        )
