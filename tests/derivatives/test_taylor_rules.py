"""The chain and product rules of jets, and the elementwise functions with their derivatives."""

import math
from itertools import islice

import pytest
import torch
from helpers.sampled import sampled
from torch import Tensor
from torch.nn import functional

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor import Taylor
from pinn.derivatives.taylor.composition import compose
from pinn.derivatives.taylor.elementwise import ELEMENTWISE, Elementwise, power, softplus, tanh
from pinn.derivatives.taylor.indices import chain_rule, downward_closed, product_rule
from pinn.derivatives.taylor.multiplication import multiply
from pinn.derivatives.taylor.riccati import Riccati

DOUBLED = Riccati(0.0, 1.0, -0.5)
FUNCTIONS = {
    **ELEMENTWISE,
    "cube": power(3.0),
    "root": power(1.5),
    "steep softplus": softplus(3.0, 4.0),
    # Of the functions that torch has, each equation has q = ±1.
    "doubled sigmoid": Elementwise(
        lambda z: (2 * torch.sigmoid(z),), lambda z, basis: DOUBLED.derivatives(basis[0]), DOUBLED
    ),
}
LAYOUTS: dict[str, tuple[Slot, ...]] = {
    "first": (((0,),), ((1,),)),
    "mixed": (((0,),), ((1,),), ((0, 0),), ((0, 1),)),
    "laplacian": (((0,),), ((1,),), ((0, 0), (1, 1))),
    "third": (((0,),), ((0, 0),), ((0, 0, 0),)),
    "fourth": (((0,),), ((1,),), ((0, 0),), ((0, 1),), ((0, 0, 1),), ((0, 0, 0),), ((0, 0, 0, 1),)),
}


def every(slots: tuple[Slot, ...]) -> tuple[int, ...]:
    return tuple(range(len(slots)))


def uniform(*shape: int, seed: int) -> Tensor:
    """Numbers in (0.5, 1.5): every function is defined there, and none of their derivatives is large."""
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.5


@pytest.mark.parametrize(("order", "partitions"), [(1, 1), (2, 2), (3, 5), (4, 15), (5, 52)])
def test_the_partitions_of_an_index_are_counted_by_the_bell_numbers(order: int, partitions: int) -> None:
    for index in (tuple(range(order)), (0,) * order):
        slots: tuple[Slot, ...] = tuple((below,) for below in sorted(downward_closed([index]), key=len))
        chain = chain_rule(slots, every(slots))
        counted = sum(
            term.multiplicity
            for terms in chain.terms
            for number, term in terms
            if chain.rules[number].row == len(slots) - 1
        )
        assert counted + 1 == partitions  # the partition into one block is no rule of its own
        splittings = [term.multiplicity for slot, term in product_rule(slots) if slot == len(slots) - 1]
        assert sum(splittings) == 2**order - 2  # all subsets but the empty and the whole one


def test_the_fourth_derivative_by_faa_di_bruno() -> None:
    """f'''' ∘: f' z⁗ + f'' (4 z' z''' + 3 z''²) + 6 f''' z'² z'' + f'''' z'⁴."""
    chain = chain_rule((((0,),), ((0, 0),), ((0, 0, 0),), ((0, 0, 0, 0),)), (0, 1, 2, 3))
    found = {
        (chain.rules[number].order, term.factors, term.multiplicity)
        for terms in chain.terms
        for number, term in terms
        if chain.rules[number].row == 3
    }
    assert found == {(2, (0, 2), 4), (2, (1, 1), 3), (3, (0, 0, 1), 6), (4, (0, 0, 0, 0), 1)}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"relu", "abs"}))
def test_the_derivatives_of_every_function(name: str) -> None:
    f, z = FUNCTIONS[name], uniform(10, seed=0).requires_grad_()
    basis = f.basis(z)
    expected = basis[0]
    for order, found in enumerate(islice(f.derivatives(z, basis), 6), start=1):
        expected = torch.autograd.grad(expected.sum(), z, create_graph=True)[0] if expected.requires_grad else z * 0
        # Both ways lose a few roundings an order; some derivatives are as large as 1e4 here.
        place = f"order {order}"
        torch.testing.assert_close(
            found, expected, rtol=1e-11, atol=1e-11, msg=lambda message, place=place: f"{place}: {message}"
        )


