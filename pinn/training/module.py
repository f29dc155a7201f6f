"""The LightningModule: stages of optimizers over one model, in blocks of steps."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from pinn.compilation import CompiledStep
from pinn.domains import Points
from pinn.errors import InputError, NotFinite
from pinn.marching import Marching
from pinn.model import Model
from pinn.objective import Objective
from pinn.sampling import Collocation
from pinn.training.budget import Budget, require_positive
from pinn.training.divergence import why_diverged
from pinn.training.held_out import HeldOut, Row, values_of
from pinn.training.precision import Twin, count_far, rounded
from pinn.training.stage import Stage, advance
from pinn.weighting import Weighting

HELD_OUT = -1
"""Number of the draw of points that no step trains on: the best state is the one with the lowest objective there."""


class Training(LightningModule):
    """Trains a model, one block of steps in each Lightning step.

    Everything that a step depends on is in `state_to_save()`: parameters, optimizers, schedules, the counters from
    which the points follow, and the best state so far. A run that goes on from it takes the very steps that it would
    have taken.

    Args:
        model: what is trained.
        collocation: the points of each draw.
        weighting: the scale of each residual.
        stages: by name, in order.
        seconds: of the `Budget`: the training ends where another step like the last would exceed it; None sets no
            limit.
        target_error: the training ends when the relative L2 error of the worst field on the held-out points is at
            most this; None, the default, never looks at the reference for a decision.
        step: computes steps of first order; operation by operation if None.
        chunk: how many points are evaluated at a time; None for all.
        mixed: whether a model in float64 has the steps far from the solution taken by a `Twin` in float32. Looks at
            the held-out points, weights and the best state are those of the model itself.
    """

    def __init__(
        self,
        model: Model,
        collocation: Collocation,
        weighting: Weighting,
        stages: Mapping[str, Stage],
        seconds: float | None = None,
        target_error: float | None = None,
        step: CompiledStep | None = None,
        chunk: int | None = None,
        mixed: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if not stages:
            raise InputError("a training needs at least one stage; it was given none.")
        require_positive("target_error", target_error)
        if target_error is not None and model.problem.reference() is None:
            raise InputError("target_error needs a problem with a reference; leave it null.")
        self.model, self.collocation, self.weighting = model, collocation, weighting
        self.stages, self.budget, self.target_error = dict(stages), Budget(seconds), target_error
        self.first_order = step or CompiledStep(compile=False)
        self.chunk = chunk
        self.twin: Twin | None = None
        self.stage_optimizers = [stage.optimizer(self.select_part(stage)) for stage in self.stages.values()]
        self.far = count_far(self.stage_optimizers) if mixed else 0
        """How many stages, from the first one on, are the twin's."""
        if self.far:
            self.twin = Twin(model, self.first_order)
            for index, stage in enumerate(list(self.stages.values())[: self.far]):
                self.select_part(stage)
                self.stage_optimizers[index] = stage.optimizer(_trained(self.twin.model))
        self.schedules = [
            stage.schedule(optimizer) if stage.schedule else None
            for stage, optimizer in zip(self.stages.values(), self.stage_optimizers, strict=True)
        ]
        self.stage = 0
        self.step_in_stage = 0
        self.step = 0
        self.blocks_without_progress = 0
        self.status = "running"
        self.reasons: list[str] = []
        self.history: list[Row] = []
        self.best_validation = math.inf
        self.best_in_stage = math.inf
        self.best_step = 0
        self.best_state = _copy(model.state_dict())
        self.interrupted = False
        self.objective: Objective | None = None
        self.select_part(next(iter(self.stages.values())))
        self._draw = 0

    def select_part(self, stage: Stage) -> list[Tensor]:
        """Hold fixed what the stage does not train, and return the parameters that it trains."""
        self._select(stage.part, stage.slab)
        return _trained(self.model)

    def _select(self, part: str | None, slab: int | None) -> None:
        for model in (self.model, self.twin.model) if self.twin else (self.model,):
            model.select(part, slab)

    def configure_optimizers(self) -> list[Optimizer]:
        """Give Lightning the optimizers of all stages."""
        return self.stage_optimizers

    def train_dataloader(self) -> Iterator[int]:
        """Number the blocks; points are made where they are used."""
        return itertools.count()

    def on_train_start(self) -> None:
        """Start the clock and the first stage."""
        self.held_out = HeldOut(self._objective_at(self.collocation(HELD_OUT)))
        self.held_out.place()
        self.budget.start()
        if self.status != "running":
            self.trainer.should_stop = True
        elif not self.history:
            self._begin_stage()
            self.trainer.should_stop = self.status == "diverged"
        elif self._step().open:
            self._expect()

    def training_step(self, batch: int) -> None:
        """Take the steps up to the next multiple of the stage's block, or to the end of the stage or of the time."""
        stage, optimizer = self._current()
        end = min(stage.steps, (self.step_in_stage // stage.block + 1) * stage.block)
        stuck: str | None = None
        while self.step_in_stage < end and not stuck:
            objective = self._objective(stage)
            here = self.step_in_stage
            redraw = here + stage.resample - here % stage.resample if stage.resample else end
            began = self.budget.elapsed()
            try:
                taken, stuck = advance(optimizer, objective, min(end, redraw) - here)
            except NotFinite as error:
                self._stop("diverged", f"{error} after step {self.step}")
                break
            self.budget.step = (self.budget.elapsed() - began) / max(taken, 1)
            schedule = self.schedules[self.stage]
            if schedule is not None:
                schedule.step()
            self.step_in_stage += taken
            self.step += taken
            if self.budget.is_over(stage.share) or self.interrupted:
                break
        if twin := self._twin():
            twin.hand_back()
        self.budget.trained = self.budget.elapsed()
        if self.step_in_stage == end or stuck or (stage.share < 1 and self.budget.is_over(stage.share)):
            self._close_block()
            if self.status == "running":
                self._end_stage_if_due(stage, stuck)
        if self.status == "running" and self.interrupted:
            self.status = "interrupted"
        elif self.status == "running" and self.budget.is_over():
            self._stop("budget", f"time is up after {self.budget.trained:.0f} s")
        if self.status != "running":
            self.trainer.should_stop = True

    def _begin_stage(self) -> None:
        """Go on from the best state so far, choose the weights, and look at the held-out points."""
        self.step_in_stage, self.blocks_without_progress = 0, 0
        self.budget.begin_stage()
        self.best_in_stage = self.best_validation = math.inf
        self.objective = None
        self.model.load_state_dict(self.best_state)
        stage = self._current()[0]
        self.select_part(stage)
        before = list(self.stages.values())[self.stage - 1] if self.stage else stage
        if isinstance(self.model, Marching) and stage.slab and before.slab == stage.slab - 1:
            self.model.slabs.continue_into(stage.slab)
        first = self._objective_at(self.collocation(self.step))
        self.held_out.place()
        try:
            self.weighting.adapt(first.jacobian_by_residual)
        except NotFinite as error:
            self._stop("diverged", f"{error} after step {self.step}")
        if twin := self._twin():
            twin.take_over()
        self._expect()
        self._close_block()

    def _expect(self) -> None:
        """Say what is still to come in this stage."""
        self._step().expect(self._current()[0].steps - self.step_in_stage, self.budget.left())

    def _current(self) -> tuple[Stage, Optimizer]:
        return list(self.stages.values())[self.stage], self.stage_optimizers[self.stage]

    def _twin(self) -> Twin | None:
        """Return the twin where it takes the steps of the present stage."""
        return self.twin if self.stage < self.far else None

    def _step(self) -> CompiledStep:
        twin = self._twin()
        return twin.step if twin else self.first_order

    def _objective(self, stage: Stage) -> Objective:
        """Return the objective of the present step; its draw follows from the counters alone."""
        start = self.step - self.step_in_stage
        draw = start + (self.step_in_stage // stage.resample * stage.resample if stage.resample else 0)
        if self.objective is None or self._draw != draw:
            if stage.part == "features":
                # They start at zero, so that the trunk alone has the residuals, and is far cheaper.
                self._select("trunk", stage.slab)
            points = self.collocation(draw, self._residual, stage.draws)
            self.select_part(stage)
            self.objective, self._draw = self._trained_at(points), draw
        return self.objective

    def _trained_at(self, points: Mapping[str, Points]) -> Objective:
        """Return what the present stage takes its steps on, in its precision."""
        if twin := self._twin():
            return Objective(twin.model, rounded(points), self.weighting, twin.step, self.chunk)
        return self._objective_at(points)

    def _objective_at(self, points: Mapping[str, Points]) -> Objective:
        return Objective(self.model, points, self.weighting, self.first_order, self.chunk)

    @torch.no_grad()
    def _residual(self, name: str, points: Points) -> Tensor:
        """Return the size of all scaled residuals of a constraint together, (points,)."""
        rows = self._trained_at({name: points}).vector()
        return torch.linalg.vector_norm(rows.reshape(-1, len(next(iter(points.values())))), dim=0)

    def _close_block(self) -> None:
        """Look at the held-out points, remember the best state, and write one row of history."""
        row = {"step": self.step, "seconds": self.budget.trained, "stage": self.stage}
        row |= self.held_out.look(self.objective)
        self.history.append(row)
        validation = row["validation"]
        if why := why_diverged(row, self.held_out.objective, self.objective):
            self._stop("diverged", f"{why} after step {self.step}")
            return
        self.blocks_without_progress = 0 if validation < 0.9 * self.best_in_stage else self.blocks_without_progress + 1
        self.best_in_stage = min(validation, self.best_in_stage)
        if validation < self.best_validation:
            self.best_validation, self.best_step = validation, self.step
            self.best_state = _copy(self.model.state_dict())
        in_last_slab = self._current()[0].slab in (None, list(self.stages.values())[-1].slab)
        errors = values_of(row, "relative_l2").values()
        if in_last_slab and self.target_error is not None and max(errors) <= self.target_error:
            self._stop("solved", f"the relative L2 error is at most {self.target_error:g} after step {self.step}")

    def _end_stage_if_due(self, stage: Stage, stuck: str | None) -> None:
        if self.history[-1]["validation"] <= stage.residual:
            reason = f"the residual target {stage.residual:g} is reached"
        elif self.step_in_stage >= stage.steps:
            reason = "all steps are taken"
        elif stuck:
            reason = stuck
        elif stage.patience and self.blocks_without_progress >= stage.patience:
            reason = f"no progress in {stage.patience} blocks"
        elif stage.share < 1 and self.budget.is_over(stage.share):
            reason = f"its share of the time is over, {self.budget.trained - self.budget.stage_began:.0f} s,"
        else:
            return
        name = list(self.stages)[self.stage]
        reached = self.history[-1]["validation"] <= stage.residual
        taken = "1 step" if self.step_in_stage == 1 else f"{self.step_in_stage} steps"
        self.reasons.append(f"{name}: {reason} after {taken}")
        if stage.part == "features":
            self.budget.end_refinement(self.step_in_stage)
        following = self.stage + 1
        while following < len(self.stages) and not self._has_time(following):
            following += 1
        if following == len(self.stages):
            given_up = self.stage + 1 < following or self.step_in_stage == stage.steps
            self.status = "solved" if reached else "budget" if given_up else "stalled"
            return
        self.stage = following
        self._begin_stage()

    def _has_time(self, index: int) -> bool:
        """Tell whether a stage has time, and give the reason if not."""
        name, stage = list(self.stages.items())[index]
        why_not = self.budget.why_not_refine(stage.share) if stage.part == "features" else None
        if why_not:
            self.reasons.append(f"{name}: left out, {why_not}")
        return not why_not

    def _stop(self, status: str, reason: str) -> None:
        self.status = status
        self.reasons.append(f"{list(self.stages)[self.stage]}: {reason}")

    def state_to_save(self) -> dict[str, Any]:
        """Return tensors and plain values from which the training goes on exactly."""
        return {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.stage_optimizers],
            "schedules": [schedule.state_dict() if schedule else None for schedule in self.schedules],
            "budget": self.budget.state_to_save(),
            "counters": {name: getattr(self, name) for name in _COUNTERS},
            "best_state": self.best_state,
            "history": self.history,
            "reasons": list(self.reasons),
            "weight_factors": dict(self.weighting.factors),
            "points": self.objective and {name: _copy(group) for name, group in self.objective.points.items()},
            "draw": self._draw,
            "way": self._step().way,
            "chunk": self.chunk,
            "status": self.status,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up a training where `state_to_save` left it; a budget that was spent may have been raised since."""
        self.model.load_state_dict(saved["model"])
        self.stage = saved["counters"]["stage"]
        self.select_part(self._current()[0])
        for optimizer, state in zip(self.stage_optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for schedule, state in zip(self.schedules, saved["schedules"], strict=True):
            if schedule is not None:
                schedule.load_state_dict(state)
        for name in _COUNTERS:
            setattr(self, name, saved["counters"][name])
        if twin := self._twin():
            twin.take_over()
        self.budget.restore(saved["budget"])
        self.best_state = _copy(saved["best_state"])
        self.history = list(saved["history"])
        self.reasons = list(saved["reasons"])
        self.weighting.factors = dict(saved["weight_factors"])
        self.chunk = saved["chunk"]
        if saved["points"] is not None:
            # Adaptive points follow from the model as it was when they were drawn.
            device = next(self.model.parameters()).device
            points = {name: {k: v.to(device) for k, v in group.items()} for name, group in saved["points"].items()}
            self.objective = self._trained_at(points)
            self._draw = saved["draw"]
        if saved["way"] != "eager":
            self._step().settle(saved["way"])
        self.status = saved["status"]
        unfinished = self.step_in_stage < list(self.stages.values())[self.stage].steps
        if self.status == "interrupted" or (self.status == "budget" and unfinished):
            self.reasons = [reason for reason in self.reasons if "time is up" not in reason]
            self.status = "running"

    def use_best(self) -> None:
        """Put the best state into the model, after a look at steps that were cut off inside a block."""
        if self.status != "diverged" and self.history[-1]["step"] < self.step:
            self._close_block()
        self.model.load_state_dict(self.best_state)
        self.model.select(None)


_COUNTERS = (
    "stage",
    "step_in_stage",
    "step",
    "blocks_without_progress",
    "best_validation",
    "best_in_stage",
    "best_step",
)


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _trained(model: Model) -> list[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
