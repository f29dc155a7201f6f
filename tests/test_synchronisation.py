"""A GPU runs ahead until somebody asks it for a number: steps of first order ask for none, others once a decision."""

from typing import Any

import pytest
import torch
from helpers.small import model_of, points_of
from torch.utils._python_dispatch import TorchDispatchMode

from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt
from pinn.problems import Burgers
from pinn.sampling import Collocation, Sobol
from pinn.weighting import Fixed


class Questions(TorchDispatchMode):
    """Counts the numbers that are asked of the device; counters of steps, which torch keeps on the CPU, are free."""

    def __init__(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default):
            counters = [state.get("step") for state in self.optimizer.state.values()] if self.optimizer else []
            self.count += all(args[0] is not counter for counter in counters)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def objective() -> Objective:
    problem = Burgers()
    return Objective(model_of(problem), points_of(problem, 40), Fixed())


def test_the_count_counts(objective: Objective) -> None:
    with Questions(torch.optim.Adam(objective.parameters)) as questions:
        objective.loss().item()
        bool(objective.loss() > 0)
    assert questions.count == 2


def test_drawing_points_asks_for_nothing() -> None:
    collocation = Collocation(Burgers(), Sobol(), points=40, boundary_points=10)
    with Questions(torch.optim.Adam([torch.zeros(1)])) as questions:
        collocation(3)
    assert questions.count == 0


def test_a_step_of_adam_asks_for_nothing(objective: Objective) -> None:
    optimizer = torch.optim.Adam(objective.parameters)
    with Questions(optimizer) as questions:
        for _ in range(3):
            optimizer.step(objective)
    assert questions.count == 0


def test_levenberg_marquardt_asks_once_a_trial_and_once_a_step(objective: Objective) -> None:
    optimizer = LevenbergMarquardt(objective.parameters)
    loss = objective.loss
    trials = 0

    def counted() -> torch.Tensor:
        nonlocal trials
        trials += 1
        return loss()

    objective.loss = counted  # type: ignore[method-assign]
    with Questions() as questions:
        optimizer.run(objective, 5)
    assert questions.count <= 2 * trials + 5
