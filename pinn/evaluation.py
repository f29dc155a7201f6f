"""How good a solution is: fields, reference and residuals at many points, and the errors between them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.quasirandom import SobolEngine

from pinn.domains import Box, Points
from pinn.errors import InputError
from pinn.memory import free_memory
from pinn.model import Model
from pinn.problems import Problem
from pinn.references import relative_errors

POINTS_AT_ONCE = 16_384
"""How many points are evaluated at a time, so that memory is bounded on any grid."""
MOST_AXES = 3
"""Coordinates of a mesh grid at most: 101 nodes for each of five would be ten billion points."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that is known on a mesh grid, or at scattered points, from `evaluation_points`.

    Each tensor has the grid's shape, or (points,) if they are scattered, and lies on the CPU. At points outside of the
    domain there are coordinates only; everything else is NaN.
    """

    coordinates: Points
    fields: Points
    reference: Points
    """Of the fields that the problem has a reference for, perhaps none."""
    residuals: Points
    """Of the constraints on the interior, by name, unscaled."""
    inside: Tensor | None = None
    """Which points lie in the domain, booleans; None for all of them."""

    @property
    def on_grid(self) -> bool:
        """Whether the points are a mesh grid, axis i for the i-th coordinate."""
        return next(iter(self.coordinates.values())).dim() == len(self.coordinates)

    @property
    def residual_rms(self) -> dict[str, float]:
        """Root of the mean square of each residual over the points of the domain."""
        rows = {name: row if self.inside is None else row[self.inside] for name, row in self.residuals.items()}
        return {name: row.square().mean().sqrt().item() for name, row in rows.items()}

    @property
    def relative_l2(self) -> dict[str, float]:
        """‖u - u_ref‖₂ / ‖u_ref‖₂ over the points, for each field that has a reference; see `relative_errors`."""
        return {name: error.item() for name, error in relative_errors(self.fields, self.reference).items()}

    @property
    def relative_l2_total(self) -> float | None:
        """The same for all these fields taken together as one vector."""
        if not self.reference:
            return None
        fields = torch.stack([self.fields[name] for name in self.reference])
        return relative_errors({"all": fields}, {"all": torch.stack(list(self.reference.values()))})["all"].item()

    @property
    def max_error(self) -> dict[str, float]:
        """max |u - u_ref| over the points, for each field that has a reference."""
        return {
            name: (self.fields[name] - exact)[torch.isfinite(exact)].abs_().max().item()
            for name, exact in self.reference.items()
        }


def evaluation_points(
    domain: Box,
    grid: int | Mapping[str, int],
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Points:
    """Return the points on which a solution is judged, by coordinate.

    Up to three coordinates: the mesh grid. More: grid² scattered points (`grid` being one number), as many as the mesh
    grid of two coordinates has, of a scrambled Sobol sequence (Owen 1995), always the same.

    Args:
        domain: of the problem.
        grid: nodes a coordinate, or one number for each by name.
        dtype: floating dtype of the coordinates, torch's default if None.
        device: where to make them, torch's default if None.

    Raises:
        InputError: from `require_grid`.
    """
    require_grid(domain, grid)
    if len(domain.coordinates) <= MOST_AXES or isinstance(grid, Mapping):
        return domain.grid(grid, dtype, device)
    unit = SobolEngine(len(domain.coordinates), scramble=True, seed=0).draw(grid**2, dtype=torch.float64)
    return domain.interior.points(unit.to(device, dtype or torch.get_default_dtype()))


def require_grid(domain: Box, grid: int | Mapping[str, int]) -> None:
    """Raise InputError unless `grid` says how many points `evaluation_points` is to make."""
    if len(domain.coordinates) > MOST_AXES and isinstance(grid, Mapping):
        raise InputError(
            f"with more than {MOST_AXES} coordinates there is no mesh grid; grid must be one whole number, for grid² "
            f"scattered points; it was given {grid!r}."
        )
    domain.grid_sizes(grid)


def require_memory(problem: Problem, grid: int | Mapping[str, int], dtype: torch.dtype) -> None:
    """Raise InputError if what is known on a grid would not fit into the memory that is free."""
    domain = problem.domain
    if isinstance(grid, int) and len(domain.coordinates) > MOST_AXES:
        points, coordinates = grid**2, 2 * len(domain.coordinates)
    else:
        # A mesh grid is views of its axes.
        points, coordinates = math.prod(domain.grid_sizes(grid).values()), 0
    fields = len(problem.fields) * (1 if problem.reference() is None else 2)
    residuals = sum(c.region.dimension == len(domain.coordinates) for c in problem.constraints().values())
    arrays = coordinates + fields + residuals + 1  # the last one to work with
    needed, free = points * arrays * dtype.itemsize, free_memory(torch.device("cpu"))
    if free is not None and needed > free:
        raise InputError(
            f"grid={grid} makes {points:,} points; fields, reference and residuals there take {needed / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free. Take fewer nodes."
        )


def evaluate(model: Model, points: Points) -> Evaluation:
    """Evaluate a model at points, by coordinate: tensors of the shape of a mesh grid, or (points,)."""
    shape = next(iter(points.values())).shape
    # Each coordinate beyond those of a grid adds derivatives to hold.
    size = max(1, POINTS_AT_ONCE * MOST_AXES // max(MOST_AXES, len(points)))
    parts: tuple[Points, Points, Points] = {}, {}, {}
    inside = torch.empty(shape, dtype=torch.bool)
    for start in range(0, shape.numel(), size):
        # The coordinates of a mesh grid are views of its axes, which are not made larger.
        index = torch.unravel_index(torch.arange(start, min(start + size, shape.numel())), shape)
        here = {name: coordinate[index] for name, coordinate in points.items()}
        within = model.problem.domain.contains(here).cpu()
        inside.view(-1)[start : start + len(within)] = within
        for whole, values in zip(parts, _evaluate_block(model, here), strict=True):
            for name, row in values.items():
                if start == 0:
                    whole[name] = torch.empty(shape, dtype=row.dtype)
                whole[name].view(-1)[start : start + len(row)] = torch.where(within, row.cpu(), torch.nan)
    return Evaluation({name: values.cpu() for name, values in points.items()}, *parts, inside)


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


@torch.no_grad()
def built_in_residuals(model: Model, count: int = 1000) -> Points:
    """Return the residuals that are built in, by name, (points,) each, at random points of their regions.

    They are round-off, and that is to be seen rather than believed.

    Args:
        model: the problem and the network.
        count: number of points.
    """
    like = next(model.parameters())
    rows: Points = {}
    for name, constraint in model.problem.constraints().items():
        if any(row.split(".")[0] == name for row in model.hard.rows):
            scattered = constraint.region.scattered(count, torch.Generator().manual_seed(0))
            points = {key: values.to(like) for key, values in scattered.items()}
            with torch.enable_grad():
                leaves = {key: x.requires_grad_(key in model.problem.coordinates) for key, x in points.items()}
                rows |= model.problem.residuals(name, leaves, model.fields)
    return {name: row.detach().cpu() for name, row in rows.items() if name in model.hard.rows}
