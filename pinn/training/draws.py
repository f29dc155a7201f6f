"""What a step of a training sees: the objective at the points of its draw."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pinn.compilation import CompiledStep
from pinn.domains import Points
from pinn.model import Model
from pinn.objective import Objective
from pinn.sampling import Collocation
from pinn.training.precision import Twin, rounded
from pinn.training.stage import Stage
from pinn.weighting import Weighting


class Draws:
    """Makes the objective of a step.

    Points are a function of the number of their draw, and for an adaptive sampler of the residual too.

    Args:
        model: what is trained.
        collocation: the points of each draw.
        weighting: the scale of each residual.
        step: computes the steps of the model.
        chunk: how many points are evaluated at a time; None for all.
    """

    def __init__(
        self, model: Model, collocation: Collocation, weighting: Weighting, step: CompiledStep, chunk: int | None
    ) -> None:
        self.model, self.collocation, self.weighting, self.chunk = model, collocation, weighting, chunk
        self.twin: Twin | None = None
        """Takes the steps of the present stage in the place of the model; None where the model takes them."""
        self.objective: Objective | None = None
        """Of the last step; None before the first of a stage."""
        self.draw = 0
        """Its number."""
        self._step = step

    @property
    def step(self) -> CompiledStep:
        """Computes the steps of the present stage."""
        return self.twin.step if self.twin else self._step

    def select(self, part: str | None, slab: int | None) -> list[Tensor]:
        """Hold fixed what is not trained, and return the parameters that are."""
        self.model.select(part, slab)
        if self.twin:
            self.twin.model.select(part, slab)
        trained = self.twin.model if self.twin else self.model
        return [parameter for parameter in trained.parameters() if parameter.requires_grad]

    def of(self, draw: int, stage: Stage) -> Objective:
        """Return the objective of a draw, in the precision of the present stage."""
        if self.objective is None or self.draw != draw:
            if stage.part == "features":
                # They start at zero, so that the trunk alone has the residuals, and is far cheaper.
                self.select("trunk", stage.slab)
            points = self.collocation(draw, self._residual, stage.draws)
            self.select(stage.part, stage.slab)
            self.objective, self.draw = self.trained_at(points), draw
        return self.objective

    def at(self, points: Mapping[str, Points]) -> Objective:
        """Return the objective of the model itself at some points."""
        step = self._step if self.model.can_be_captured else None
        return Objective(self.model, points, self.weighting, step, self.chunk)

    def trained_at(self, points: Mapping[str, Points]) -> Objective:
        """Return what the present stage would take its steps on at some points."""
        if self.twin:
            return Objective(self.twin.model, rounded(points), self.weighting, self.twin.step, self.chunk)
        return self.at(points)

    @torch.no_grad()
    def _residual(self, name: str, points: Points) -> Tensor:
        """Return the size of all scaled residuals of a constraint together, (points,)."""
        rows = self.trained_at({name: points}).vector()
        return torch.linalg.vector_norm(rows.reshape(-1, len(next(iter(points.values())))), dim=0)
