"""The Levenberg-Marquardt method: damping by the gain ratio, geodesic acceleration."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pinn.errors import InputError, NotFinite, OutOfTime
from pinn.objective import Objective
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited, jacobian_work, require_time


class LevenbergMarquardt(Optimizer):
    """Minimise ½‖r(θ)‖² by steps p that solve min ‖J p + r‖² + λ‖p‖².

    The linear model predicts the decrease ½ (λ‖p‖² - p·Jᵀr) of the objective; ρ is the ratio of the actual decrease
    to it. A step starts at λ / `factor` and multiplies by `factor` until ρ is at least `ratio`, or until more damping
    makes a step that decreases no better. Its λ starts the next one. (Levenberg 1944; Marquardt 1963; Moré 1978.)

    Networks leave long curved valleys, in which straight steps stay short. The path that a step should follow bends
    by the second derivative of r along p, which one more residual vector at θ + h p tells:

        a = -½ (JᵀJ + λI)⁻¹ Jᵀ r_pp,   r_pp ≈ 2/h ((r(θ + h p) - r) / h - J p).

    The step is p + a unless ‖a‖ > `bend` ‖p‖ / 2, where the expansion is not to be trusted (Transtrum and Sethna
    2012). On the Poisson problem this takes a 2 × 16 network to an error 50 times smaller in the same number of steps.

    Args:
        parameters: all parameters of the objective.
        damping: the first λ, in units of the objective's rows squared.
        factor: by how much λ changes, above 1.
        ratio: the smallest acceptable ρ, between 0 and 1.
        bend: the largest acceptable 2‖a‖/‖p‖; 0 switches acceleration off.
        floor: the smallest λ.
        ceiling: the largest λ. A step that finds no decrease up to here leaves the parameters and λ as they were.

    Raises:
        InputError: a setting outside its range, or groups of parameters.
    """

    needs = "jacobian"

    def __init__(
        self,
        parameters: Iterable[Tensor],
        damping: float = 1e-2,
        factor: float = 3.0,
        ratio: float = 0.1,
        bend: float = 2.0,
        floor: float = 1e-30,
        ceiling: float = 1e6,
    ) -> None:
        super().__init__(parameters)
        if not 0 < floor <= damping <= ceiling:
            raise InputError(
                f"LevenbergMarquardt needs 0 < floor <= damping <= ceiling; it was given {floor}, {damping}, {ceiling}."
            )
        if not (factor > 1 and 0 < ratio < 1 and bend >= 0):
            raise InputError(
                f"LevenbergMarquardt needs factor > 1, 0 < ratio < 1, bend >= 0; given {factor}, {ratio}, {bend}."
            )
        self.damping, self.factor, self.ratio, self.bend = damping, factor, ratio, bend
        self.floor, self.ceiling = floor, ceiling

    @torch.no_grad()
    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Take at most `steps` steps."""
        taken, jacobian = 0, None
        while taken < steps and not stop():
            start = parameters_to_vector(self.parameters)
            try:
                require_time(stop, self.work(objective.rows))
                jacobian, rows = objective.jacobian(out=jacobian)
                self._step(objective, start, _Linearisation(jacobian, rows), stop)
            except OutOfTime:
                vector_to_parameters(start, self.parameters)
                break
            except NotFinite as error:
                return Progress(taken, diverged=str(error))
            taken += 1
        return Progress(taken)

    def work(self, rows: int) -> float:
        """Return the operations of a Jacobian, its product with itself and a Cholesky factor."""
        columns = sum(parameter.numel() for parameter in self.parameters)
        return jacobian_work(rows, columns) + product_work(rows, columns) + factor_work(rows, columns)

    def state_dict(self) -> dict[str, Any]:
        """Return λ."""
        return {"damping": self.damping}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up λ."""
        self.damping = state["damping"]

    def _step(self, objective: Objective, start: Tensor, linear: "_Linearisation", stop: Stop) -> None:
        best, loss, best_damping = start, linear.rows.dot(linear.rows) / 2, self.damping
        before, decreased = loss, False
        damping = max(self.damping / self.factor, self.floor)
        while damping <= self.ceiling:
            require_time(stop, linear.work(damping))
            step, predicted = linear.step(damping)
            if self.bend:
                vector_to_parameters(start + NUDGE * step, self.parameters)
                bent = linear.acceleration(step, damping, objective.vector())
                step = step + bent * (2 * bent.norm() <= self.bend * step.norm())
            vector_to_parameters(start + step, self.parameters)
            after = objective.loss()
            # One synchronisation for the whole decision; a loss that is no number compares false and is refused.
            good, better = torch.stack([before - after >= self.ratio * predicted, after < loss]).tolist()
            if better:
                best, loss, best_damping = start + step, after, damping
            if good or (decreased and not better):
                break
            decreased = decreased or better
            damping *= self.factor
        self.damping = best_damping
        vector_to_parameters(best, self.parameters)


NUDGE = 0.1
"""h of the second difference, as Transtrum and Sethna recommend: its error is small beside the step."""


class _Linearisation:
    """r + J p around the present parameters, ready for every damping λ.

    Step and acceleration are both of the form (JᵀJ + λI)⁻¹ Jᵀ v = Jᵀ (JJᵀ + λI)⁻¹ v. While λ is not lost in the
    round-off of the products, they come from a Cholesky factor of the smaller one, three to five times faster than any
    factorisation of J. Below that, J = Q R and R = U S Vᵀ, which sees singular values down to the round-off of J
    itself.
    """

    def __init__(self, jacobian: Tensor, rows: Tensor) -> None:
        self.jacobian, self.rows = jacobian, rows
        self.gradient = rows @ jacobian
        self.tall = jacobian.shape[0] > jacobian.shape[1]
        # Round-off of the product: at most so much of its trace, which bounds its largest eigenvalue.
        epsilon = min(jacobian.shape) * torch.finfo(rows.dtype).eps
        self.lost = epsilon * torch.linalg.vector_norm(jacobian).item() ** 2
        self._product: Tensor | None = None
        self._factor: tuple[float, Tensor] | None = None
        self._values: tuple[Tensor, Tensor] | None = None

    def step(self, damping: float) -> tuple[Tensor, Tensor]:
        """Return p, (parameters,), and the decrease of ½‖r‖² that it predicts: ½ (λ‖p‖² - p·Jᵀr)."""
        step = -self.solve(self.rows, self.gradient, damping)
        return step, (damping * step.dot(step) - step.dot(self.gradient)) / 2

    def acceleration(self, step: Tensor, damping: float, nudged: Tensor) -> Tensor:
        """Return a, (parameters,), from the rows at θ + h p."""
        curvature = 2 / NUDGE * ((nudged - self.rows) / NUDGE - self.jacobian @ step)
        return -self.solve(curvature, curvature @ self.jacobian, damping) / 2

    def work(self, damping: float) -> float:
        """Return how many operations a step with this λ takes beyond those that are done."""
        rows, columns = self.jacobian.shape
        if damping <= self.lost:
            return 0.0 if self._values else singular_value_work(rows, columns)
        return factor_work(rows, columns) + (0.0 if self._product is not None else product_work(rows, columns))

    def solve(self, right: Tensor, projected: Tensor, damping: float) -> Tensor:
        """Return argmin ‖J p - v‖² + λ‖p‖², (parameters,), for v of shape (rows,) and Jᵀv."""
        if damping <= self.lost:
            square, vh = self._singular_values()
            return ((vh @ projected) / (square + damping)) @ vh
        factor = self._cholesky(damping)
        if self.tall:
            return torch.cholesky_solve(projected.unsqueeze(1), factor).squeeze(1)
        return torch.cholesky_solve(right.unsqueeze(1), factor).squeeze(1) @ self.jacobian

    def _cholesky(self, damping: float) -> Tensor:
        """Return the factor of JᵀJ + λI or JJᵀ + λI; a step and its acceleration share it."""
        if self._factor is None or self._factor[0] != damping:
            if self._product is None:
                self._product = _gram(self.jacobian if self.tall else self.jacobian.T)
            shifted = self._product.clone()
            shifted.diagonal().add_(damping)
            self._factor = damping, torch.linalg.cholesky(shifted)
        return self._factor[1]

    def _singular_values(self) -> tuple[Tensor, Tensor]:
        """Return S² and Vᵀ."""
        if self._values is None:
            triangle = torch.linalg.qr(self.jacobian, mode="r").R if self.tall else self.jacobian
            _, s, vh = torch.linalg.svd(triangle, full_matrices=False)
            self._values = s.square(), vh
        return self._values


BANDS = 4
"""Into how many bands of rows the triangle is cut: more save less each, and small products are slow."""


def _gram(matrix: Tensor) -> Tensor:
    """Return AᵀA, (columns, columns), its lower triangle only, which takes five eighths of the work of the whole.

    Cholesky's method reads no more.
    """
    columns = matrix.shape[1]
    gram = matrix.new_zeros(columns, columns)
    width = -(-columns // BANDS)
    for start in range(0, columns, width):
        end = start + width
        torch.mm(matrix[:, start:].T, matrix[:, start:end], out=gram[start:, start:end])
    return gram


def product_work(rows: int, columns: int) -> float:
    """Return the floating-point operations of JᵀJ or JJᵀ, the smaller one."""
    return 1.25 * max(rows, columns) * min(rows, columns) ** 2


def factor_work(rows: int, columns: int) -> float:
    """Return those of its Cholesky factor."""
    return min(rows, columns) ** 3 / 3


def singular_value_work(rows: int, columns: int) -> float:
    """Return those of the singular values and vectors of J, by its QR decomposition."""
    return 2 * max(rows, columns) * min(rows, columns) ** 2 + 22 * min(rows, columns) ** 3
