"""Quasi-Newton methods with a dense inverse Hessian that is rescaled at every step: SSBroyden and SSBFGS."""

import math
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


class SelfScaledBroyden(Optimizer):
    """Minimise f by steps s = -α H g, with H the self-scaled update of Broyden's family from s and y = Δg.

    With w = H y, h = y·w / y·s, b = s·H⁻¹s / y·s and v = s / y·s - w / y·w,

        H ← (H - w wᵀ / y·w + φ (y·w) v vᵀ) / τ + s sᵀ / y·s.

    τ shrinks eigenvalues of H that are too large for the curvature just seen, which the unscaled update corrects
    slowly, and φ lies between the updates of BFGS (φ = 1) and beyond that of DFP (φ = 0). Both are formulas in b and h
    alone (Al-Baali 1998; Al-Baali and Khalfan 2005; on these networks Urbán, Stefanou and Pons 2024). `bfgs` keeps
    φ = 1 and τ = min(1, 1/b).

    H and so P² numbers are kept: for up to some thousand parameters P, in float64. An iteration costs one or two
    gradients and two passes over H. It is carried from one objective to the next, so that points may be redrawn every
    few hundred iterations; y is always a difference of gradients of one objective.

    Args:
        parameters: all parameters of the objective.
        update: `broyden` or `bfgs`.
        decrease: c₁ of the strong Wolfe conditions.
        curvature: c₂ of the strong Wolfe conditions.
        evaluations: the most evaluations of the objective in a line search.

    Raises:
        InputError: a setting outside its range, or groups of parameters.
    """

    needs = "gradient"

    def __init__(
        self,
        parameters: Iterable[Tensor],
        update: str = "broyden",
        decrease: float = 1e-4,
        curvature: float = 0.9,
        evaluations: int = 25,
    ) -> None:
        super().__init__(parameters)
        if update not in ("broyden", "bfgs"):
            raise InputError(f"SelfScaledBroyden's update is broyden or bfgs; it was given {update!r}.")
        if not 0 < decrease < curvature < 1:
            raise InputError(
                f"SelfScaledBroyden needs 0 < decrease < curvature < 1; it was given {decrease}, {curvature}."
            )
        if evaluations < 1:
            raise InputError(f"SelfScaledBroyden needs evaluations of at least 1; it was given {evaluations}.")
        self.update = update
        self.search = partial(strong_wolfe, decrease=decrease, curvature=curvature, evaluations=evaluations)
        self.state: dict[str, Any] = {}

    @torch.no_grad()
    def run(self, objective: Callable[[], Tensor], steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` iterations.

        Args:
            objective: sets the gradients and returns the loss, as a pinn Objective does.
            steps: the most iterations.
            stop: ends it sooner.
        """
        position = parameters_to_vector(self.parameters)
        state = self.state = self.state or _identity(position)
        direction = torch.zeros_like(position)

        def trial(step: float) -> Trial:
            require_time(stop)
            vector_to_parameters(position + step * direction, self.parameters)
            return _evaluate(objective, self.parameters, direction, step)

        here: Trial | None = None
        taken, reason = 0, None
        while taken < steps and reason is None and not stop():
            if state["n_iter"] % MENDED == 0:
                _mend(state)
            try:
                here = here or _evaluate(objective, self.parameters, direction, 0.0)
                if (reason := _why_it_ends(here)) is not None:
                    break
                direction = -(state["inverse"] @ here.gradient)
                slope = direction.dot(here.gradient).item()
                # The identity knows no scale: the first step changes all parameters together by at most one.
                length = 1.0 if state["updates"] else 1 / max(1.0, here.gradient.abs().sum().item())
                end = here = replace(here, step=0.0, slope=slope)
                if slope < 0:
                    end = self.search(trial, here, length)
            except OutOfTime:
                break
            if end.value < here.value:
                state["n_iter"] += 1
                taken += 1
                _update(state, here, end, direction, self.update)
                position = position + end.step * direction
                here = end
            elif state["updates"]:
                _reset(state)
            else:
                reason = "the line search finds no decrease along the gradient"
        vector_to_parameters(position, self.parameters)
        return Progress(taken, reason)

    def work(self, rows: int) -> float:
        """Return the operations of two passes over H, whatever the rows are."""
        return 4.0 * sum(parameter.numel() for parameter in self.parameters) ** 2

    def state_dict(self) -> dict[str, Any]:
        """Return H and what counts its updates."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them up."""
        like = self.parameters[0]
        self.state = {name: value.to(like) if isinstance(value, Tensor) else value for name, value in state.items()}


MENDED = 100
"""After so many iterations the round-off of updates is taken out of H."""


def _identity(position: Tensor) -> dict[str, Any]:
    """Return the state at the start: H = I."""
    inverse = torch.eye(len(position), dtype=position.dtype, device=position.device)
    return {"n_iter": 0, "updates": 0, "inverse": inverse}


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


def _reset(state: dict[str, Any]) -> None:
    """H ← I."""
    state["inverse"].zero_().fill_diagonal_(1)
    state["updates"] = 0


def _mend(state: dict[str, Any]) -> None:
    """Take the round-off of many updates out of H: make it symmetric, and the identity if it is not positive."""
    inverse: Tensor = state["inverse"]
    inverse.copy_((inverse + inverse.T) / 2)
    if torch.linalg.cholesky_ex(inverse).info.item():
        _reset(state)


def _update(state: dict[str, Any], here: Trial, end: Trial, direction: Tensor, update: str) -> None:
    """H ← the formula of the class, a change of rank two, in place."""
    inverse: Tensor = state["inverse"]
    s, y = end.step * direction, end.gradient - here.gradient
    w = inverse @ y
    norm = torch.linalg.vector_norm
    ys, yw, smallest = torch.stack([y.dot(s), y.dot(w), norm(y) * norm(s) * torch.finfo(y.dtype).eps]).tolist()
    # The Wolfe conditions make y·s positive; what is left otherwise is a search that ran out, or round-off.
    if not (ys > smallest and yw > 0):
        return
    # s·H⁻¹s needs no inverse: H⁻¹s = -α g.
    b, h = -(end.step**2) * here.slope / ys, yw / ys
    tau, phi = _broyden(b, h, len(s), first=not state["updates"]) if update == "broyden" else (min(1.0, 1 / b), 1.0)
    pair = torch.stack([s, w])
    cross = -phi / (tau * ys)
    core = y.new_tensor([[phi * h / (tau * ys) + 1 / ys, cross], [cross, (phi - 1) / (tau * yw)]])
    torch.addmm(inverse, pair.T, core @ pair, beta=1 / tau, out=inverse)
    state["updates"] += 1


def _broyden(b: float, h: float, parameters: int, *, first: bool) -> tuple[float, float]:
    """Return τ and φ of SSBroyden; the first update scales the identity to the curvature seen."""
    # b h ≥ 1 by Cauchy and Schwarz; where both are equal there is nothing to choose, and no division by zero.
    a = max(b * h - 1, EPSILON)
    # h (1 - √(a / (1 + a))), written so that nothing cancels.
    rho = min(1.0, h / ((1 + a) * (1 + math.sqrt(a / (1 + a)))))
    theta = max((rho - 1) / a, min(1 / rho, (1 - b) / b))
    sigma = 1 + theta * a
    phi = (1 - theta) / sigma
    if first:
        return h / sigma, phi
    root = sigma ** (1 / (1 - max(parameters, 2)))
    tau = min(root * min(1.0, 1 / b), sigma) if theta <= 0 else min(1.0, 1 / b) * min(root, 1 / theta)
    return tau, phi


EPSILON = 1e-16
"""Stands for zero beside one."""