@pytest.mark.parametrize(("name", "slopes"), [("relu", [0.0, 0.0, 1.0]), ("abs", [-1.0, 0.0, 1.0])])
def test_piecewise_linear_functions_have_torchs_slopes_and_no_curvature(name: str, slopes: list[float]) -> None:
    z = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    basis = FUNCTIONS[name].basis(z)
    first, second, third = islice(FUNCTIONS[name].derivatives(z, basis), 3)
    assert first.tolist() == torch.autograd.grad(basis[0].sum(), z)[0].tolist() == slopes
    assert not second.any()
    assert not third.any()


@pytest.mark.parametrize("name", ["cube", "square"])
def test_powers_are_polynomials_at_zero_too(name: str) -> None:
    z = torch.zeros(1)
    values = [float(d) for d in islice(FUNCTIONS[name].derivatives(z, FUNCTIONS[name].basis(z)), 4)]
    assert values == ([0.0, 0.0, 6.0, 0.0] if name == "cube" else [0.0, 2.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanh_is_good_to_two_units_in_the_last_place(dtype: torch.dtype) -> None:
    scales = torch.tensor([0.0, 1e-30, 1e-6, 1e-3, 0.1, 1.0, 5.0, 30.0, 1e4, math.inf], dtype=dtype)
    z = torch.cat([scale * torch.linspace(-1, 1, 1000, dtype=dtype) for scale in scales])
    # expm1, a sum and a quotient are rounded: 1.5 units measured. torch.tanh is up to one unit off itself.
    torch.testing.assert_close(tanh(z), torch.tanh(z), rtol=2.5 * torch.finfo(dtype).eps, atol=0)
    assert tanh(torch.tensor(math.nan, dtype=dtype)).isnan()


def test_tanh_is_torchs_own_where_that_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tanh(torch.empty(3, device="meta")).shape == (3,)
    monkeypatch.delattr(torch, "tanh")
    assert tanh(torch.zeros(3)).shape == (3,)


def test_softplus_is_linear_where_torch_makes_it_linear() -> None:
    f, z = softplus(2.0, 3.0), torch.tensor([1.5, 2.0], dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.softplus(z, 2.0, 3.0)
    (slopes,) = torch.autograd.grad(expected.sum(), z)
    assert torch.equal(f.basis(z)[0], expected)
    # βz = 3 at the first is not above the threshold; exp and the quotient are rounded there.
    torch.testing.assert_close(next(f.derivatives(z, f.basis(z))), slopes, rtol=1e-15, atol=0)
    assert slopes[1] == 1.0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("read", ["every", "last", "first and last"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", sampled(["tanh", "sin", "exp", "silu", "cube", "doubled sigmoid"], 3))
def test_composition_has_the_right_gradients(name: str, shared: bool, read: str, layout: str) -> None:
    slots = LAYOUTS[layout]
    positions = {"every": every(slots), "last": every(slots)[-1:], "first and last": (0, len(slots) - 1)}[read]
    value = uniform(2, 2, seed=2).requires_grad_()
    derivatives = uniform(len(slots), 1 if shared else 2, 2, seed=3).requires_grad_()

    def function(z: Tensor, dz: Tensor) -> tuple[Tensor, Tensor]:
        return compose(FUNCTIONS[name], z, dz, slots, positions)

    whole = compose(FUNCTIONS[name], value, derivatives, slots, every(slots))[1]
    assert torch.equal(function(value, derivatives)[1], whole[list(positions)])
    assert torch.autograd.gradcheck(function, (value, derivatives))
    assert torch.autograd.gradcheck(lambda z: function(z, derivatives.detach())[1], (value,))
    assert torch.autograd.gradcheck(lambda dz: function(value.detach(), dz)[1], (derivatives,))
    assert torch.autograd.gradgradcheck(function, (value, derivatives), fast_mode=True)


@pytest.mark.parametrize("again", [False, True])
def test_composition_with_a_gradient_by_its_value_alone(again: bool) -> None:
    slots = LAYOUTS["mixed"]
    value, derivatives = uniform(2, 3, seed=4).requires_grad_(), uniform(4, 2, 3, seed=5).requires_grad_()
    found, _ = compose(ELEMENTWISE["tanh"], value, derivatives, slots, every(slots))
    by_value, by_derivatives = torch.autograd.grad(
        found.sum(), (value, derivatives), allow_unused=True, create_graph=again
    )
    # tanh of at most 1.5 is at most 0.91, so that 1 - tanh² loses a digit to the round-off of its terms.
    torch.testing.assert_close(by_value, 1 - torch.tanh(value) ** 2, rtol=1e-14, atol=0)
    assert by_derivatives is None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shapes", [((2, 2), (2, 2)), ((2, 3), (2, 1))])
def test_multiplication_has_the_right_values_and_gradients(layout: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    slots = LAYOUTS[layout]
    a, b = (uniform(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes))
    da, db = (uniform(len(slots), *shape, seed=2 + seed).requires_grad_() for seed, shape in enumerate(shapes))

    def function(*parts: Tensor) -> tuple[Tensor, Tensor]:
        return multiply(*parts, slots)

    assert torch.autograd.gradcheck(function, (a, da, b, db))
    assert torch.autograd.gradgradcheck(function, (a, da, b, db), fast_mode=True)
    # ab = ((a + b)² - (a - b)²) / 4, by the chain rule alone.
    if shapes[0] == shapes[1]:
        square = ELEMENTWISE["square"]
        plus, minus = (compose(square, a + s * b, da + s * db, slots, every(slots))[1] for s in (1, -1))
        # A sum of numbers of about 10, which cancel to about 1.
        torch.testing.assert_close(function(a, da, b, db)[1], (plus - minus) / 4, rtol=1e-12, atol=1e-12)


def test_a_function_without_an_equation_of_its_own_takes_the_general_way_to_the_same_gradient() -> None:
    slots, tanh = LAYOUTS["laplacian"], ELEMENTWISE["tanh"]
    general = Elementwise(tanh.basis, tanh.derivatives)
    value, derivatives = uniform(3, 4, seed=6).requires_grad_(), uniform(3, 3, 4, seed=7).requires_grad_()
    weight = uniform(3, 3, 4, seed=8)
    gradients = []
    for f in (tanh, general):
        found = compose(f, value, derivatives, slots, every(slots))
        gradients.append(torch.autograd.grad((found[1] * weight).sum() + found[0].sum(), (value, derivatives)))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)  # sums of ten products in another order


@pytest.mark.parametrize("name", ["tanh", "sin"])
def test_a_value_without_derivatives(name: str) -> None:
    z = uniform(3, 2, seed=0).requires_grad_()
    nothing = torch.empty(0, 3, 2, dtype=torch.float64, requires_grad=True)
    value, derivatives = compose(ELEMENTWISE[name], z, nothing, (), ())
    assert derivatives.shape == (0, 3, 2)
    gradient, empty = torch.autograd.grad(
        (value, derivatives), (z, nothing), (torch.ones_like(z), derivatives.detach()), retain_graph=True
    )
    (expected,) = torch.autograd.grad(getattr(torch, name)(z).sum(), z)
    torch.testing.assert_close(gradient, expected, rtol=1e-14, atol=0)  # a few roundings
    assert empty.shape == (0, 3, 2)
    gradient, _ = torch.autograd.grad(derivatives, (z, nothing), derivatives.detach())
    assert not gradient.any()


def test_gelu_knows_two_ways() -> None:
    with pytest.raises(ValueError, match=r"^gelu with approximate='erf'; expected 'none' or 'tanh'$"):
        Taylor({((0,),)})(lambda z: functional.gelu(z, approximate="erf"), uniform(3, seed=0))
