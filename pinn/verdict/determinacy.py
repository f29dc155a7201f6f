"""Whether the conditions of a problem determine its solution."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn.model import Model
from pinn.networks import Corrected
from pinn.objective import Objective
from pinn.relative import Left
from pinn.sampling import Collocation
from pinn.verdict.correction import put_beside
from pinn.weighting import Fixed

SPACES = {1: ((300, 2.0), (300, 6.0)), 2: ((300, 2.0), (300, 6.0)), 3: ((600, 2.0),)}
"""Numbers of features and their scales, by the number of coordinates. With more than three, no number that is small
represents a field which the conditions leave free."""
ROWS_PER_UNKNOWN = 3
DRAW = -3
"""Number of the draw of points that nothing else uses."""
ROUND_OFF = 1e-13
"""Of ‖J‖: singular values below it mean nothing."""
ITERATIONS, VECTORS = 30, 4
"""Of the power method."""
FREE = 1e-6
"""Least residual of a field of size one, relative, below which the field is free."""
EXACT = 1e-8
"""Least residual that is round-off."""
SMALL, FALL = 1e-3, 8.0
"""Below the first, it is free too if twice as many features lower it by the second factor: the more details a field may
have, the less the conditions hold it. Where they hold it, the least residual hardly changes."""


@dataclass(frozen=True)
class Determinacy:
    """How little a change of the fields by their own size may leave of all residuals.

    Attributes:
        least: min ‖r'(u) v‖ over fields v of the size of u, where each residual is measured by its answer to ordinary
            changes: of order one for a well-posed problem.
        half: the same with half of the features.
    """

    least: float
    half: float

    @property
    def exactly_free(self) -> bool:
        """Whether there are fields that leave nothing at all, as constants do where only slopes are given."""
        return self.least < EXACT

    @property
    def free(self) -> bool:
        """Whether other fields leave no more of the residuals."""
        return self.least < FREE or (self.least < SMALL and self.half > FALL * self.least)


def find_determinacy(
    model: Model, collocation: Collocation, left: Mapping[str, Left], sizes: Mapping[str, float], seed: int
) -> Determinacy | None:
    """Look for the change of a solution that its residuals see least; None with more than three coordinates.

    With J the derivatives of all residuals, relative, by the coefficients c of random features, and Φ c the change of
    the fields, it is the smallest generalised singular value of (J, Φ): 1 / ‖Φ R⁻¹‖ with J = Q R.

    Args:
        model: the solution.
        collocation: its points; those used here are drawn anew.
        left: of every residual, whose size is what it is relative to.
        sizes: of the fields.
        seed: of the features.
    """
    spaces = SPACES.get(len(model.problem.coordinates), ())
    found = [_in_space(model, collocation, left, sizes, *space, seed) for space in spaces]
    return min(found, key=lambda each: (not each.free, each.least), default=None)


@torch.no_grad()
def _in_space(
    model: Model,
    collocation: Collocation,
    left: Mapping[str, Left],
    sizes: Mapping[str, float],
    features: int,
    scale: float,
    seed: int,
) -> Determinacy:
    problem, generator = model.problem, torch.Generator().manual_seed(seed)
    outputs = len(problem.fields)
    # Slabs of time are one network here, for what is free may reach through all of them.
    whole = Model(problem, deepcopy(model.network), model.hard)
    put_beside(
        whole,
        lambda network, inputs, periodic: Corrected(
            network, inputs, outputs, features, scale, generator, layers=False, periodic=periodic
        ),
    )
    whole.to(next(model.parameters()))
    unknowns = [parameter for parameter in problem.parameters() if parameter.requires_grad]
    jacobian = _relative_jacobian(whole, collocation, left)
    changes = _changes(whole, len(jacobian) // outputs, sizes)
    # Features one after another, each for all fields: the first half of the columns is a smaller space.
    order = torch.arange(outputs * features).reshape(outputs, features).T.flatten()
    matrix = torch.cat([jacobian[:, : len(unknowns)], jacobian[:, len(unknowns) :][:, order]], dim=1)
    seen = torch.block_diag(
        torch.diag(torch.stack([1 / p.abs().clamp(min=1e-300) for p in unknowns])) if unknowns else matrix[:0, :0],
        changes[:, order],
    )
    tiny = ROUND_OFF * torch.linalg.matrix_norm(matrix)
    regular = torch.cat([matrix, tiny * torch.eye(matrix.shape[1]).to(matrix)])
    triangle, shorter = (torch.linalg.qr(each, mode="r").R for each in (regular, seen))
    # Φ R⁻¹, but for its orthogonal factor; that of the first columns is its first block.
    ratio = torch.linalg.solve_triangular(triangle, shorter, upper=True, left=False)
    half = len(unknowns) + outputs * (features // 2)
    return Determinacy(1 / _largest(ratio, generator), 1 / _largest(ratio[:half, :half], generator))


def _relative_jacobian(model: Model, collocation: Collocation, left: Mapping[str, Left]) -> Tensor:
    """Return J, whose rows are scaled so that ‖J c‖² is the sum of the mean squares of all residuals, relative."""
    objective = Objective(model, collocation(DRAW), Fixed())
    unknowns = sum(parameter.numel() for parameter in objective.parameters)
    points = collocation.more_or_fewer(model.problem, ROWS_PER_UNKNOWN * unknowns / objective.rows, DRAW)
    objective = Objective(model, points, Fixed())
    jacobian, _ = objective.jacobian()
    for row, span in objective.spans().items():
        size = left[row].size
        jacobian[span.start : span.stop] *= 1 / size if size > 0 else 0.0
    return jacobian


def _changes(model: Model, count: int, sizes: Mapping[str, float]) -> Tensor:
    """Return Φ, (points × fields, coefficients): ‖Φ c‖² is the sum of the mean squares of the fields, relative."""
    problem = model.problem
    like = next(model.parameters())
    scattered = problem.domain.interior.scattered(count, torch.Generator().manual_seed(0))
    points = {name: values.to(like) for name, values in scattered.items()}
    [beside] = [module for module in model.modules() if isinstance(module, Corrected)]
    sines: list[Tensor] = []
    hook = beside.register_forward_hook(lambda module, given, _: sines.append(beside.features(*given)))
    with hook, torch.enable_grad():
        outputs = model.network(torch.stack([points[name] for name in problem.coordinates], dim=-1)).detach()
        outputs.requires_grad_()
        by_name = dict(zip(problem.fields, outputs.unbind(dim=1), strict=True))
        fields = problem.apply_ansatz(points, model.hard.apply(points, by_name))
        blocks = []
        for name, size in sizes.items():
            # How this field answers to each output of the network, at each point.
            [answers] = torch.autograd.grad(fields[name].sum(), [outputs], retain_graph=True, materialize_grads=True)
            blocks.append(torch.cat([answer.unsqueeze(1) * sines[0] for answer in answers.unbind(dim=1)], dim=1) / size)
    return torch.cat(blocks) / count**0.5


def _largest(matrix: Tensor, generator: torch.Generator) -> float:
    """Return the largest singular value, by the power method."""
    vectors = torch.randn(matrix.shape[1], VECTORS, generator=generator, dtype=torch.float64).to(matrix)
    for _ in range(ITERATIONS):
        vectors, _ = torch.linalg.qr(vectors)
        vectors = matrix.T @ (matrix @ vectors)
    vectors, _ = torch.linalg.qr(vectors)
    return torch.linalg.vector_norm(matrix @ vectors, dim=0).max().item()
