"""Series and Radau's method against their definitions, and against sums that autograd differentiates term by term."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev as reference
from torch import Tensor

from pinn.derivatives import partial as slope
from pinn.derivatives.taylor import Taylor, discover
from pinn.derivatives.taylor.errors import UnsupportedOperationError
from pinn.networks import Marched
from pinn.networks.series import Piece, chebyshev, differentiate, piecewise_series, waves
from pinn.optimizers.radau import Radau, derivatives, powers

PERIODIC = [True, False, False]
SIZES = (5, 4, 6)


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slowly(x: Tensor, coefficients: Tensor, start: float = -1.0, end: float = 1.0) -> Tensor:
    """The sum over all products of functions, each term on its own."""
    z = (2 * x[:, 2:] - start - end) / (end - start)
    first, second, last = waves(x[:, :1], 5), chebyshev(x[:, 1:2], 4), chebyshev(z, 6)
    return torch.einsum("oijk,pi,pj,pk->po", coefficients, first, second, last)


def derivative(u: Tensor, x: Tensor, *axes: int) -> Tensor:
    for axis in axes:
        u = torch.autograd.grad(u.sum(), x, create_graph=True)[0][:, axis]
    return u


def test_functions_are_what_they_are_called() -> None:
    x = 2 * some(20, 1) - 1
    for count in (1, 2, 3, 7, 40):
        expected = reference.chebvander(x[:, 0].numpy(), count - 1)
        torch.testing.assert_close(chebyshev(x, count), torch.tensor(expected), rtol=0, atol=1e-12)
    expected = torch.cat([torch.ones_like(x), *(f(k * math.pi * x) for k in (1, 2) for f in (torch.cos, torch.sin))], 1)
    torch.testing.assert_close(waves(x, 5), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 0), (0, 1, 2), (2, 2), (1, 1, 1), (0, 0, 0, 2)])
@pytest.mark.parametrize("points", ["scattered", "products"])
def test_derivatives_of_a_series_are_those_of_its_terms(axes: tuple[int, ...], points: str) -> None:
    x = 2 * some(12, 3) - 1
    if points == "products":
        x = torch.cat([x[:4, :2].repeat_interleave(3, dim=0), x[:3, 2:].repeat(4, 1)], dim=1)
    x.requires_grad_()
    coefficients = some(2, *SIZES, seed=1)
    found = piecewise_series(x, [Piece(-0.5, 2.0, coefficients)], PERIODIC)
    expected = slowly(x, coefficients, -0.5, 2.0)
    for field in range(2):
        one, other = derivative(found[:, field], x, *axes), derivative(expected[:, field], x, *axes)
        # Fourth derivatives of waves with 2π are some thousands.
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-9)


def test_coefficients_of_a_derivative_are_a_series() -> None:
    coefficients = some(1, *SIZES, seed=1)
    x = (2 * some(9, 3) - 1).requires_grad_()
    for axis, periodic in enumerate(PERIODIC):
        slope = differentiate(coefficients, axis + 1, periodic=periodic)
        expected = derivative(slowly(x, coefficients)[:, 0], x, axis)
        torch.testing.assert_close(slowly(x, slope)[:, 0], expected, rtol=0, atol=1e-11)


def test_pieces_lie_one_after_another_and_rates_take_the_place_of_derivatives() -> None:
    one, other, rate = some(1, *SIZES, seed=1), some(1, *SIZES, seed=2), some(1, *SIZES, seed=3)
    x = (2 * some(30, 3) - 1).requires_grad_()
    pieces = [Piece(-1.0, 0.2, one), Piece(0.2, 1.0, other, (rate,))]
    found = piecewise_series(x, pieces, PERIODIC)[:, 0]
    early = x[:, 2] < 0.2
    expected = torch.where(early, slowly(x, one, -1.0, 0.2)[:, 0], slowly(x, other, 0.2, 1.0)[:, 0])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    slope = derivative(found, x, 2)
    known = torch.where(early, derivative(slowly(x, one, -1.0, 0.2)[:, 0], x, 2), slowly(x, rate, 0.2, 1.0)[:, 0] / 0.4)
    torch.testing.assert_close(slope, known, rtol=0, atol=1e-11)
    joint = torch.tensor([[0.3, 0.1, 0.2]], dtype=torch.float64)
    torch.testing.assert_close(piecewise_series(joint, pieces, PERIODIC), slowly(joint, other, 0.2, 1.0))


def test_what_is_trained_is_what_is_known_later() -> None:
    network = Marched(3, 2, degree=5, time=1, periodic=[0])
    network.begin(1.5, some(2, 5, 4, 6))
    network.train_part("slab", None)
    x = (2 * some(10, 3) - 1).requires_grad_()
    trained = network(x)
    with network.being_fixed():
        fixed = network(x)
    torch.testing.assert_close(trained, fixed, rtol=0, atol=1e-13)
    torch.testing.assert_close(derivative(trained[:, 0], x, 1, 0), derivative(fixed[:, 0], x, 1, 0))
    network.accept()
    torch.testing.assert_close(network.evaluate(0, x), fixed, rtol=0, atol=1e-13)
    copy = Marched(3, 2, degree=5, time=1, periodic=[0])
    copy.load_state_dict(network.state_dict())
    assert torch.equal(copy.evaluate(0, x), network.evaluate(0, x))


def test_jets_do_not_go_through_a_series_without_a_word() -> None:
    network = Marched(1, 1, degree=5)
    network.begin(1.0, some(1, 6))
    network.accept()
    network.begin(1.0, some(1, 6))
    t = some(4).requires_grad_()
    needs = discover(lambda engine: [slope(engine(network, [t])[0], t)])
    with pytest.raises(UnsupportedOperationError):
        Taylor(needs)(network, [t])


@pytest.mark.parametrize("stages", [1, 2, 5, 12, 16])
def test_radau_is_of_high_order_stable_and_stiffly_accurate(stages: int) -> None:
    method = Radau(stages, stages)
    assert method.nodes[-1] == 1
    eye, ones = torch.eye(stages, dtype=torch.complex128), torch.ones(stages, 1, dtype=torch.complex128)

    def grown(z: complex) -> complex:
        """u(1) of u' = z u / 2 with u(-1) = 1: the last stage."""
        return torch.linalg.solve(eye - z / 2 * method.integral, ones)[-1, 0].item()

    if stages < 5:
        # Order 2s - 1: halving the step divides the error of a step by 2^{2s}.
        errors = [abs(grown(h) - math.exp(h)) for h in (-0.04, -0.02)]
        assert errors[0] / errors[1] == pytest.approx(2 ** (2 * stages), rel=0.1)
    else:
        assert grown(-2 + 3j) == pytest.approx(np.exp(-2 + 3j), abs=1e-3 if stages == 5 else 1e-8)
    for z in (1j, 30j, 1e4j, -5 + 100j, -1.0):
        assert abs(grown(z)) <= 1 + 1e-9
    assert abs(grown(-1e12)) < 1e-6
    values, vectors, inverse = method.modes
    # Eigenvectors of 16 stages are nearly dependent.
    rebuilt = ((vectors * values) @ inverse).real
    torch.testing.assert_close(rebuilt, method.integral, rtol=0, atol=1e-3 if stages > 12 else 1e-8)


def test_series_of_stages_powers_and_slopes() -> None:
    method, z = Radau(6, 8), torch.linspace(-1, 1, 7, dtype=torch.float64).unsqueeze(1)
    # w = 5 z⁴, so that ∫ w from -1 is z⁵ + 1.
    w = 5 * method.nodes**4
    torch.testing.assert_close(chebyshev(z, 9) @ method.interpolation @ w, 5 * z[:, 0] ** 4, rtol=0, atol=1e-13)
    integrated = method.integration @ w
    torch.testing.assert_close(chebyshev(z, 9) @ integrated, z[:, 0] ** 5 + 1, rtol=0, atol=1e-13)
    torch.testing.assert_close(method.slopes @ integrated, w, rtol=0, atol=1e-12)
    expected = torch.cat([torch.ones_like(z), z + 1, (z + 1) ** 2 / 2], dim=1)
    torch.testing.assert_close(chebyshev(z, 9) @ powers(8, 3), expected, rtol=0, atol=1e-14)
    taylor = derivatives(8, -1.0, 3) @ powers(8, 3)
    torch.testing.assert_close(taylor, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-12)
