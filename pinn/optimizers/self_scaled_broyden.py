"""Quasi-Newton methods with a dense inverse Hessian that is rescaled at every step: SSBroyden and SSBFGS."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from pinn.errors import InputError
from pinn.optimizers.line_search import Trial, strong_wolfe


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
        params: all parameters of the objective.
        update: `broyden` or `bfgs`.
        max_iter: iterations in a call of `step`, as for torch's L-BFGS.
        decrease: c₁ of the strong Wolfe conditions.
        curvature: c₂ of the strong Wolfe conditions.
        evaluations: the most evaluations of the objective in a line search.

    `reason` says why the last call took fewer iterations than `max_iter`; None if it took them all.

    Raises:
        InputError: a setting outside its range, more than one parameter group, or a `step` without a closure.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        update: str = "broyden",
        max_iter: int = 20,
        decrease: float = 1e-4,
        curvature: float = 0.9,
        evaluations: int = 25,
    ) -> None:
        if update not in ("broyden", "bfgs"):
            raise InputError(f"SelfScaledBroyden's update is broyden or bfgs; it was given {update!r}.")
        if not 0 < decrease < curvature < 1:
            raise InputError(
                f"SelfScaledBroyden needs 0 < decrease < curvature < 1; it was given {decrease}, {curvature}."
            )
        if max_iter < 1 or evaluations < 1:
            raise InputError(
                f"SelfScaledBroyden needs max_iter and evaluations of at least 1; it was given {max_iter}, "
                f"{evaluations}."
            )
        search = {"decrease": decrease, "curvature": curvature, "evaluations": evaluations}
        super().__init__(params, {"update": update, "max_iter": max_iter, **search})
        if len(self.param_groups) != 1:
            raise InputError("SelfScaledBroyden takes one parameter group: all parameters share one Hessian.")
        self.reason: str | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        """Take at most `max_iter` iterations and return the loss after them, of shape ().

        Args:
            closure: sets the gradients and returns the loss, as a pinn Objective does.
        """
        if closure is None:
            raise InputError("SelfScaledBroyden.step() needs a closure that sets gradients and returns the loss.")
        [group] = self.param_groups
        parameters: list[Tensor] = group["params"]
        state: dict[str, Any] = self.state[parameters[0]]
        start = parameters_to_vector(parameters)
        if not state:
            state |= {
                "n_iter": 0,
                "updates": 0,
                "inverse": torch.eye(len(start), dtype=start.dtype, device=start.device),
            }
        _mend(state)

        position, direction = start, torch.zeros_like(start)

        def trial(step: float) -> Trial:
            vector_to_parameters(position + step * direction, parameters)
            return _evaluate(closure, parameters, direction, step)

        here, last = trial(0.0), state["n_iter"] + group["max_iter"]
        self.reason = None if math.isfinite(here.value) else f"the loss is {here.value}"
        while self.reason is None and state["n_iter"] < last:
            if not here.gradient.any():
                self.reason = "the gradient is zero"
                break
            direction = -(state["inverse"] @ here.gradient)
            slope = direction.dot(here.gradient).item()
            # The identity knows no scale: the first step changes all parameters together by at most one.
            length = 1.0 if state["updates"] else 1 / max(1.0, here.gradient.abs().sum().item())
            end = here = replace(here, step=0.0, slope=slope)
            if slope < 0:
                end = strong_wolfe(trial, here, length, group["decrease"], group["curvature"], group["evaluations"])
            if end.value < here.value:
                state["n_iter"] += 1
                _update(state, here, end, direction, group["update"])
                position = position + end.step * direction
                here = end
            elif state["updates"]:
                _reset(state)
            else:
                self.reason = "the line search finds no decrease along the gradient"
        vector_to_parameters(position, parameters)
        return start.new_tensor(here.value)


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
