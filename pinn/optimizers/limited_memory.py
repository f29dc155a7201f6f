"""L-BFGS with a long memory, self-scaled."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from pinn.errors import InputError
from pinn.optimizers.line_search import Trial
from pinn.optimizers.quasi_newton import QuasiNewton

NUMBERS = 4_000_000
"""Of the steps that are kept where nobody says how many: 32 MB, and as much again for the differences of gradients."""
FEWEST = 20
"""Pairs that are kept of any network, where nobody says how many."""
FORGOTTEN = 20
"""One of so many pairs is forgotten at a time, the oldest ones."""


class SelfScaledLBFGS(QuasiNewton):
    """Minimise f by steps s = -α H g, with H the self-scaled update of BFGS from the last pairs of s and y = Δg.

    With ρ = 1 / y·s, b = s·H⁻¹s / y·s and τ = min(1, 1/b) each pair updates

        H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) / τ + ρ s sᵀ,

    beginning with a multiple of the identity. H is not kept but applied, from the matrices S and Y whose columns are
    the pairs. With R the upper triangle of SᵀY, D its diagonal, and p = R⁻¹Sᵀg,

        H g = γ u + S R⁻ᵀ (C D p - γ Yᵀu),    u = g - Y p,

    where γ and C hold the products of 1/τ that have come since (Byrd, Nocedal and Schnabel 1994 for τ = 1; Al-Baali
    1999 for τ). τ shrinks eigenvalues of the Hessian that have fallen since they were seen, which BFGS itself forgets
    slowly: the loss of a network loses a factor of 10¹⁰, and its curvature with it.

    A memory as long as there are parameters is what makes it fast: with a fifth of that it is hardly better than L-BFGS
    without scaling. An iteration costs one or two gradients and four passes over the pairs.

    Args:
        parameters: all parameters of the objective.
        history: how many pairs are kept, 2 P numbers each. None takes as many as there are parameters, but no
            more than `NUMBERS` numbers of either matrix.
        decrease: c₁ of the strong Wolfe conditions.
        curvature: c₂ of the strong Wolfe conditions.
        evaluations: the most evaluations of the objective in a line search.

    Raises:
        InputError: a setting outside its range, or groups of parameters.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        history: int | None = None,
        decrease: float = 1e-4,
        curvature: float = 0.9,
        evaluations: int = 25,
    ) -> None:
        super().__init__(parameters, decrease, curvature, evaluations)
        if history is not None and (isinstance(history, bool) or not isinstance(history, int) or history < 1):
            raise InputError(f"SelfScaledLBFGS needs a history of at least 1 or null; it was given {history!r}.")
        count = sum(parameter.numel() for parameter in self.parameters)
        self.history = history or max(min(count, NUMBERS // count), FEWEST)

    def reset(self, position: Tensor) -> None:
        """Forget all pairs."""
        empty = position.new_empty(0, len(position))
        self.state |= {"updates": 0, "steps": empty, "changes": empty, "products": position.new_empty(0, 0)}
        self.state |= {"scales": position.new_empty(0), "start": 1.0}

    def times(self, gradient: Tensor) -> Tensor:
        """Return H g."""
        state = self.state
        # Rows of `steps` and `changes` are the pairs, oldest first.
        s, y, products, start = state["steps"], state["changes"], state["products"], state["start"]
        p = torch.linalg.solve_triangular(products, (s @ gradient).unsqueeze(1), upper=True)
        u = gradient - y.T @ p.squeeze(1)
        inside = (state["scales"] * products.diagonal()).unsqueeze(1) * p - start * (y @ u).unsqueeze(1)
        return start * u + s.T @ torch.linalg.solve_triangular(products.T, inside, upper=False).squeeze(1)

    def update(self, here: Trial, end: Trial, direction: Tensor) -> None:
        """Append a pair."""
        state = self.state
        s, y = end.step * direction, end.gradient - here.gradient
        norm = torch.linalg.vector_norm
        ys, yy, smallest = torch.stack([y.dot(s), y.dot(y), norm(y) * norm(s) * torch.finfo(y.dtype).eps]).tolist()
        # The Wolfe conditions make y·s positive; what is left otherwise is a search that ran out, or round-off.
        if not ys > smallest:
            return
        if state["updates"] == 0:
            # The identity knows no scale; the first pair does.
            state["start"] = ys / yy
        else:
            # s·H⁻¹s needs no inverse: H⁻¹s = -α g.
            tau = min(1.0, -ys / (end.step**2 * here.slope))
            state["scales"], state["start"] = state["scales"] / tau, state["start"] / tau
        state["steps"] = torch.cat([state["steps"], s.unsqueeze(0)])
        state["changes"] = torch.cat([state["changes"], y.unsqueeze(0)])
        column = (state["steps"] @ y).unsqueeze(1)
        below = column.new_zeros(1, len(column) - 1)
        state["products"] = torch.cat([torch.cat([state["products"], below]), column], dim=1)
        state["scales"] = torch.cat([state["scales"], column.new_ones(1)])
        state["updates"] += 1
        if len(state["steps"]) > self.history:
            self._forget(math.ceil(self.history / FORGOTTEN))

    def _forget(self, pairs: int) -> None:
        """Drop the oldest pairs."""
        state = self.state
        for name in ("steps", "changes", "scales"):
            state[name] = state[name][pairs:]
        state["products"] = state["products"][pairs:, pairs:]
        # Directions of none of the pairs are scaled with every update, without an end. They never get beyond all pairs.
        longest = state["scales"] * state["steps"].square().sum(dim=1) / state["products"].diagonal()
        state["start"] = min(state["start"], longest.max().item())

    def work(self, rows: int) -> float:
        """Return the operations of four passes over the pairs and of two over their products, whatever the rows are."""
        count = sum(parameter.numel() for parameter in self.parameters)
        return 8.0 * self.history * count + 2.0 * self.history**2
