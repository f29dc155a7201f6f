"""How good a solution is: fields, reference and residuals on a mesh grid, and the errors between them."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from pinn.domains import Points
from pinn.model import Model

POINTS_AT_ONCE = 16_384
"""How many points are evaluated at a time, so that memory is bounded on any grid."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that is known on a mesh grid; each tensor has the grid's shape and lies on the CPU."""

    coordinates: Points
    fields: Points
    reference: Points
    """Empty where the problem has no reference."""
    residuals: Points
    """Of the constraints on the interior, by name, unscaled."""

    @property
    def relative_l2(self) -> dict[str, float]:
        """‖u - u_ref‖₂ / ‖u_ref‖₂ over the grid, for each field; empty without a reference."""
        return {
            name: (torch.linalg.vector_norm(self.fields[name] - exact) / torch.linalg.vector_norm(exact)).item()
            for name, exact in self.reference.items()
        }

    @property
    def relative_l2_total(self) -> float | None:
        """The same for all fields taken together as one vector."""
        if not self.reference:
            return None
        difference = torch.stack([self.fields[name] - exact for name, exact in self.reference.items()])
        exact = torch.stack(list(self.reference.values()))
        return (torch.linalg.vector_norm(difference) / torch.linalg.vector_norm(exact)).item()

    @property
    def max_error(self) -> dict[str, float]:
        """max |u - u_ref| over the grid, for each field."""
        return {name: (self.fields[name] - exact).abs().max().item() for name, exact in self.reference.items()}


def evaluate(model: Model, grid: Points) -> Evaluation:
    """Evaluate a model on a mesh grid, given as tensors of the grid's shape by coordinate."""
    shape = next(iter(grid.values())).shape
    flat = {name: coordinate.flatten() for name, coordinate in grid.items()}
    blocks = [
        _evaluate_block(model, {name: values[start : start + POINTS_AT_ONCE] for name, values in flat.items()})
        for start in range(0, shape.numel(), POINTS_AT_ONCE)
    ]
    fields, exact, residuals = (_join([block[part] for block in blocks], shape) for part in range(3))
    return Evaluation({name: values.cpu() for name, values in grid.items()}, fields, exact, residuals)


def _evaluate_block(model: Model, points: Points) -> tuple[Points, Points, Points]:
    problem = model.problem
    with torch.no_grad():
        fields = model.fields(points)
        reference = problem.reference()
        exact = reference(**points) if reference is not None else {}
    frozen = {name: parameter.detach() for name, parameter in model.named_parameters()}
    residuals: Points = {}
    with torch.enable_grad():
        leaves = {name: values.detach().requires_grad_() for name, values in points.items()}
        for name, constraint in problem.constraints().items():
            if constraint.region.dimension == len(problem.coordinates):
                residuals |= functional_call(model, frozen, (name, leaves))
    return fields, exact, {name: row.detach() for name, row in residuals.items()}


def _join(blocks: list[Points], shape: torch.Size) -> dict[str, Tensor]:
    return {name: torch.cat([block[name] for block in blocks]).reshape(shape).cpu() for name in blocks[0]}
