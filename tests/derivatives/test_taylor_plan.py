"""Which slots are propagated for which needs, and what is counted for the choice of an engine."""

from functools import partial

import pytest
import torch
from nets import Plain, seeded
from torch import nn

from pinn.derivatives import laplacian
from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor import Hutchinson, Reverse, Taylor, choose, discover
from pinn.derivatives.taylor import choice as choice_module
from pinn.derivatives.taylor.choice import count_operations, loss_and_gradient
from pinn.derivatives.taylor.plan import free_slots, plan

X, Y, XX, YY, XY = (0,), (1,), (0, 0), (1, 1), (0, 1)


@pytest.mark.parametrize(
    ("needs", "slots", "free"),
    [
        ({(X,)}, ((X,),), ()),
        ({(XX,)}, ((X,), (XX,)), ()),
        ({(XY,), (XX,)}, ((X,), (Y,), (XX,), (XY,)), ()),
        # The sum of both needs no slot where both are there.
        ({(XX, YY), (XX,), (YY,)}, ((X,), (Y,), (XX,), (YY,)), ()),
        ({(XX, YY), (XX,)}, ((X,), (Y,), (XX,), (XX, YY)), ()),
        ({(XX, YY)}, (), (0, 1)),
        # With half of the first derivatives or more, these serve the Laplacian as well.
        ({(XX, YY), (X,)}, ((X,), (Y,), (XX, YY)), ()),
        ({((0, 0), (1, 1), (2, 2)), (X,)}, ((X,),), (0, 1, 2)),
        (
            {((0, 0), (2, 2)), ((3, 3), (4, 4))},
            (((0,),), ((2,),), ((3,),), ((4,),), (XX, (2, 2)), ((3, 3), (4, 4))),
            (),
        ),
        # Sums of second derivatives that are no Laplacians, and of those of higher order.
        ({(XX, XY)}, ((X,), (Y,), (XX,), (XY,)), ()),
        ({((0, 0, 0), (0, 1, 1))}, ((X,), (Y,), (XX,), (XY,), (YY,), ((0, 0, 0),), ((0, 1, 1),)), ()),
    ],
)
def test_the_fewest_slots_in_order(needs: set[Slot], slots: tuple[Slot, ...], free: tuple[int, ...]) -> None:
    found = plan(needs)
    assert found.slots == tuple(tuple(slot) for slot in slots)
    assert found.free == free
    # A Laplacian in directions of its own comes right behind the slots.
    assert [(*slots, *needs)[at] for at in found.read] == list(found.row)
    assert list(found.row.values()) == list(range(len(found.read)))


def test_directions_of_their_own_are_numbered_below_zero() -> None:
    assert free_slots(2) == (((-1, -1), (-2, -2)), ((-1,),), ((-2,),))


def test_an_estimate_has_directions_of_its_own_in_any_case() -> None:
    assert Taylor({(XX, YY), (X,), (Y,)}, directions=Hutchinson(3)).plan.free == (0, 1)


def test_the_flops_of_matrix_products_are_those_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """n points, d inputs, w units, one output, and s slots of taylor, which all points share in the first product and
    of which the last one meets the Laplacian alone."""
    n, d, w, s = 7, 2, 5, 3
    network = nn.Sequential(nn.Linear(d, w), nn.Tanh(), nn.Linear(w, 1)).double()
    x, y = (torch.rand(n, dtype=torch.float64, requires_grad=True) for _ in range(2))
    monkeypatch.setattr(choice_module, "FLOPS_PER_ENTRY", 0)
    monkeypatch.setattr(choice_module, "FLOPS_PER_FUNCTION", 0)

    def rows(engine):
        return laplacian(engine(network, (x, y))[0], (x, y))

    taylor = Taylor(discover(rows))
    forward = 2 * (n * d * w + n * w) + 2 * (s * d * w + n * w)
    # The weights of the last layer meet values that no residual uses; gradients reach the first layer by derivatives
    # and, through the slopes of the activation, by values.
    backward = 2 * (n * w + n * w) + 2 * (s * d * w + n * d * w)
    work = partial(loss_and_gradient, rows, list(network.parameters()))
    assert count_operations(work, taylor) == forward + backward


def test_functions_cost_four_times_as_much_as_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice_module, "FLOPS_PER_ENTRY", 0)
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    work = partial(loss_and_gradient, lambda engine: engine(lambda z: torch.tanh(scale * z), x)[0], [scale])
    assert count_operations(work, Reverse()) == 5 * choice_module.FLOPS_PER_FUNCTION


def test_a_laplacian_of_a_hundred_coordinates_is_for_taylor() -> None:
    """Also where they are tensors of their own; measured, the gradient takes a quarter of the time."""
    network = seeded(lambda: Plain(100, 1, width=20))
    x = tuple(torch.rand(4, dtype=torch.float64, requires_grad=True) for _ in range(100))
    found = choose("auto", lambda engine: laplacian(engine(network, x)[0], x), list(network.parameters()))
    assert found.name == "taylor"
    forward, backward = (float(word) for word in found.reason.split() if word[0].isdigit())
    assert backward > 4 * forward
