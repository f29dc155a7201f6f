"""Every clause of the contract that can be broken has one error, which says what to do."""

import re

import pytest
import torch
from torch import Tensor

from pinn.derivatives import (
    DerivativeError,
    DetachedError,
    DtypeError,
    FreedGraphError,
    GradModeError,
    ShapeError,
    curl,
    cylindrical,
    directional,
    divergence,
    gradient,
    jacobian,
    laplacian,
    laplacian_of,
    material,
    partial,
    partial_of,
    polar,
    vjp,
)


def field(points: int = 4) -> tuple[Tensor, Tensor]:
    x = torch.linspace(1, 2, points, dtype=torch.float64, requires_grad=True)
    return x, x**3


def raises(kind: type[DerivativeError], builtin: type[Exception], *words: str):
    """The one exception of the clause, which is also a builtin one, with all the words of its advice."""
    assert issubclass(kind, DerivativeError)
    assert issubclass(kind, builtin)
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{re.escape(word)})" for word in words))


def assert_one_sentence(error: Exception) -> None:
    """Messages follow a colon: they begin in lower case, and end without a full stop."""
    assert re.fullmatch("[a-z].*[a-z0-9)]", str(error))


def test_grad_mode_off():
    x, u = field()
    advice = raises(GradModeError, RuntimeError, "grad mode is off; leave", "torch.enable_grad()")
    with torch.no_grad(), advice as caught:
        partial(u, x)
    assert_one_sentence(caught.value)
    with torch.no_grad(), raises(GradModeError, RuntimeError, "grad mode is off"):
        laplacian_of(lambda x: x**3)(x)
    with torch.no_grad(), torch.enable_grad():
        assert partial(u, x) is not None


def test_inference_mode():
    x, u = field()
    advice = raises(GradModeError, RuntimeError, "records no graph; evaluate outside", "inference_mode=False")
    with torch.inference_mode(), advice as caught:
        partial(u, x)
    assert_one_sentence(caught.value)
    with torch.inference_mode(), torch.enable_grad(), raises(GradModeError, RuntimeError, "inference mode"):
        partial(u, x)


def test_freed_graph():
    x, u = field()
    torch.autograd.grad(u.sum(), x)
    with raises(
        FreedGraphError, RuntimeError, "the graph of the field was freed", "pass; pass retain_graph=True"
    ) as caught:
        partial(u, x)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert_one_sentence(caught.value)


def test_our_passes_do_not_free_the_graph():
    x, u = field()
    assert torch.equal(partial(u, x), partial(u, x))


def test_derivative_without_graph():
    x, u = field()
    (u_x,) = torch.autograd.grad(u.sum(), x)
    with raises(DetachedError, RuntimeError, "create_graph=True"):
        partial(u_x, x)


def test_detached_field():
    x, u = field()
    with raises(DetachedError, RuntimeError, "detached", "no_grad or from", "evaluate it again") as caught:
        partial(u.detach(), x)
    assert_one_sentence(caught.value)
    with raises(DetachedError, RuntimeError, "the field has no graph"):
        vjp((u, u.detach()), (x,), (u, u))


def test_coordinate_without_grad():
    x, u = field()
    with raises(DetachedError, RuntimeError, "does not require grad", "of it; call x.requires_grad_()") as caught:
        partial(u, x.detach())
    assert_one_sentence(caught.value)


def test_other_errors_of_autograd_are_left_as_they_are():
    x, _ = field()
    v = x.exp()
    u = v**2
    v += 1
    with pytest.raises(RuntimeError, match="inplace operation") as caught:
        partial(u, x)
    assert not isinstance(caught.value, DerivativeError)


