"""Newton's method in slabs of time whose lengths are controlled, as an integrator controls its steps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.errors import InputError, NotFinite, OutOfTime
from pinn.marching import Marching
from pinn.networks import Marched
from pinn.objective import Objective
from pinn.optimizers.least_squares import LeastSquares, step_work
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited
from pinn.problems.linearity import field_scales
from pinn.relative import relative_residuals
from pinn.weighting import Fixed

ROWS_PER_UNKNOWN = 3
"""Of a slab. The points are those of the training, or as many of them."""
NEWTON_STEPS = 12
"""Of a slab, at most. One that converges takes three to six."""
ORDER, SAFETY, LEAST, MOST = 12, 0.8, 0.2, 2.0
"""The residual of a slab is taken to grow as this power of its length, and the next one is as long as the tolerance
allows then, times a safety; by these factors shorter or longer at most."""
SHORTEST = 1e-12
"""Of all time. So short a slab adds less than the tolerance where a source jumps in it."""
FRESH_POINTS = 60
"""At which the residuals of a slab are looked at: others than those of its solve."""
SMALLEST = 1e-9
"""Of the size that conditions and sources ask of a field. What is smaller is not resolved relative to itself."""
FINEST = 1e3
"""Round-offs, relative, that no tolerance is below."""
ROUND_OFF = 1e-16
"""Of a residual; there is no less."""
CONVERGED = 1e-12
"""Relative step of the lines that a first slab begins with, after which there is no other one."""


class March(Optimizer):
    """Solves a `pinn.marching.Marching` model over `pinn.networks.Marched`, slab after slab, to a tolerance.

    A slab is solved by Gauss-Newton steps for its sines. It is kept where the residuals at fresh points, relative to
    their answers to changes of the fields within the slab, are at most the tolerance; else it is tried again, shorter.
    How far they are below it says how long the next one is. An iteration is one trial of a slab.

    Nothing here depends on a clock: a slow machine finds the same slabs later.

    Args:
        parameters: those of the slab in progress.
        tolerance: the largest relative residual of a slab; where it is less, a thousand round-offs of the precision.

    Raises:
        InputError: a tolerance that is not between 0 and 1.
    """

    needs: ClassVar[Literal["gradient", "jacobian"]] = "jacobian"
    keeps_last = True

    def __init__(self, parameters: Iterable[Tensor], tolerance: float = 1e-9) -> None:
        super().__init__(parameters)
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
            raise InputError(f"March: tolerance must be a number between 0 and 1; it was given {tolerance!r}.")
        self.tolerance = tolerance
        self.newton = LeastSquares(self.parameters)

    @torch.no_grad()
    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Try at most `steps` slabs."""
        march = _March(objective, self)
        taken, reason = 0, march.why_it_ends()
        while taken < steps and reason is None and not stop():
            try:
                reason = march.try_slab(stop)
            except OutOfTime:
                break
            taken += 1
        march.look_back()
        return Progress(taken, reason)

    def work(self, rows: int) -> float:
        """Return the operations of one solve of a slab."""
        columns = sum(parameter.numel() for parameter in self.parameters)
        return step_work(ROWS_PER_UNKNOWN * columns, columns)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: slabs and their lengths are buffers of the network."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up nothing."""


