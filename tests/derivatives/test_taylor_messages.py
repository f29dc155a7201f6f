"""What the engines say when they refuse something, word for word."""

from collections.abc import Callable

import pytest
import torch
from nets import Plain, seeded
from torch import Tensor

from pinn.derivatives import DtypeError, ShapeError, laplacian, partial
from pinn.derivatives.taylor import Hutchinson, NotPropagatedError, Reverse, Sparse, Taylor, choose, discover
from pinn.derivatives.taylor.composites import gelu
from pinn.derivatives.taylor.errors import SecondOrderError, TooManyDerivativesError, UnsupportedOperationError

X, XX, YY = (0,), (0, 0), (1, 1)


def evaluate(*coordinates: Tensor, needs: object = frozenset(((X,),)), network: object = None) -> tuple[Tensor, ...]:
    return Taylor(needs)(network or seeded(lambda: Plain(2, 1), torch.float32), coordinates)


def plane() -> tuple[Tensor, Tensor]:
    return torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)


def mixed_derivative_that_was_not_needed() -> None:
    x, y = plane()
    (u,) = evaluate(x, y, needs={(X,), (YY,)})
    partial(u, x, y)


def laplacian_with_too_few_needs() -> None:
    x, y = plane()
    (u,) = evaluate(x, y, needs={(X,)})
    laplacian(u, (x, y))


def second_derivative_by_parameters() -> None:
    network, x = seeded(lambda: Plain(20, 1)), torch.rand(5, 20, dtype=torch.float64, requires_grad=True)
    (u,) = Taylor({tuple((i, i) for i in range(20))})(network, x)
    weight = network.first.weight
    (gradient,) = torch.autograd.grad(laplacian(u, x).sum(), weight, create_graph=True)
    torch.autograd.grad(gradient.sum(), weight)


REFUSALS: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "no coordinates": (
        evaluate,
        ShapeError,
        "no coordinates were given, expected tensors of shape (points,) or (points, dim)",
    ),
    "other points": (
        lambda: evaluate(torch.rand(3), torch.rand(2)),
        ShapeError,
        "the coordinates have shapes [(3,), (2,)], expected (points,) or (points, dim) with the same points",
    ),
    "a number": (
        lambda: evaluate(torch.rand(())),
        ShapeError,
        "the coordinates have shapes [()], expected (points,) or (points, dim) with the same points",
    ),
    "integers": (
        lambda: evaluate(torch.rand(3), torch.arange(3)),
        DtypeError,
        "a coordinate is torch.int64, expected real floating point; convert it, as in x.to(torch.float32)",
    ),
    "complex numbers": (
        lambda: evaluate(torch.rand(3, dtype=torch.complex64)),
        DtypeError,
        "a coordinate is torch.complex64, expected real floating point; convert it, as in x.to(torch.float32)",
    ),
    "a network of another shape": (
        lambda: evaluate(torch.rand(3), torch.rand(3), network=lambda z: z[:, 0]),
        ShapeError,
        "the network returned shape (3,) for 3 points, expected (points, outputs)",
    ),
    "a network of other points": (
        lambda: Reverse()(lambda z: z[:2], torch.rand(3, 2)),
        ShapeError,
        "the network returned shape (2, 2) for 3 points, expected (points, outputs)",
    ),
    "a derivative that was not needed": (
        mixed_derivative_that_was_not_needed,
        NotPropagatedError,
        "the derivative ∂^2u/∂x0 ∂x1 by inputs of the network was asked for, but not propagated; discover the needs "
        "with the residual that asks for it, or evaluate the network with Reverse(). If this comes from "
        "loss.backward(), name the parameters: loss.backward(inputs=list(parameters))",
    ),
    "a laplacian that was not needed": (
        laplacian_with_too_few_needs,
        NotPropagatedError,
        "the derivative ∂^2u/∂x0 ∂x0 by inputs of the network was asked for, but not propagated; discover the needs "
        "with the residual that asks for it, or evaluate the network with Reverse(). If this comes from "
        "loss.backward(), name the parameters: loss.backward(inputs=list(parameters))",
    ),
    "second derivatives by parameters": (
        second_derivative_by_parameters,
        SecondOrderError,
        "a Laplacian in more dimensions than the first layer is wide has exact first derivatives by parameters, but "
        "no second ones; evaluate the network with Reverse() for these",
    ),
    "no rule": (
        lambda: evaluate(*plane(), network=lambda z: torch.erf(z)),
        UnsupportedOperationError,
        "the taylor engine has no rule for aten.erf.default; evaluate the network with Reverse(), which needs none",
    ),
    "several estimates": (
        lambda: Taylor({(XX, YY), ((1, 1), (2, 2))}, Hutchinson(2)),
        ValueError,
        "the residual takes 2 different Laplacians; only one can be estimated",
    ),
    "more coordinates than there are": (
        lambda: Sparse(8)(torch.rand(3, 7)),
        ValueError,
        "8 coordinates were asked for, but there are 7",
    ),
    "an engine that is not there": (
        lambda: choose("jets", lambda engine: torch.zeros(1), []),
        ValueError,
        "there is no engine 'jets'; choose auto, reverse or taylor",
    ),
    "another approximation": (
        lambda: gelu(torch.rand(3), "erf"),
        ValueError,
        "gelu with approximate='erf'; expected 'none' or 'tanh'",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_worded_so(name: str) -> None:
    refused, kind, message = REFUSALS[name]
    with pytest.raises(kind) as caught:
        refused()
    assert str(caught.value) == message


def test_a_residual_may_take_as_many_derivatives_as_the_limit_says_and_no_more() -> None:
    x, y = plane()
    network = seeded(lambda: Plain(2, 1), torch.float32)

    def residual(engine: object) -> Tensor:
        (u,) = engine(network, (x, y))
        return partial(u, x) + partial(u, y)

    assert discover(residual, limit=2) == {(X,), ((1,),)}
    with pytest.raises(TooManyDerivativesError) as caught:
        discover(residual, limit=1)
    assert str(caught.value) == "the residual takes more than 1 different derivatives, which reverse mode does cheaper"
