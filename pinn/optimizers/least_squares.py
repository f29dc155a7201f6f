"""The Gauss-Newton method with full steps from one least-squares solve: exact where residuals are linear."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from pinn.errors import InputError
from pinn.objective import Objective


class LeastSquares(Optimizer):
    """θ ← θ + α p with p = argmin ‖J p + r‖², α the first of 1, ½, ¼, … that lowers ½‖r‖².

    Where the residuals are linear in θ, as for the output layer of a network on a linear equation, one step is the
    solution, and a second one its iterative refinement. The solve is a Householder QR of J: no JᵀJ, whose condition
    number is that of J squared, and no cut of small singular values, which random features need (on the wave
    equation, cutting at 1e-15 costs four digits). Columns that depend on each other leave a large but harmless p in
    their null space; where it is so large that its round-off is seen, the singular value decomposition is used.

    Args:
        params: all parameters of the objective.
        halvings: how often α is halved before the step is given up.

    Raises:
        InputError: fewer rows than parameters, more than one parameter group, or a `step` without an objective.
    """

    def __init__(self, params: Iterable[Tensor], halvings: int = 10) -> None:
        super().__init__(params, {"halvings": halvings})
        if len(self.param_groups) != 1:
            raise InputError("LeastSquares takes one parameter group: all parameters share one linear system.")
        self._jacobian: Tensor | None = None

    @torch.no_grad()
    def step(self, objective: Any = None) -> Tensor:  # type: ignore[override]
        """Take one step and return the objective after it, of shape ()."""
        if not isinstance(objective, Objective):
            raise InputError("LeastSquares.step() needs a pinn Objective: it uses the residuals, not just the loss.")
        [group] = self.param_groups
        parameters = group["params"]
        start = parameters_to_vector(parameters)
        self._jacobian, rows = objective.jacobian(out=self._jacobian)
        if self._jacobian.shape[0] < self._jacobian.shape[1]:
            raise InputError(
                f"least squares needs at least as many rows as parameters; there are {self._jacobian.shape[0]} rows "
                f"for {self._jacobian.shape[1]} parameters. Raise points, or lower network.features."
            )
        before = rows.dot(rows) / 2
        step = solve(self._jacobian, -rows)
        for halving in range(group["halvings"] + 1):
            vector_to_parameters(start + 0.5**halving * step, parameters)
            after = objective.loss()
            if after < before:
                return after
        vector_to_parameters(start, parameters)
        return before


LOST = 1e-2
"""ε ‖A‖ ‖x‖ / ‖b‖ above which a solution has lost itself in round-off: dependent columns that cancel each other."""


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Return argmin ‖A x - b‖², (columns,), for A of at least as many rows as columns, by QR without pivoting.

    Where columns depend on each other to the last bit, that breaks down or leaves nothing but round-off. Then a column
    of zeros has x = 0, and singular values below the round-off of A count as zeros, if A x comes closer to b so.
    """
    solution = _by_qr(matrix, right)
    harm = torch.finfo(right.dtype).eps * torch.linalg.vector_norm(matrix) * torch.linalg.vector_norm(solution)
    if harm <= LOST * torch.linalg.vector_norm(right):
        return solution
    used = matrix.any(dim=0)
    if not used.all():
        result = torch.zeros_like(solution)
        if used.any():
            result[used] = solve(matrix[:, used], right)
        return result
    other = _by_singular_values(matrix, right)
    # A comparison with what is not finite is false.
    return solution if _misfit(matrix, solution, right) < _misfit(matrix, other, right) else other


def _by_qr(matrix: Tensor, right: Tensor) -> Tensor:
    """Return the solution, or what is not finite where QR breaks down."""
    try:
        return torch.linalg.lstsq(matrix, right.unsqueeze(1), driver="gels").solution.squeeze(1)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # So it says on the CPU; a GPU divides by zero.
        return torch.full_like(matrix[0], torch.nan)


def _by_singular_values(matrix: Tensor, right: Tensor) -> Tensor:
    """Return the shortest solution, without what singular values below round-off add to it."""
    columns = matrix.shape[1]
    triangle = torch.linalg.qr(torch.cat([matrix, right.unsqueeze(1)], dim=1), mode="r").R[:columns]
    u, s, vh = torch.linalg.svd(triangle[:, :columns])
    kept = s > s[0] * max(matrix.shape) * torch.finfo(s.dtype).eps
    return torch.where(kept, triangle[:, columns] @ u / s, 0) @ vh


def _misfit(matrix: Tensor, solution: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.vector_norm(matrix @ solution - right)
