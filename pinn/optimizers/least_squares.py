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
    their null space; where QR finds them dependent to the last bit, the singular value decomposition is used.

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


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Return argmin ‖A p - b‖², (columns,), for a tall matrix of shape (rows, columns)."""
    solution = torch.linalg.lstsq(matrix, right.unsqueeze(1), driver="gels").solution.squeeze(1)
    if torch.isfinite(solution).all():
        return solution
    # CUDA knows only the driver above; there the decomposition is written out.
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    kept = s > s[0] * max(matrix.shape) * torch.finfo(s.dtype).eps
    return (torch.where(kept, right @ u / s, 0)) @ vh
