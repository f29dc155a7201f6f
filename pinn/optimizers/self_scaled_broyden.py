"""Quasi-Newton methods with a dense inverse Hessian that is rescaled at every step: SSBroyden and SSBFGS."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pinn.errors import InputError
from pinn.optimizers.line_search import Trial
from pinn.optimizers.quasi_newton import QuasiNewton


class SelfScaledBroyden(QuasiNewton):
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

    def __init__(
        self,
        parameters: Iterable[Tensor],
        update: str = "broyden",
        decrease: float = 1e-4,
        curvature: float = 0.9,
        evaluations: int = 25,
    ) -> None:
        super().__init__(parameters, decrease, curvature, evaluations)
        if update not in ("broyden", "bfgs"):
            raise InputError(f"SelfScaledBroyden's update is broyden or bfgs; it was given {update!r}.")
        self.form = update

    def reset(self, position: Tensor) -> None:
        """H ← I."""
        inverse = torch.eye(len(position), dtype=position.dtype, device=position.device)
        self.state |= {"updates": 0, "inverse": inverse}

    def times(self, gradient: Tensor) -> Tensor:
        """Return H g."""
        if self.state["n_iter"] % MENDED == 0:
            self._mend(gradient)
        inverse: Tensor = self.state["inverse"]
        return inverse @ gradient

    def update(self, here: Trial, end: Trial, direction: Tensor) -> None:
        """H ← the formula of the class, a change of rank two, in place."""
        _update(self.state, here, end, direction, self.form)

    def work(self, rows: int) -> float:
        """Return the operations of two passes over H, whatever the rows are."""
        return 4.0 * sum(parameter.numel() for parameter in self.parameters) ** 2

    def _mend(self, like: Tensor) -> None:
        """Take the round-off of many updates out of H: make it symmetric, and the identity if it is not positive."""
        inverse: Tensor = self.state["inverse"]
        inverse.copy_((inverse + inverse.T) / 2)
        if torch.linalg.cholesky_ex(inverse).info.item():
            self.reset(like)


MENDED = 100
"""After so many iterations the round-off of updates is taken out of H."""


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
