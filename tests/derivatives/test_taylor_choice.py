"""The engine that a name stands for, and the reason that is given."""

import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
from geometry import coordinates
from nets import Affine, Plain, seeded
from torch import Tensor, nn

from pinn.derivatives import gradient, hessian, laplacian, partial
from pinn.derivatives.taylor import Engine, Reverse, Taylor, choose, discover
from pinn.derivatives.taylor.choice import FLOPS_PER_ENTRY, Choice, Rows, count_operations, loss_and_gradient

NETWORK = seeded(lambda: Plain(2, 1, width=20))
X = coordinates(2, points=50, seed=0)


def poisson(engine: Engine) -> Tensor:
    (u,) = engine(NETWORK, X)
    return partial(u, X[0], X[0]) + partial(u, X[1], X[1])


def counted(rows: Callable[[Engine], Rows], engine: Engine, parameters: Sequence[Tensor]) -> float:
    return count_operations(lambda given: loss_and_gradient(rows, parameters, given), engine)


def choice(name: str, rows: object = poisson, network: nn.Module = NETWORK) -> Choice:
    return choose(name, rows, list(network.parameters()))


@pytest.mark.parametrize(("name", "engine"), [("reverse", Reverse), ("taylor", Taylor)])
def test_a_name_is_obeyed(name: str, engine: type) -> None:
    found = choice(name)
    assert type(found.engine) is engine
    assert (found.name, found.reason) == (name, "as asked")


def test_auto_takes_the_one_with_fewer_operations_and_says_the_numbers() -> None:
    engine, name, reason = choice("auto")
    forward, backward = (counted(poisson, e, list(NETWORK.parameters())) / 1e6 for e in (engine, Reverse()))
    assert isinstance(engine, Taylor)
    assert name == "taylor"
    assert forward < backward
    assert reason == f"{forward:.3g} million operations with taylor, {backward:.3g} with reverse"
    assert torch.allclose(poisson(engine), poisson(Reverse()), rtol=1e-11, atol=1e-12)  # round-off


def test_auto_takes_reverse_for_a_gradient_in_many_dimensions() -> None:
    network, x = seeded(lambda: Plain(30, 1)), torch.rand(20, 30, dtype=torch.float64, requires_grad=True)
    engine, name, reason = choice("auto", lambda e: gradient(e(network, x)[0], x).square().sum(-1), network)
    assert isinstance(engine, Reverse)
    assert name == "reverse"
    assert " million operations with taylor, " in reason


def test_auto_takes_reverse_where_no_derivative_is_taken() -> None:
    engine, name, reason = choice("auto", lambda e: e(NETWORK, X)[0])
    assert isinstance(engine, Reverse)
    assert (name, reason) == ("reverse", "no derivatives")


def test_a_hessian_in_a_hundred_dimensions_is_not_even_tried() -> None:
    network, x = seeded(lambda: Affine(100, 1)), torch.rand(1, 100, dtype=torch.float64, requires_grad=True)
    engine, name, reason = choice("auto", lambda e: hessian(e(network, x)[0], x).sum((-2, -1)), network)
    assert isinstance(engine, Reverse)
    assert name == "reverse"
    assert reason == "the residual takes more than 4096 different derivatives, which reverse mode does cheaper"


def second_derivative_through_elu(name: str) -> Choice:
    network = nn.Sequential(nn.Linear(2, 4), nn.ELU(), nn.Linear(4, 1)).double()
    return choice(name, lambda e: partial(e(network, X)[0], X[0], X[0]), network)


@pytest.mark.parametrize("name", ["auto", "taylor"])
def test_an_operation_without_a_rule_falls_back_in_one_line_that_names_it(name: str) -> None:
    with pytest.warns(UserWarning, match=r"^engine=reverse: aten\.elu\.default has no rule for taylor$") as said:
        engine, chosen, reason = second_derivative_through_elu(name)
    assert len(said) == 1
    assert isinstance(engine, Reverse)
    assert (chosen, reason) == ("reverse", "aten.elu.default has no rule for taylor")


def test_that_line_is_said_to_come_from_the_one_that_asks() -> None:
    with pytest.warns(UserWarning, match="^engine=reverse: ") as said:
        second_derivative_through_elu("auto")
    assert [warning.filename for warning in said] == [__file__]


def test_other_work_is_counted_where_it_is_given() -> None:
    """Reverse mode wins as soon as taylor is made to do the same thing four times."""

    def work(engine: Engine) -> None:
        for _ in range(4 if isinstance(engine, Taylor) else 1):
            loss_and_gradient(poisson, list(NETWORK.parameters()), engine)

    forward = 4 * counted(poisson, Taylor(discover(poisson)), list(NETWORK.parameters())) / 1e6
    found = choose("auto", poisson, list(NETWORK.parameters()), work)
    assert found.name == "reverse"
    assert found.reason.startswith(f"{forward:.3g} million operations with taylor, ")


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="there is no engine 'jets'; choose auto, reverse or taylor"):
        choice("jets")


@pytest.mark.parametrize("form", [list, tuple, lambda rows: dict(enumerate(rows)), torch.stack])
def test_residuals_come_in_any_form(form: object) -> None:
    def rows(engine: Engine) -> Sequence[Tensor]:
        (u,) = engine(NETWORK, X)
        return form([laplacian(u, X), u])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose("reverse", rows, list(NETWORK.parameters()))
    assert counted(rows, Reverse(), list(NETWORK.parameters())) > 0


def test_what_has_no_tensors_costs_nothing() -> None:
    """Such as the mark that a profiler sets."""

    def labelled(z: Tensor) -> Tensor:
        with torch.profiler.record_function("network"):
            return NETWORK(z)

    def count(network: Callable[[Tensor], Tensor]) -> float:
        return counted(lambda engine: engine(network, X)[0], Reverse(), list(NETWORK.parameters()))

    assert count(labelled) == count(NETWORK)


def test_operations_are_those_of_products_and_of_entries_that_are_written() -> None:
    weight = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    x = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    operations = counted(lambda engine: engine(lambda z: z @ weight, x)[0], Reverse(), [weight])
    products = 2 * 2 * 5 * 3 * 4  # forward, and the gradient by the weight
    entries = operations - products
    assert entries % FLOPS_PER_ENTRY == 0
    # The square of one column and what its gradient writes: few arrays of 5 to 20 entries.
    assert 5 <= entries / FLOPS_PER_ENTRY <= 200
