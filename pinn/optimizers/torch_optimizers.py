"""Torch's optimizers behind the interface of ours."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import LBFGS
from torch.optim.lr_scheduler import LRScheduler

from pinn.errors import InputError, NotFinite, OutOfTime
from pinn.finite import where
from pinn.objective import Objective
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited, require_time

EVALUATIONS = 25
"""Of the objective in a line search of L-BFGS, at most."""

MakeSchedule = Callable[[torch.optim.Optimizer], LRScheduler]


def adapted(made: object, schedule: MakeSchedule | None = None) -> Optimizer:
    """Return an optimizer of ours as it is, and one of torch behind the same interface.

    Args:
        made: the optimizer.
        schedule: makes the schedule of its learning rate, stepped after every iteration; for torch's optimizers.

    Raises:
        InputError: something that is no optimizer, or a schedule for one without a learning rate.
    """
    if isinstance(made, Optimizer):
        if schedule is not None:
            raise InputError(f"{type(made).__name__} has no learning rate; leave the schedule of its stage out.")
        return made
    if not isinstance(made, torch.optim.Optimizer):
        raise InputError(
            f"a stage's optimizer must make a torch.optim.Optimizer or a pinn.optimizers.Optimizer; it made a "
            f"{type(made).__name__}."
        )
    return LimitedMemory(made, schedule) if isinstance(made, LBFGS) else FirstOrder(made, schedule)


class TorchOptimizer(Optimizer):
    """What the two kinds of torch's optimizers share: where their state is."""

    needs = "gradient"

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: MakeSchedule | None) -> None:
        super().__init__(parameter for group in optimizer.param_groups for parameter in group["params"])
        self.optimizer = optimizer
        self.schedule = schedule(optimizer) if schedule else None
        if not isinstance(self.schedule, LRScheduler | None):
            raise InputError(
                f"a stage's schedule must make a torch.optim.lr_scheduler.LRScheduler from an optimizer; it made a "
                f"{type(self.schedule).__name__}."
            )

    def work(self, rows: int) -> float:
        """Return 0: it decomposes nothing."""
        return 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the optimizer and of its schedule."""
        schedule = self.schedule.state_dict() if self.schedule else None
        return {"optimizer": self.optimizer.state_dict(), "schedule": schedule}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up both."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])

    def _next_rate(self) -> None:
        if self.schedule:
            self.schedule.step()


class FirstOrder(TorchOptimizer):
    """Every optimizer of torch that takes one step a call: Adam, SGD, Muon and their like.

    Args:
        optimizer: of torch.
        schedule: makes the schedule of its learning rate, stepped after every step.
    """

    first_order = True

    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` steps."""
        taken, closure = 0, _watched(objective)
        while taken < steps and not stop():
            try:
                self.optimizer.step(closure)  # type: ignore[arg-type]
            except OutOfTime:
                break
            except NotFinite as error:
                return Progress(taken, diverged=str(error))
            self._next_rate()
            taken += 1
        return Progress(taken)


def _watched(objective: Objective) -> Callable[[], Tensor]:
    """Return a closure that raises NotFinite before a loss that is no number gets into the parameters.

    A GPU, which runs ahead, is not asked for the loss of each step; there the look at the end of a block sees it.
    """

    def closure() -> Tensor:
        loss = objective()
        if loss.device.type == "cpu" and not math.isfinite(loss.item()):
            raise NotFinite(f"residual {where(objective)}")
        return loss

    return closure


class LimitedMemory(TorchOptimizer):
    """Torch's L-BFGS, one iteration a call, so that it can stop after each and says which of its tolerances ended it.

    Torch begins a call by evaluating the objective where the last call ended it, and judges its tolerances only between
    two iterations of one call. Here the first costs nothing, as that value is remembered, and the second is done in
    the order of torch. The iterations are those of one long call.

    Args:
        optimizer: of torch; its `max_iter` and `max_eval` mean nothing here.
        schedule: makes the schedule of its learning rate, stepped after every iteration.
    """

    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` iterations."""
        [group] = self.optimizer.param_groups
        group["max_iter"], group["max_eval"] = 1, 1 + EVALUATIONS
        closure = _Remembered(objective, self.parameters, stop)
        taken, reason = 0, None
        while taken < steps and reason is None and not stop():
            state = self.optimizer.state[self.parameters[0]]
            before, start = _copied(state), parameters_to_vector(self.parameters).detach()
            try:
                self.optimizer.step(closure)  # type: ignore[arg-type]
                reason = self._why_it_ends(closure())
            except OutOfTime:
                state.clear()
                state.update(before)
                vector_to_parameters(start, self.parameters)
                break
            taken += state["n_iter"] - before.get("n_iter", 0)
            closure.forget_the_others()
            self._next_rate()
        return Progress(taken, reason)

    def _why_it_ends(self, loss: Tensor) -> str | None:
        """Return which tolerance is met now, or None; the order is that of torch."""
        [group] = self.optimizer.param_groups
        state = self.optimizer.state[self.parameters[0]]
        gradient = torch.cat([gradient.flatten() for gradient in _gradients(self.parameters)]).abs().max().item()
        if not math.isfinite(gradient):
            return "the gradient is not finite"
        if gradient <= group["tolerance_grad"]:
            return f"the gradient, {gradient:.1e}, is within tolerance_grad"
        if state["prev_flat_grad"].dot(state["d"]) > -group["tolerance_change"]:
            return "the slope along the direction of search is within tolerance_change"
        if (state["d"] * state["t"]).abs().max() <= group["tolerance_change"]:
            return "the change of the parameters is within tolerance_change"
        if abs(loss.item() - state["prev_loss"]) < group["tolerance_change"]:
            return "the change of the objective is within tolerance_change"
        return None


class _Remembered:
    """An objective that is evaluated once at the same parameters, and not at all where no time is left."""

    def __init__(self, objective: Objective, parameters: list[Tensor], stop: Stop) -> None:
        self.objective, self.parameters, self.stop = objective, parameters, stop
        self.seen: list[tuple[Tensor, Tensor, list[Tensor]]] = []

    @torch.enable_grad()
    def __call__(self) -> Tensor:
        """Set the gradients and return the loss."""
        here = parameters_to_vector(self.parameters).detach()
        for there, loss, gradients in self.seen:
            if torch.equal(here, there):
                for parameter, gradient in zip(self.parameters, gradients, strict=True):
                    parameter.grad = gradient
                return loss
        require_time(self.stop)
        loss = self.objective()
        # The next evaluation may write where this one did.
        self.seen.append((here, loss.clone(), [gradient.clone() for gradient in _gradients(self.parameters)]))
        return loss

    def forget_the_others(self) -> None:
        """Keep what is known of the present parameters alone."""
        here = parameters_to_vector(self.parameters).detach()
        self.seen = [record for record in self.seen if torch.equal(record[0], here)]


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of torch's L-BFGS as it is now; tensors in its lists are never written into."""
    copy = {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
    return {name: list(value) if isinstance(value, list) else value for name, value in copy.items()}
