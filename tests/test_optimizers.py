"""What holds for every optimizer: it stops before any iteration, leaves none half done, and goes on bit for bit."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from helpers.sampled import sampled
from helpers.small import Constants, Rosenbrock, model_of, points_of
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import LBFGS, SGD, Adam
from torch.optim.lr_scheduler import ExponentialLR

from pinn.errors import InputError
from pinn.objective import Objective
from pinn.optimizers import (
    LeastSquares,
    LevenbergMarquardt,
    Optimizer,
    SelfScaledBroyden,
    SelfScaledLBFGS,
    Unlimited,
    adapted,
)
from pinn.optimizers.torch_optimizers import FirstOrder, LimitedMemory
from pinn.problems import Burgers, Poisson
from pinn.training import Stage
from pinn.weighting import Fixed

WOLFE = partial(LBFGS, line_search_fn="strong_wolfe", tolerance_change=0, tolerance_grad=0)
KINDS: dict[str, Callable[[Any], Any]] = {
    "adam": partial(Adam, lr=1e-2),
    "momentum": partial(SGD, lr=1e-4, momentum=0.9),
    "lbfgs": WOLFE,
    "short memory": partial(WOLFE, history_size=2),
    "lbfgs without line search": partial(LBFGS, lr=1e-2, tolerance_change=0, tolerance_grad=0),
    "broyden": SelfScaledBroyden,
    "bfgs": partial(SelfScaledBroyden, update="bfgs"),
    "self-scaled lbfgs": SelfScaledLBFGS,
    "self-scaled lbfgs that forgets": partial(SelfScaledLBFGS, history=4),
    "levenberg-marquardt": LevenbergMarquardt,
    "straight levenberg-marquardt": partial(LevenbergMarquardt, bend=0),
    "least squares": LeastSquares,
}
SCHEDULED = ("adam", "lbfgs")
STEPS = 12


class Counted(Objective):
    """Counts how often it is asked for what."""

    gradients = jacobians = losses = 0

    def __call__(self) -> Tensor:
        self.gradients += 1
        return super().__call__()

    def jacobian(self, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.jacobians += 1
        return super().jacobian(out)

    def loss(self) -> Tensor:
        self.losses += 1
        return super().loss()


def objective_of(problem: Any = None) -> Counted:
    problem = problem or Burgers()
    return Counted(model_of(problem), points_of(problem, 60), Fixed())


def made(name: str, objective: Objective) -> Optimizer:
    schedule = partial(ExponentialLR, gamma=0.9) if name in SCHEDULED else None
    return Stage(KINDS[name], steps=1, schedule=schedule).make(objective.parameters)


def parameters(objective: Objective) -> Tensor:
    return parameters_to_vector(objective.parameters).detach().clone()


def whole(name: str, steps: int = STEPS) -> Tensor:
    objective = objective_of()
    assert made(name, objective).run(objective, steps).taken == steps
    return parameters(objective)


class After(Unlimited):
    """Stops when it has been asked so often whether to go on, or whether there is time."""

    def __init__(self, iterations: int = 10**9, evaluations: int = 10**9) -> None:
        self.iterations, self.evaluations = iterations, evaluations

    def __call__(self) -> bool:
        self.iterations -= 1
        return self.iterations < 0

    def fits(self, operations: float = 0) -> bool:
        self.evaluations -= 1
        return self.evaluations >= 0


@pytest.mark.parametrize("name", KINDS)
def test_a_run_that_is_stopped_and_saved_goes_on_to_the_same_bits(name: str) -> None:
    """Stopped before every iteration, and taken up by a new optimizer each time."""
    objective = objective_of()
    state: Any = None
    for _ in range(STEPS):
        optimizer = made(name, objective)
        if state is not None:
            optimizer.load_state_dict(state)
        progress = optimizer.run(objective, STEPS, After(1))
        assert progress.taken == 1
        # Least squares ends where no step helps.
        assert progress.reason is None or name == "least squares"
        if progress.reason:
            break
        state = copy.deepcopy(optimizer.state_dict())
    assert torch.equal(parameters(objective), whole(name))


@pytest.mark.parametrize("name", KINDS)
def test_what_is_stopped_at_once_does_nothing(name: str) -> None:
    objective = objective_of()
    before = parameters(objective)
    assert made(name, objective).run(objective, STEPS, After(0))[:2] == (0, None)
    assert (objective.gradients, objective.jacobians, objective.losses) == (0, 0, 0)
    assert torch.equal(parameters(objective), before)


@pytest.mark.parametrize("evaluations", sampled(range(1, 40, 3), 7))
@pytest.mark.parametrize("name", KINDS)
def test_an_iteration_that_is_left_never_was(name: str, evaluations: int) -> None:
    """It is left at its first, second, … question for time; what was before it and comes after it is not touched."""
    objective = objective_of()
    optimizer = made(name, objective)
    stop = After(evaluations=evaluations)
    taken, reason, _ = optimizer.run(objective, STEPS, stop)
    assert reason is None
    if stop.evaluations >= 0:
        assert taken == STEPS
        return
    assert taken < STEPS
    reached = objective_of()
    made(name, reached).run(reached, taken)
    assert torch.equal(parameters(objective), parameters(reached))
    again = made(name, objective)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again.run(objective, STEPS - taken)
    assert torch.equal(parameters(objective), whole(name))


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("adam", "momentum")])
def test_time_is_asked_for_before_every_evaluation_but_one(name: str) -> None:
    """The first one of an iteration has been asked for with the iteration; so none is begun that is over time."""
    objective = objective_of()
    stop = After(evaluations=10**6)
    made(name, objective).run(objective, STEPS, stop)
    asked = 10**6 - stop.evaluations
    evaluations = objective.gradients + objective.losses + objective.jacobians
    assert evaluations <= asked + 2 * STEPS
    assert evaluations > STEPS


@pytest.mark.parametrize("name", KINDS)
def test_what_is_declared_is_what_is_needed(name: str) -> None:
    objective = objective_of()
    optimizer = made(name, objective)
    optimizer.run(objective, 3)
    assert (objective.jacobians > 0) == (optimizer.needs == "jacobian")
    assert (objective.gradients > 0) == (optimizer.needs == "gradient")
    assert optimizer.first_order == (name in ("adam", "momentum"))
    assert (optimizer.work(1000) > 0) == (not isinstance(optimizer, FirstOrder | LimitedMemory))


TOLERANCES = [
    {},
    {"tolerance_grad": 1e-2},
    {"tolerance_change": 1e-3},
    {"tolerance_change": 1e-5, "tolerance_grad": 0},
    {"history_size": 3, "tolerance_change": 0, "tolerance_grad": 0},
    {"lr": 0.3, "tolerance_change": 0, "tolerance_grad": 0},
]


@pytest.mark.parametrize("problem", [Poisson, Rosenbrock])
@pytest.mark.parametrize("search", ["strong_wolfe", None])
@pytest.mark.parametrize("settings", sampled(TOLERANCES, 3), ids=str)
def test_iterations_of_lbfgs_are_those_of_one_long_call_of_torch(
    settings: dict[str, Any], search: str | None, problem: type
) -> None:
    """The same parameters after as many evaluations; and it ends where torch's tolerances would have ended it."""

    def start() -> Counted:
        network = Constants if problem is Rosenbrock else None
        return Counted(model_of(problem(), network), points_of(problem(), 30), Fixed())

    if search is None:
        settings = {**settings, "lr": 1e-3}
    theirs, ours = start(), start()
    alone = LBFGS(theirs.parameters, line_search_fn=search, max_iter=60, max_eval=10**6, **settings)
    alone.step(theirs)
    iterations = alone.state[theirs.parameters[0]]["n_iter"]
    taken, reason, _ = adapted(LBFGS(ours.parameters, line_search_fn=search, **settings)).run(ours, 60)
    assert taken == iterations
    assert torch.equal(parameters(ours), parameters(theirs))
    # Without a search torch leaves out the evaluation behind the last iteration, which tells ours why it ended.
    assert theirs.gradients <= ours.gradients <= theirs.gradients + (search is None)
    assert (reason is None) == (taken == 60)