class _March:
    """What a run works on: a model, its points and its slabs."""

    def __init__(self, objective: Objective, optimizer: March) -> None:
        self.whole, model = objective, objective.model
        if not (isinstance(model, Marching) and isinstance(model.slabs, Marched)):
            raise InputError("March marches through the slabs of pinn.networks.Marched; choose network=marched.")
        self.model, self.slabs = model, model.slabs
        self.newton = optimizer.newton
        self.tolerance = max(optimizer.tolerance, FINEST * torch.finfo(self.slabs.weights.dtype).eps)
        # No more points than a slab needs.
        needed = ROWS_PER_UNKNOWN * self.slabs.weights.shape[1]
        some = {
            name: {key: values[:needed] for key, values in group.items()} for name, group in objective.points.items()
        }
        self.objective = Objective(model, some, objective.weighting)
        generator = torch.Generator().manual_seed(0)
        self.fresh: dict[str, Points] = {
            name: {
                key: values.to(self.slabs.weights) for key, values in region.scattered(FRESH_POINTS, generator).items()
            }
            for name, region in self._regions().items()
        }
        scales = field_scales(model.problem.copied())
        self.smallest = {name: SMALLEST * max(found) for name, found in scales.items()}

    def _regions(self) -> dict[str, Any]:
        constraints = self.model.problem.constraints()
        return {name: each.region for name, each in constraints.items() if name not in self.model.initial}

    def why_it_ends(self) -> str | None:
        """Return why there is no further slab to try; None if there is one."""
        if self.slabs.is_complete:
            return "the end of time is reached"
        return f"{len(self.slabs)} slabs are all that there may be" if self.slabs.is_full else None

    def try_slab(self, stop: Stop) -> str | None:
        """Solve the slab in progress, keep it or begin a shorter one, and return why it ends, if it does.

        Raises:
            OutOfTime: there was no time for it; everything is as before.
        """
        self.model.select("slab", None)
        weights = self.slabs.weights
        begun = weights.clone()
        start, end = self.slabs.interval(len(self.slabs))
        try:
            left = self._left() if self._solve(stop) else math.inf
        except OutOfTime:
            weights.copy_(begun)
            raise
        length = (end - start) * min(max(SAFETY * (self.tolerance / left) ** (1 / ORDER), LEAST), MOST)
        if left <= self.tolerance:
            self.slabs.accept()
            if self.slabs.is_complete:
                return self.why_it_ends()
        self.slabs.begin(length)
        self.model.select("slab", None)
        if length < 2 * SHORTEST:
            return f"no slab is so short that it leaves less than {self.tolerance:g}"
        return self.why_it_ends()

    def look_back(self) -> None:
        """Choose the last slab that is known, and leave its residuals as those of the objective."""
        self.slabs.select(max(0, len(self.slabs) - 1))
        self.whole.loss()

    def _solve(self, stop: Stop) -> bool:
        """Solve the slab in progress; False where that is impossible.

        Raises:
            OutOfTime: there was no time for it.
        """
        weights = self.slabs.weights
        try:
            if not len(self.slabs):
                meet_initial_conditions(self.model, self.objective.points)
            self.objective.weighting.adapt(self.objective.jacobian_by_residual)
        except NotFinite:
            return False
        for _ in range(NEWTON_STEPS):
            before = weights.clone()
            taken, reason, diverged = self.newton.run(self.objective, 1, stop)
            if diverged:
                return False
            if not taken:
                raise OutOfTime
            if reason or torch.equal(before, weights):
                break
        return True

    def _left(self) -> float:
        """Return the largest relative residual of the slab in progress at fresh points."""
        points = {name: self.model.place(group) for name, group in self.fresh.items()}
        together = {
            name: torch.cat([group[name] for group in points.values()]) for name in self.model.problem.coordinates
        }
        sizes = {
            name: max(values.square().mean().sqrt().item(), self.smallest[name])
            for name, values in self.model.fields(together).items()
        }
        within = {self.model.time: self.model.interval(self.slabs.in_progress)}
        found = [
            max(each.relative, ROUND_OFF) for each in relative_residuals(self.model, points, sizes, within).values()
        ]
        return max((math.inf if math.isnan(value) else value for value in found), default=ROUND_OFF)


@torch.no_grad()
def meet_initial_conditions(model: Marching, points: Mapping[str, Points]) -> None:
    """Begin the first slab with straight lines that meet the initial conditions: Newton's method with least steps.

    Args:
        model: over `pinn.networks.Marched`.
        points: of every constraint, by its name.
    """
    initial = {name: group for name, group in points.items() if name in model.initial}
    if not initial or not isinstance(model.slabs, Marched):
        return
    model.select("slab", None)
    weights = model.slabs.weights
    objective, lines = Objective(model, initial, Fixed()), weights[:, :2]
    for _ in range(NEWTON_STEPS):
        jacobian, rows = objective.jacobian()
        step = (torch.linalg.pinv(jacobian.unflatten(1, weights.shape)[:, :, :2].flatten(1)) @ -rows).reshape(
            lines.shape
        )
        lines += step
        if torch.linalg.vector_norm(step) <= CONVERGED * torch.linalg.vector_norm(lines):
            return
