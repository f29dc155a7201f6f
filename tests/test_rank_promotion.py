"""The dispatch mode that watches a part of the suite catches what it is for, and nothing else."""

from collections.abc import Iterator
from math import pi

import pytest
import torch
from helpers.rank_promotion import RankPromotionError, RefuseRankPromotion
from torch import Tensor, nn

from pinn.domains import Box
from pinn.errors import InputError
from pinn.model import Model
from pinn.networks import MLP, Scaled
from pinn.objective import Objective
from pinn.problems import Constraint, Problem
from pinn.weighting import Fixed


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    with RefuseRankPromotion():
        yield


class Column(Problem):
    """A user's mistake: the target is a column, (points, 1)."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {"equation": Constraint(self.domain.interior, self.equation)}

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        return (u - torch.sin(pi * x).unsqueeze(1)).mean(dim=1)


def residual(problem: Problem) -> Tensor:
    model = Model(problem, Scaled(MLP(1, 1), (0,), (1,)).float())
    points = {"equation": problem.domain.interior.points(torch.rand(5, 1))}
    return Objective(model, points, Fixed()).vector()


def test_a_column_minus_a_row_is_refused() -> None:
    with pytest.raises(RankPromotionError, match=r"\(5,\) with \(5, 1\) gives \(5, 5\)"):
        residual(Column())


@pytest.mark.parametrize(
    "operation", [torch.add, torch.sub, torch.mul, torch.div, torch.maximum, torch.pow, torch.atan2]
)
def test_every_pointwise_operation_is_watched(operation: object) -> None:
    with pytest.raises(RankPromotionError):
        operation(torch.ones(3, 1), torch.ones(3))
    with pytest.raises(RankPromotionError):
        operation(torch.ones(3), torch.ones(3, 1))


def test_in_place_and_ternary_operations_are_watched() -> None:
    with pytest.raises(RankPromotionError):
        torch.where(torch.ones(3, 1) > 0, torch.ones(3), 0.0)
    with pytest.raises(RankPromotionError):
        torch.addcmul(torch.ones(3), torch.ones(3, 1), torch.ones(3, 1))


def test_numbers_biases_and_all_pairs_that_are_asked_for_pass() -> None:
    points, features = torch.rand(4, 3), torch.rand(3)
    assert (torch.tensor(2.0) * points).shape == (4, 3)
    assert ((points - features) * features).shape == (4, 3)
    assert nn.LayerNorm(3)(nn.Linear(3, 3)(points)).shape == (4, 3)
    assert (torch.rand(4, 1) - torch.rand(1, 5)).shape == (4, 5)


def test_outside_of_the_suite_the_check_of_shapes_stands_guard() -> None:
    """A residual that comes out as (points, points) is refused by the problem itself, with the shapes."""

    class Matrix(Column):
        def equation(self, u: Tensor, x: Tensor) -> Tensor:
            return u.unsqueeze(1) - x.unsqueeze(0)

    with pytest.raises(
        InputError, match=r"residual 'equation' has shape \(5, 5\), expected \(5,\): one number a point"
    ):
        residual(Matrix())
