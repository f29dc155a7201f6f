"""What quasi-Newton methods share: steps along -H g, with an inverse Hessian H that is learnt from gradients."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pinn.errors import InputError, OutOfTime
from pinn.optimizers.line_search import Trial, strong_wolfe
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited, require_time


class QuasiNewton(Optimizer):
    """Minimise f by steps s = -α H g, where H is updated from s and y = Δg, and α obeys the strong Wolfe conditions.

    H is carried from one objective to the next, so that points may be redrawn every few hundred iterations; y is
    always a difference of gradients of one objective. Where a search finds no decrease H is given up, and the next
    step is one of steepest descent. Pairs of s and y are judged by round-off, never by an absolute number: after the
    first step a multiple of the objective has the same iterations.

    Args:
        parameters: all parameters of the objective.
        decrease: c₁ of the strong Wolfe conditions.
        curvature: c₂ of the strong Wolfe conditions.
        evaluations: the most evaluations of the objective in a line search.

    Raises:
        InputError: a setting outside its range, or groups of parameters.
    """

    needs = "gradient"

    def __init__(
        self, parameters: Iterable[Tensor], decrease: float = 1e-4, curvature: float = 0.9, evaluations: int = 25
    ) -> None:
        super().__init__(parameters)
        name = type(self).__name__
        if not 0 < decrease < curvature < 1:
            raise InputError(f"{name} needs 0 < decrease < curvature < 1; it was given {decrease}, {curvature}.")
        if evaluations < 1:
            raise InputError(f"{name} needs evaluations of at least 1; it was given {evaluations}.")
        self.search = partial(strong_wolfe, decrease=decrease, curvature=curvature, evaluations=evaluations)
        self.state: dict[str, Any] = {}

    @abstractmethod
    def reset(self, position: Tensor) -> None:
        """H ← I, with `state["updates"]` at 0; parameters are like `position`."""

    @abstractmethod
    def times(self, gradient: Tensor) -> Tensor:
        """Return H g, (parameters,)."""

    @abstractmethod
    def update(self, here: Trial, end: Trial, direction: Tensor) -> None:
        """Take the step from one trial to the next along a direction into H, if its curvature is positive."""

    @torch.no_grad()
    def run(self, objective: Callable[[], Tensor], steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` iterations.

        Args:
            objective: sets the gradients and returns the loss, as a pinn Objective does.
            steps: the most iterations.
            stop: ends it sooner.
        """
        position = parameters_to_vector(self.parameters)
        if not self.state:
            self.state["n_iter"] = 0
            self.reset(position)
        direction = torch.zeros_like(position)

        def trial(step: float) -> Trial:
            require_time(stop)
            vector_to_parameters(position + step * direction, self.parameters)
            return _evaluate(objective, self.parameters, direction, step)

        here: Trial | None = None
        taken, reason = 0, None
        while taken < steps and reason is None and not stop():
            try:
                here = here or _evaluate(objective, self.parameters, direction, 0.0)
                if (reason := _why_it_ends(here)) is not None:
                    break
                direction = -self.times(here.gradient)
                slope = direction.dot(here.gradient).item()
                # The identity knows no scale: the first step changes all parameters together by at most one.
                length = 1.0 if self.state["updates"] else 1 / max(1.0, here.gradient.abs().sum().item())
                end = here = replace(here, step=0.0, slope=slope)
                if slope < 0:
                    end = self.search(trial, here, length)
            except OutOfTime:
                break
            if end.value < here.value:
                self.state["n_iter"] += 1
                taken += 1
                self.update(here, end, direction)
                position = position + end.step * direction
                here = end
            elif self.state["updates"]:
                self.reset(position)
            else:
                reason = "the line search finds no decrease along the gradient"
        vector_to_parameters(position, self.parameters)
        return Progress(taken, reason)

    def state_dict(self) -> dict[str, Any]:
        """Return H and what counts its updates."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them up."""
        like = self.parameters[0]
        self.state = {name: value.to(like) if isinstance(value, Tensor) else value for name, value in state.items()}


def _why_it_ends(here: Trial) -> str | None:
    """Return why no iteration can begin here; None if one can."""
    if not math.isfinite(here.value):
        return f"the loss is {here.value}"
    return None if here.gradient.any() else "the gradient is zero"


def _evaluate(closure: Callable[[], Tensor], parameters: list[Tensor], direction: Tensor, step: float) -> Trial:
    """Return the trial at the present parameters; one synchronisation."""
    with torch.enable_grad():
        loss = closure().detach()
    gradient = torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters])
    value, slope = torch.stack([loss, direction.dot(gradient)]).tolist()
    return Trial(step, value, slope, gradient)
