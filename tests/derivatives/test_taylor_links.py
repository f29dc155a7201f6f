"""Fields linked to their jets: residual code is as ever, and nothing is read as zero that is not known to be zero."""

from collections.abc import Callable, Sequence

import pytest
import torch
from geometry import coordinates
from nets import Affine, Blind, Fourier, Plain, seeded
from torch import Tensor, nn

from pinn.derivatives import biharmonic, curl, directional, divergence, gradient, hessian, laplacian, partial
from pinn.derivatives.errors import DerivativeError, DtypeError, GradModeError, ShapeError
from pinn.derivatives.linked import linked_laplacian
from pinn.derivatives.taylor import Engine, NotPropagatedError, Reverse, Taylor, discover

Fields = tuple[Tensor, ...]
Residual = Callable[[Fields, Sequence[Tensor]], Tensor | Sequence[Tensor]]


def navier_stokes(fields: Fields, x: Sequence[Tensor]) -> list[Tensor]:
    u, v, p = fields
    velocity, pressure = (u, v), gradient(p, x)
    momentum = [
        directional(w, x, velocity) + p_x - 0.1 * laplacian(w, x) for w, p_x in zip(velocity, pressure, strict=True)
    ]
    return [divergence(velocity, x), *momentum]


RESIDUALS: dict[str, Residual] = {
    "navier-stokes": navier_stokes,
    "conservation": lambda f, x: partial(f[0] * partial(f[0], x[0]), x[0]),
    "exponential": lambda f, x: laplacian(torch.exp(f[0] / 2), x),
    "quotient": lambda f, x: partial(f[0] / (2 + f[1].square()), x[0], x[1]),
    "coefficient": lambda f, x: divergence([(1 + x[0] * x[1]) * g for g in gradient(f[0], x)], x),
    "curl": lambda f, x: curl((f[0] * f[1], f[1].sin()), x),
    "minimal surface": lambda f, x: divergence(
        [g / (1 + sum(h**2 for h in gradient(f[0], x))).sqrt() for g in gradient(f[0], x)], x
    ),
    "monge-ampere": lambda f, x: (lambda h: h[0][0] * h[1][1] - h[0][1] * h[1][0])(hessian(f[0], x)),
    "plate": lambda f, x: biharmonic(f[0], x),
    "ansatz": lambda f, x: laplacian(x[0] * (1 - x[0]) * torch.sin(x[1]) * f[0], x),
    "value": lambda f, x: f[0] - x[0],
}


