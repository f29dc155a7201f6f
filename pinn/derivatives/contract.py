"""What must hold before a derivative is taken; each clause that does not is one error that says what to do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.errors import DetachedError, DtypeError, GradModeError, ShapeError


def check(fields: Sequence[Tensor], coordinates: Sequence[Tensor], grad_outputs: Sequence[Tensor] | None) -> None:
    """Raise the error of the first clause that is broken. This runs before every backward pass, so it only compares."""
    check_mode()
    check_given(coordinates)
    points = fields[0].shape
    for field in fields:
        check_field(field, points)
    for coordinate in coordinates:
        check_coordinate(coordinate, points)
    if grad_outputs is not None:
        check_weights(grad_outputs, fields)


def check_given(coordinates: Sequence[Tensor]) -> None:
    """There is something to differentiate with respect to."""
    if not coordinates:
        raise ShapeError("no coordinate was given; name at least one, as in partial(u, x) or gradient(u, (x, y))")


def check_mode() -> None:
    """Derivatives, and what is computed from them, must be recorded."""
    # Inside inference mode `enable_grad()` records nothing although grad mode reads as on, so this one comes first.
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


def check_field(field: Tensor, points: torch.Size) -> None:
    """A field is one recorded real number a point."""
    if not field.is_floating_point():
        raise DtypeError(f"the field is {field.dtype}, expected real floating point; {_real_hint(field)}")
    if field.ndim != 1 or field.shape != points:
        raise ShapeError(
            f"the field has shape {tuple(field.shape)}, expected {_expected(points)}: "
            f"one number a point{_column_hint(field, 'field')}"
        )
    if not field.requires_grad:
        raise DetachedError(
            "the field has no graph, so that its derivatives are unknown; it was detached, computed under no_grad or from "
            "coordinates without requires_grad, or it is a derivative taken without create_graph=True: "
            "evaluate it again from coordinates with requires_grad_(), and take derivatives with create_graph=True"
        )


def check_coordinate(coordinate: Tensor, points: torch.Size) -> None:
    """A coordinate is one recorded real number a point, or one row of them a point."""
    if not coordinate.is_floating_point():
        raise DtypeError(
            f"the coordinate is {coordinate.dtype}, expected real floating point; {_real_hint(coordinate)}"
        )
    if coordinate.shape[:1] != points or coordinate.ndim > 2:
        raise ShapeError(
            f"the coordinate has shape {tuple(coordinate.shape)}, expected {_expected(points)} as the field has, or "
            f"(points, dim) for one tensor of all coordinates{_column_hint(coordinate, 'coordinate')}"
        )
    if not coordinate.requires_grad:
        raise DetachedError(
            "the coordinate has no graph, so that no field can depend on it; "
            "call x.requires_grad_() before the field is computed from x"
        )


def check_weights(grad_outputs: Sequence[Tensor], fields: Sequence[Tensor]) -> None:
    """There is one weight for each value of each field."""
    given, expected = [tuple(w.shape) for w in grad_outputs], [tuple(f.shape) for f in fields]
    if given != expected:
        raise ShapeError(
            f"grad_outputs has shapes {given}, expected {expected}: one weight for each value of the field"
        )


def _expected(points: torch.Size) -> str:
    return str(tuple(points)) if len(points) == 1 else "(points,)"


def _column_hint(tensor: Tensor, name: str) -> str:
    if tensor.ndim == 2 and tensor.shape[1] == 1:
        return f"; take {name}.squeeze(-1)"
    if tensor.ndim >= 2:
        return f"; take {name}.reshape(-1) of a mesh, or {name}.unbind(-1) of columns, before it enters the field"
    return ""


def _real_hint(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "differentiate its real and imaginary parts"
    return "convert it, as in x.to(torch.get_default_dtype()), before the field is computed"