X, U = field()
ROWS = torch.linspace(1, 2, 8, dtype=torch.float64).reshape(4, 2).requires_grad_()
WRONG_SHAPES = {
    "column field": (lambda: partial(U.unsqueeze(-1), X), "the field has shape (4, 1), expected (4,)", "u.squeeze(-1)"),
    "two fields": (lambda: gradient(ROWS * 2, (X,)), "(4, 2), expected (4,)", "u.unbind(-1)"),
    "fewer points": (lambda: partial(U[:3], X), "(3,), expected (4,)"),
    "scalar field": (lambda: partial(U.sum(), X), "(), expected (4,)"),
    "column coordinate": (lambda: partial(U, X.unsqueeze(-1)), "(4, 1), expected (points,)", "x.squeeze(-1)"),
    "rows as one coordinate": (lambda: partial(ROWS.sum(-1), ROWS), "(4, 2), expected (points,)", "x.unbind(-1)"),
    "mesh": (
        lambda: gradient(U, (ROWS.unsqueeze(-1),)),
        "(4, 2, 1), expected (points,) or (points, dim)",
        "x.reshape(-1)",
    ),
    "number": (lambda: partial(U.sum(), X.sum()), "the coordinate has shape (), expected (points,)"),
    "number in a gradient": (lambda: gradient(U.sum(), (X.sum(),)), "the coordinate has shape ()"),
    "different points": (lambda: gradient(U, (X, X[:3])), "the coordinate has shape (3,)", "as many"),
    "no tuple": (lambda: laplacian(U, X), "(4,), expected (points, dim)", "(x,) for one"),
    "no coordinate": (lambda: partial(U), "no coordinate was given", "partial(u, x)"),
    "no coordinates": (lambda: gradient(U, ()), "no coordinate was given"),
    "no columns": (lambda: laplacian(U, ROWS[:, :0]), "no coordinate was given"),
    "no coordinates of a Laplacian": (lambda: laplacian(U, ()), "no coordinate was given"),
    "no direction": (lambda: directional(U, (), ()), "no coordinate was given"),
    "no argument": (lambda: partial_of(lambda x: x)(X), "no coordinate was given"),
    "no fields": (lambda: divergence((), (X,)), "the field has no components"),
    "weights": (lambda: partial(U, X, grad_outputs=U[:2]), "grad_outputs has shapes [(2,)], expected [(4,)]"),
    "weights of a gradient": (lambda: gradient(U, (X,), grad_outputs=ROWS), "[(4, 2)], expected [(4,)]"),
    "fewer weights": (lambda: vjp((U, U), (X,), (U,)), "[(4,)], expected [(4,), (4,)]"),
    "fewer components": (lambda: divergence((U,), (X, X)), "1 components, expected 2"),
    "scalar to a divergence": (lambda: divergence(U, (X,)), "expected a vector field", "one tensor of shape (4,)"),
    "rank three": (lambda: divergence(((ROWS * 2,),), (X,)), "rows of tensors (points,)", "a sequence of 1 parts"),
    "short rows": (lambda: divergence(((U,), (U,)), (X, X)), "1 components, expected 2"),
    "rows of a system": (lambda: divergence(((U, U),), (X, X), system=polar), "has 1 rows, expected 2"),
    "curl in four dimensions": (lambda: curl((U,) * 4, (X,) * 4), "got 4 coordinates, expected 2 or 3"),
    "curl of two components in space": (lambda: curl((U,) * 2, (X,) * 3), "2 components, expected 3"),
    "jacobian of a scalar": (lambda: jacobian(U, (X,)), "expected a vector field"),
    "jacobian in a system": (lambda: jacobian((U,), (X, X), system=polar), "1 components, expected 2"),
    "laplacian in a system": (lambda: laplacian((U,), (X, X), system=polar), "1 components, expected 2"),
    "polar in space": (lambda: laplacian(U, (X, X, X), system=polar), "got 3 coordinates, expected", "r, theta"),
    "cylindrical in a plane": (lambda: gradient(U, (X, X), system=cylindrical), "got 2 coordinates", "r, theta, z"),
    "short direction": (lambda: directional(U, (X, X), (1.0,)), "1 components, expected 2"),
    "direction of one number a point": (lambda: directional(U, (X,), U), "expected a vector field"),
    "direction in rows": (lambda: directional(U, ROWS, (U, ROWS)), "(4, 2), expected (4,)", "a number"),
    "direction in a system": (lambda: directional((U,), (X, X), (U, U), system=polar), "1 components, expected 2"),
    "material in a system": (lambda: material((U,), (U, U), (X, X), X, system=polar), "1 components, expected 2"),
    "time in rows": (lambda: material(U, (1.0,), (X,), ROWS), "(4, 2), expected (points,)"),
    "velocity": (lambda: material(U, (1.0, 2.0), (X,), X), "2 components, expected 1"),
}


@pytest.mark.parametrize("case", WRONG_SHAPES)
def test_wrong_shapes(case):
    call, *words = WRONG_SHAPES[case]
    with raises(ShapeError, ValueError, *words) as caught:
        call()
    assert_one_sentence(caught.value)


INTEGERS, COMPLEX = torch.arange(4), torch.ones(4, dtype=torch.complex128, requires_grad=True)
WRONG_TYPES = {
    "integer field": (lambda: partial(INTEGERS, X), "the field is torch.int64, expected floating point", "x.to("),
    "integer coordinate": (lambda: partial(U, INTEGERS), "the coordinate is torch.int64", "x.to("),
    "complex field": (lambda: partial(COMPLEX * X, X), "the field is torch.complex128", "real and imaginary"),
    "complex coordinate": (lambda: partial(U, COMPLEX), "the coordinate is torch.complex128", "real and imaginary"),
    "integer argument": (lambda: laplacian_of(lambda x: x**2)(INTEGERS), "the coordinate is torch.int64"),
    "number for a field": (lambda: partial(2.0, X), "the field is a float, expected a tensor"),
    "number for a coordinate": (lambda: gradient(U, (2.0,)), "the coordinate is a float, expected a tensor"),
    "tuple for a coordinate": (lambda: partial(U, (X, X)), "the coordinate is a tuple, expected a tensor"),
    "name for a coordinate": (lambda: partial(U, "x"), "the coordinate is a str, expected a tensor"),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types(case):
    call, *words = WRONG_TYPES[case]
    with raises(DtypeError, TypeError, *words) as caught:
        call()
    assert_one_sentence(caught.value)