def test_other_things_are_no_optimizers() -> None:
    objective = objective_of()
    with pytest.raises(InputError, match=r"must make a torch.optim.Optimizer or a pinn.*; it made a list"):
        Stage(lambda parameters: list(parameters), steps=1).make(objective.parameters)  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError, match="LevenbergMarquardt has no learning rate"):
        Stage(LevenbergMarquardt, steps=1, schedule=partial(ExponentialLR, gamma=0.9)).make(objective.parameters)


def test_a_schedule_is_stepped_after_every_step() -> None:
    objective = objective_of()
    optimizer: Any = Stage(KINDS["adam"], steps=1, schedule=partial(ExponentialLR, gamma=0.5)).make(
        objective.parameters
    )
    optimizer.run(objective, 3)
    assert optimizer.optimizer.param_groups[0]["lr"] == 1e-2 / 8


def test_a_solve_without_time_is_not_begun() -> None:
    """Neither is the Jacobian for it."""
    objective = objective_of()

    asked = []

    class Slow(Unlimited):
        def fits(self, operations: float = 0) -> bool:
            asked.append(operations)
            return operations < 1e3

    for name in ("least squares", "levenberg-marquardt"):
        assert made(name, objective).run(objective, 5, Slow())[:2] == (0, None)
    assert objective.jacobians == 0
    rows, columns = objective.rows, len(parameters(objective))
    assert asked[0] > 2 * columns**2 * (rows - columns / 3)


def test_singular_values_without_time_are_not_begun() -> None:
    """Where λ is lost in round-off a step is many times as long, and that is seen before it."""
    objective = objective_of()
    before = parameters(objective)
    optimizer = LevenbergMarquardt(objective.parameters, damping=1e-25)
    usual = optimizer.work(objective.rows)

    class Usual(Unlimited):
        def fits(self, operations: float = 0) -> bool:
            return operations <= usual

    assert optimizer.run(objective, 5, Usual())[:2] == (0, None)
    assert objective.jacobians == 1
    assert torch.equal(parameters(objective), before)
    assert optimizer.state_dict() == {"damping": 1e-25}
    vector_to_parameters(before, objective.parameters)
    assert optimizer.run(objective, 1)[:2] == (1, None)
