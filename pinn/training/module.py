"""The LightningModule: stages of optimizers over one model, in blocks of steps."""

import itertools
from collections.abc import Iterator, Mapping
from typing import cast

from lightning.pytorch import LightningModule

from pinn.compilation import CompiledStep
from pinn.errors import InputError, NotFinite
from pinn.marching import Marching
from pinn.model import Model
from pinn.networks import Slabs
from pinn.objective import Objective
from pinn.sampling import Collocation
from pinn.training.budget import Budget, require_positive
from pinn.training.divergence import why_diverged
from pinn.training.draws import Draws
from pinn.training.held_out import HeldOut, Row, values_of
from pinn.training.precision import Twin, count_far
from pinn.training.record import Record
from pinn.training.stage import Stage
from pinn.weighting import Weighting

HELD_OUT = -1
"""Number of the draw of points that no step trains on: the best state is the one with the lowest objective there."""


class Training(LightningModule):
    """Trains a model, a block of steps in a Lightning step, or a part of one where it takes long.

    Everything that a step depends on is what `pinn.training.state` saves: parameters, optimizers, the counters from
    which the points follow, and the best state so far. A run that goes on from it takes the very steps that it would
    have taken.

    Args:
        model: what is trained.
        collocation: the points of each draw.
        weighting: the scale of each residual.
        stages: by name, in order.
        budget: the time that there is, which the stages share; without a limit if None.
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
        budget: Budget | None = None,
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
        self.model, self.weighting = model, weighting
        self.stages, self.budget, self.target_error = dict(stages), budget or Budget(None), target_error
        self.draws = Draws(model, collocation, weighting, step or CompiledStep(compile=False), chunk)
        self.stage_optimizers = [stage.make(self.draws.select(stage.part, stage.slab)) for stage in stages.values()]
        self.far = count_far(self.stage_optimizers) if mixed else 0
        """How many stages, from the first one on, are the twin's."""
        self.twin = Twin(model, self.draws.step) if self.far else None
        self.draws.twin = self.twin
        for index, stage in enumerate(list(stages.values())[: self.far]):
            self.stage_optimizers[index] = stage.make(self.draws.select(stage.part, stage.slab))
        self.stage = 0
        self.step_in_stage = 0
        self.step = 0
        self.status = "running"
        self.reasons: list[str] = []
        self.record = Record(model)
        self.enter_stage()

    @property
    def current(self) -> Stage:
        """The stage that is trained."""
        return list(self.stages.values())[self.stage]

    @property
    def history(self) -> list[Row]:
        """One row for each look at the held-out points."""
        return self.record.history

    def configure_optimizers(self) -> None:
        """Give Lightning nothing to step: every stage has its own optimizer."""

    def train_dataloader(self) -> Iterator[int]:
        """Number the Lightning steps; points are made where they are used."""
        return itertools.count()

    def on_train_start(self) -> None:
        """Start the clock and the first stage."""
        self.held_out = HeldOut(self.draws.at(self.draws.collocation(HELD_OUT)))
        self.held_out.place()
        self.budget.start()
        if self.status != "running":
            self.trainer.should_stop = True
        elif not self.history:
            self._begin_stage()
            self.trainer.should_stop = self.status == "diverged"
        elif self.draws.step.open:
            self.draws.step.expect(self.current.steps - self.step_in_stage)

    def training_step(self, batch: int) -> None:
        """Take the steps up to the next look at the held-out points, or as many as time, signals and pauses allow."""
        stage, optimizer, budget = self.current, self.stage_optimizers[self.stage], self.budget
        look = stage.next_look(self.step_in_stage)
        stuck: str | None = None
        budget.begin_run()
        while self.step_in_stage < look and not stuck and not budget.is_over():
            asked = stage.next_end(self.step_in_stage) - self.step_in_stage
            taken, stuck, diverged = optimizer.run(self._objective(stage), asked, budget)
            budget.end_iteration()
            self.step_in_stage += taken
            self.step += taken
            if diverged:
                self._stop("diverged", f"{diverged} after step {self.step}")
            if taken < asked:
                break
        if self.draws.twin:
            self.draws.twin.hand_back()
        budget.note()
        share_is_over = budget.is_over() and not self._is_time_up()
        if self.step_in_stage == look or stuck or share_is_over:
            if self.history[-1]["step"] < self.step:
                self._look()
            if self.status == "running":
                self._end_stage_if_due(stage, stuck, share_is_over)
        if self.status == "running" and budget.interrupted():
            self.status = "interrupted"
        elif self.status == "running" and self._is_time_up():
            self._stop("budget", budget.why_over())
        if self.status != "running":
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Stop the clock."""
        self.budget.halt()

    def enter_stage(self) -> None:
        """Let the steps be those of the present stage: its part of the network, in its precision."""
        self.draws.twin = self.twin if self.stage < self.far else None
        self.draws.select(self.current.part, self.current.slab)
        if self.draws.twin:
            self.draws.twin.take_over()

    def _begin_stage(self) -> None:
        """Go on from the best state so far, choose the weights, and look at the held-out points."""
        stages = list(self.stages.values())
        stage, behind = self.current, len(stages) - self.stage - 1
        self.step_in_stage = 0
        self.draws.objective = None
        self.model.load_state_dict(self.record.best_state)
        self.enter_stage()
        if isinstance(self.model, Marching) and stage.slab and stages[self.stage - 1].slab == stage.slab - 1:
            cast(Slabs, self.model.slabs).continue_into(stage.slab)
        first = self.draws.at(self.draws.collocation(self.step))
        following = self.stage + 1
        work = self.stage_optimizers[following].work(first.rows * stages[following].draws) if behind else 0.0
        self.budget.begin_stage(stage.share or 1 / (1 + behind), reserve=work)
        try:
            self.weighting.adapt(first.jacobian_by_residual)
        except NotFinite as error:
            self._stop("diverged", f"{error} after step {self.step}")
        self.held_out.place()
        self.draws.step.expect(stage.steps)
        self.record.begin_stage()
        self._look()

    def _objective(self, stage: Stage) -> Objective:
        """Return the objective of the present step; the draw of its points follows from the counters alone."""
        start = self.step - self.step_in_stage
        return self.draws.of(start + stage.last_draw(self.step_in_stage), stage)

    def _look(self) -> None:
        """Look at the held-out points."""
        row = {"step": self.step, "seconds": self.budget.spent, "stage": self.stage}
        marches = self.stage_optimizers[self.stage].keeps_last
        if marches:
            self.held_out.place()
        row |= self.held_out.look(self.draws.objective)
        self.record.add(row, marches)
        if self.status == "diverged":
            return
        if why := why_diverged(row, self.held_out.objective, self.draws.objective):
            self._stop("diverged", f"{why} after step {self.step}")
            return
        errors = values_of(row, "relative_l2").values()
        if self.model.is_whole and self.target_error is not None and max(errors) <= self.target_error:
            self._stop("solved", f"the relative L2 error is at most {self.target_error:g} after step {self.step}")

    def _end_stage_if_due(self, stage: Stage, stuck: str | None, share_is_over: bool) -> None:
        """End the stage where there is a reason to, and begin the next one or end the training."""
        reached = self.history[-1]["validation"] <= stage.residual
        all_taken = self.step_in_stage >= stage.steps
        if reached:
            reason = f"the residual target {stage.residual:g} is reached"
        elif all_taken:
            reason = "all steps are taken"
        elif stuck:
            reason = stuck
        elif stage.patience and self.record.looks_without_progress >= stage.patience:
            reason = f"no progress in {stage.patience} blocks"
        elif share_is_over:
            reason = f"{self.budget.why_over()},"
        else:
            return
        taken = "1 step" if self.step_in_stage == 1 else f"{self.step_in_stage} steps"
        self.reasons.append(f"{list(self.stages)[self.stage]}: {reason} after {taken}")
        if self._is_last():
            self.status = "solved" if reached else "budget" if all_taken else "stalled"
            return
        self.stage += 1
        self._begin_stage()

    def _is_last(self) -> bool:
        return self.stage + 1 == len(self.stages)

    def _is_time_up(self) -> bool:
        """Whether the training ends here, rather than that a stage behind this one begins."""
        return self.budget.is_over() and (self._is_last() or self.budget.is_spent())

    def _stop(self, status: str, reason: str) -> None:
        self.status = status
        self.reasons.append(f"{list(self.stages)[self.stage]}: {reason}")

    def use_best(self) -> None:
        """Put the best state into the model, after a look at steps that were cut off inside a block."""
        if self.status != "diverged" and self.history[-1]["step"] < self.step:
            self._look()
        self.model.load_state_dict(self.record.best_state)
        self.model.select(None)
