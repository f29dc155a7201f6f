"""What is seen of a training at points that no step trains on."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.objective import Objective
from pinn.references import relative_errors

Row = dict[str, float]
"""Names and values of one row of history."""


class HeldOut:
    """The objective, its terms, and the errors of the fields, at points that no step trains on.

    Args:
        objective: at those points.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.interior: Points = {}
        self.exact: Points = {}

    @torch.no_grad()
    def place(self) -> None:
        """Look up the reference at the interior points, which lie elsewhere for each slab of time."""
        model = self.objective.model
        problem, reference = model.problem, model.problem.reference()
        if reference is None:
            return
        interior = next(
            name
            for name, constraint in problem.constraints().items()
            if constraint.region.dimension == len(problem.coordinates)
        )
        placed = model.place(self.objective.points[interior])
        self.interior = {name: placed[name].detach() for name in problem.coordinates}
        self.exact = reference(**self.interior)

    @torch.no_grad()
    def look(self, trained: Objective | None) -> Row:
        """Return `loss`, `validation`, `residual/…` and `relative_l2/…`.

        Args:
            trained: the objective of the last step, whose terms are the loss; None before the first step.
        """
        validation = self.objective.loss()
        loss = validation
        if trained is not None:
            loss = sum(trained.terms.values(), torch.zeros_like(validation)) / 2
        values = {"loss": loss, "validation": validation}
        values |= {f"residual/{name}": term for name, term in self.objective.terms.items()}
        values |= {f"relative_l2/{name}": error for name, error in self._errors().items()}
        # Everything that the device has to say since the last look comes over in one transfer.
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))

    def _errors(self) -> dict[str, Tensor]:
        if not self.exact:
            return {}
        return relative_errors(self.objective.model.fields(self.interior), self.exact)


def columns(history: list[Row]) -> dict[str, list[float]]:
    """Return the history by column; a row without a value has NaN there."""
    names = list(dict.fromkeys(name for row in history for name in row))
    return {name: [row.get(name, math.nan) for row in history] for name in names}


def values_of(row: Mapping[str, float], kind: str) -> Row:
    """Return the values of one kind, `residual` or `relative_l2`, by residual or field."""
    return {name.removeprefix(f"{kind}/"): value for name, value in row.items() if name.startswith(f"{kind}/")}
