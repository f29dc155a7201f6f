"""The Gauss-Newton method with full steps from one least-squares solve: exact where residuals are linear."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pinn.errors import InputError, NotFinite, OutOfTime
from pinn.objective import Objective
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited, jacobian_work, require_time


class LeastSquares(Optimizer):
    """θ ← θ + α p with p = argmin ‖J p + r‖², α the first of 1, ½, ¼, … that lowers ½‖r‖².

    Where the residuals are linear in θ, as for the output layer of a network on a linear equation, one step is the
    solution. That is not taken on trust: the residuals after a step are compared with J p + r, which linear ones would
    be. Where they differ by more than a hundredth of what is left, and by more than round-off, a further step helps.
    The solve is a Householder QR of J: no JᵀJ, whose condition
    number is that of J squared, and no cut of small singular values, which random features need (on the wave
    equation, cutting at 1e-15 costs four digits). Columns that depend on each other leave a large but harmless p in
    their null space; where it is so large that its round-off is seen, the singular value decomposition is used.

    A solve cannot be interrupted. One that has no time is not begun.

    Args:
        parameters: all parameters of the objective.
        halvings: how often α is halved before the step is given up.

    Raises:
        InputError: fewer rows than parameters, or groups of parameters.
    """

    needs = "jacobian"

    def __init__(self, parameters: Iterable[Tensor], halvings: int = 10) -> None:
        super().__init__(parameters)
        self.halvings = halvings

    @torch.no_grad()
    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` steps."""
        taken, reason = 0, None
        while taken < steps and reason is None and not stop():
            start = parameters_to_vector(self.parameters)
            try:
                reason = self._step(objective, start, stop)
            except OutOfTime:
                vector_to_parameters(start, self.parameters)
                break
            except NotFinite as error:
                return Progress(taken, diverged=str(error))
            taken += 1
        return Progress(taken, reason)

    def work(self, rows: int) -> float:
        """Return the operations of a Jacobian and of its decomposition."""
        return step_work(rows, sum(parameter.numel() for parameter in self.parameters))

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: a step depends on the parameters alone."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up nothing."""

    def _step(self, objective: Objective, start: Tensor, stop: Stop) -> str | None:
        """Take a step, and return why a further one cannot help; None where it can."""
        count, columns = objective.rows, len(start)
        if count < columns:
            raise InputError(
                f"least squares needs at least as many rows as parameters; there are {count} rows for {columns} "
                f"parameters. Raise points, or lower network.features."
            )
        require_time(stop, self.work(count))
        jacobian, rows = objective.jacobian()
        require_time(stop, solve_work(count, columns))
        before = rows.dot(rows) / 2
        step = solve(jacobian, -rows)
        for halving in range(self.halvings + 1):
            vector_to_parameters(start + 0.5**halving * step, self.parameters)
            if objective.loss() < before:
                return self._why_it_ends(jacobian, rows, step, objective.vector()) if halving == 0 else None
            require_time(stop)
        vector_to_parameters(start, self.parameters)
        return None

    def _why_it_ends(self, jacobian: Tensor, rows: Tensor, step: Tensor, after: Tensor) -> str | None:
        """Return why no step helps where the residuals are nearly J p + r: the rest is all that can be gained."""
        norm = torch.linalg.vector_norm
        predicted = torch.addmv(rows, jacobian, step)
        round_off = ROUND_OFF * torch.finfo(rows.dtype).eps * (norm(jacobian) * norm(step) + norm(rows))
        gain = norm(after - predicted)
        if gain > torch.maximum(LITTLE * norm(after), round_off):
            return None
        return "the residuals are what linear ones would be"


def step_work(rows: int, columns: int) -> float:
    """Return the floating-point operations of a Jacobian and its decomposition."""
    return jacobian_work(rows, columns) + solve_work(rows, columns)


def solve_work(rows: int, columns: int) -> float:
    """Return the floating-point operations of a decomposition A = Q R, and little more."""
    return 2 * columns**2 * (rows - columns / 3)


LITTLE = 1e-2
"""Of what is left, that no further step is taken for."""
ROUND_OFF = 100
"""How many times ε (‖J‖ ‖p‖ + ‖r‖) is the round-off of J p + r, at most."""
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