def both_ways(residual: Residual, network: nn.Module, x: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Residual rows and parameter gradients, by taylor and by reverse."""

    def rows(engine: Engine) -> Tensor:
        found = residual(engine(network, x), x)
        return found if isinstance(found, Tensor) else torch.stack(tuple(found))

    results = []
    for engine in (Taylor(discover(rows)), Reverse()):
        found = rows(engine)
        gradients = torch.autograd.grad(found.square().sum(), list(network.parameters()), materialize_grads=True)
        results.append((found, *gradients))
    return list(zip(*results, strict=True))


def agree(pairs: list[tuple[Tensor, Tensor]]) -> bool:
    """Up to round-off: sums of hundreds of products."""
    return all((a - b).abs().max() <= 1e-12 * b.abs().max().clamp(min=1) for a, b in pairs)


@pytest.mark.parametrize("name", RESIDUALS)
def test_residuals_with_products_and_compositions(name: str) -> None:
    assert agree(both_ways(RESIDUALS[name], seeded(lambda: Plain(2, 3)), coordinates(2, points=4, seed=0)))


def test_a_coordinate_that_the_network_does_not_use() -> None:
    x = coordinates(2, points=4, seed=0)
    pairs = both_ways(
        lambda f, x: f[0] * partial(f[0], x[1], x[1]) + partial(f[0], x[1]), seeded(lambda: Blind(2, 1)), x
    )
    assert agree(pairs)
    assert not pairs[0][0].any()


def test_a_field_that_is_linear_has_zeros_for_second_derivatives_that_can_be_differentiated_again() -> None:
    x = coordinates(2, points=4, seed=0)
    (u,) = Taylor({((0, 0, 0),)})(seeded(lambda: Affine(2, 1)), x)
    assert not partial(u, x[0], x[0], x[0]).any()


def test_a_constant_network() -> None:
    x = coordinates(2, points=4, seed=0)
    (u,) = Taylor({((0,),)})(lambda inputs: torch.ones(len(inputs), 1, dtype=inputs.dtype), x)
    assert torch.equal(u, torch.ones_like(u))
    assert not partial(u, x[0]).any()


def test_images_follow_the_chain_rule() -> None:
    """u at x + period, where the image is a function of the coordinate that is differentiated by."""
    network, (x, y) = seeded(lambda: Fourier(2, 1)), coordinates(2, points=4, seed=0)
    image = 2 * x + y * x

    def rows(engine: Engine) -> Tensor:
        (u,), (u_image,) = engine(network, (x, y)), engine(network, (image, y))
        return partial(u, x) * partial(u_image, x, x) - partial(u_image, image)

    parameters = list(network.parameters())
    found, expected = rows(Taylor(discover(rows))), rows(Reverse())
    results = [(r, *torch.autograd.grad(r.sum(), parameters, materialize_grads=True)) for r in (found, expected)]
    assert agree(list(zip(*results, strict=True)))


def test_the_needs_are_found_through_products() -> None:
    network, (x, y) = seeded(lambda: Plain(2, 1)), coordinates(2, points=2, seed=0)
    needs = discover(lambda engine: [partial(u * partial(u, x), y) for u in engine(network, (x, y))])
    assert needs == {((0,),), ((1,),), ((0, 1),)}


def test_one_tensor_of_all_coordinates() -> None:
    """And one beside a separate one, in any order."""
    x, y, t = coordinates(3, points=4, seed=0)
    xy = torch.stack((x, y), -1).detach().requires_grad_()
    network = seeded(lambda: Plain(3, 1))

    def rows(engine: Engine, place: int) -> Tensor:
        (u,) = engine(network, (xy, t) if place else (t, xy))
        g = gradient(u, xy)
        return partial(u, t) + g.square().sum(-1) + hessian(u, xy)[:, 0, 1] + partial(g[:, 1], t)

    for place in (0, 1):
        taylor = Taylor(discover(lambda engine, place=place: rows(engine, place)))
        results = [
            (r, *torch.autograd.grad(r.sum(), list(network.parameters()), materialize_grads=True))
            for r in (rows(taylor, place), rows(Reverse(), place))
        ]
        assert agree(list(zip(*results, strict=True)))


def test_one_tensor_reaches_the_network_without_a_copy() -> None:
    """Which every derivative would be taken through."""
    seen: list[Tensor] = []
    network, xy = seeded(lambda: Plain(2, 1)), torch.rand(4, 2, dtype=torch.float64, requires_grad=True)
    network.register_forward_pre_hook(lambda module, inputs: seen.extend(inputs))
    Reverse()(network, xy)
    assert seen[0] is xy


@pytest.mark.parametrize("asked", [(0, 0), (1,), (0, 1), (0, 0, 0)])
def test_what_was_not_propagated_raises(asked: tuple[int, ...]) -> None:
    x = coordinates(2, points=3, seed=0)
    (u,) = Taylor({((0,),)})(seeded(lambda: Plain(2, 1)), x)
    with pytest.raises(NotPropagatedError, match="not propagated; discover the needs"):
        partial(u, *(x[i] for i in asked))


def test_lower_derivatives_than_the_needed_are_known_too() -> None:
    x = coordinates(2, points=3, seed=0)
    (u,) = Taylor({((0, 0, 1),)})(seeded(lambda: Plain(2, 1)), x)
    for index in ((0,), (1,), (0, 0), (0, 1), (1, 0, 0)):
        partial(u, *(x[i] for i in index))
    with pytest.raises(NotPropagatedError):
        partial(u, x[1], x[1])


def test_without_needs_the_network_is_evaluated_as_it_is() -> None:
    network, x = seeded(lambda: Plain(2, 1)), coordinates(2, points=3, seed=0)
    (u,) = Taylor(())(network, x)
    assert torch.equal(u, network(torch.stack(x, -1)).squeeze(-1))
    with pytest.raises(NotPropagatedError):
        partial(u, x[0])


def test_backward_by_the_parameters_works_and_by_everything_raises() -> None:
    network, x = seeded(lambda: Plain(2, 1)), coordinates(2, points=3, seed=0)
    parameters = list(network.parameters())

    def loss() -> Tensor:
        (u,) = Taylor({((0, 0),)})(network, x)
        return (partial(u, x[0], x[0]) + u).square().sum()

    loss().backward(inputs=parameters)
    for parameter, expected in zip(parameters, torch.autograd.grad(loss(), parameters), strict=True):
        assert torch.equal(parameter.grad, expected)
    with pytest.raises(NotPropagatedError, match=r"loss\.backward\(inputs=list\(parameters\)\)"):
        loss().backward()


def test_parameters_without_gradient_and_grad_mode_off() -> None:
    network, x = seeded(lambda: Plain(2, 1)), coordinates(2, points=3, seed=0)
    taylor = Taylor({((0, 0),)})
    expected = partial(taylor(network, x)[0], x[0], x[0]).detach()
    network.requires_grad_(False)
    assert torch.equal(partial(taylor(network, x)[0], x[0], x[0]), expected)
    with torch.no_grad():
        (u,) = taylor(network, x)
    assert not u.requires_grad
    with pytest.raises(DerivativeError):
        partial(u, x[0])


def test_laplacian_as_one_coefficient() -> None:
    network, (x, y) = seeded(lambda: Plain(2, 2)), coordinates(2, points=4, seed=0)

    def rows(engine: Engine) -> list[Tensor]:
        return list(laplacian(engine(network, (x, y)), (x, y)))

    needs = discover(rows)
    assert needs == {((0, 0), (1, 1))}
    expected = rows(Reverse())
    for found, other in zip(rows(Taylor(needs)), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-12, atol=1e-14)  # round-off
        with pytest.raises(NotPropagatedError):
            partial(found, x)
    # Where both second derivatives are known anyway, the sum is that of the two.
    (found, _) = rows(Taylor({((0, 0),), ((1, 1),)}))
    torch.testing.assert_close(found, expected[0], rtol=1e-12, atol=1e-14)
    with pytest.raises(NotPropagatedError):
        rows(Taylor({((0, 0),)}))


def test_the_laplacian_of_anything_but_a_linked_field_is_not_known() -> None:
    (x, y), z = coordinates(2, points=4, seed=0), coordinates(1, points=4, seed=1)[0]
    (u,) = Taylor({((0, 0), (1, 1))})(seeded(lambda: Plain(2, 1)), (x, y))
    for field, at in ((x * y, (x, y)), (u * u, (x, y)), (u, (x, z)), (u, (x.clone(), y))):
        assert linked_laplacian(field, at) is None


def test_the_sum_keeps_the_contract() -> None:
    (x, y) = coordinates(2, points=4, seed=0)
    (u,) = Taylor({((0, 0), (1, 1))})(seeded(lambda: Plain(2, 1)), (x, y))
    with torch.no_grad(), pytest.raises(GradModeError, match="grad mode is off"):
        laplacian(u, (x, y))
    with pytest.raises(ShapeError, match="as many points"):
        laplacian(u, (x, y[:2]))
    with pytest.raises(DerivativeError, match="separate coordinates come as a tuple"):
        laplacian(u, x)


def test_biharmonic_by_two_laplacians() -> None:
    network, (x, y) = seeded(lambda: Plain(2, 1)), coordinates(2, points=4, seed=0)

    def rows(engine: Engine) -> Tensor:
        (u,) = engine(network, (x, y))
        return biharmonic(u, (x, y))

    needs = discover(rows)
    assert needs == {((0, 0), (1, 1)), ((0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 1, 1), (1, 1, 1, 1))}
    torch.testing.assert_close(rows(Taylor(needs)), rows(Reverse()), rtol=1e-11, atol=1e-12)  # round-off, order four


@pytest.mark.parametrize("engine", [Reverse(), Taylor({((0,),)})])
def test_wrong_coordinates_and_outputs(engine: Engine) -> None:
    x, network = torch.rand(3), seeded(lambda: Plain(2, 1), torch.float32)
    with pytest.raises(ShapeError, match="no coordinates were given"):
        engine(network, ())
    with pytest.raises(ShapeError, match=r"\[\(3,\), \(2,\)\], expected \(points,\)"):
        engine(network, (x, x[:2]))
    with pytest.raises(ShapeError, match="with the same points"):
        engine(network, (x, x.reshape(3, 1, 1)))
    with pytest.raises(DtypeError, match=r"torch\.int64"):
        engine(network, (x, torch.arange(3)))
    with pytest.raises(ShapeError, match=r"returned shape \(3,\) for 3 points"):
        engine(lambda z: network(z)[:, 0], (x, x))


def test_the_numbers_are_right_while_the_needs_are_found() -> None:
    """A residual that branches, or that others see, must not meet wrong numbers even then."""
    x = coordinates(2, points=4, seed=0)
    frozen = seeded(lambda: Affine(2, 1)).requires_grad_(False)
    for network in (seeded(lambda: Plain(2, 1)), seeded(lambda: Affine(2, 1)), frozen):
        seen: list[Tensor] = []

        def rows(engine: Engine, network: nn.Module = network, seen: list[Tensor] = seen) -> None:
            (u,) = engine(network, x)
            seen.append(torch.stack((u, partial(u, x[0], x[1]), partial(u, x[1], x[1], x[0]), laplacian(u, x))))

        discover(rows)
        rows(Reverse())
        torch.testing.assert_close(*seen, rtol=1e-12, atol=1e-14)  # round-off
