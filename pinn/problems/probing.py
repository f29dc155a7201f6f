"""What a problem says about its fields, found by putting simple fields in place of a network."""

import math
from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.problems.problem import Problem

Field = Callable[[Points], Tensor]
"""From points to the values of one field, (points,)."""

POINTS = 64
"""Of each constraint; an identity that holds at so many random ones holds everywhere."""


def random_field(
    problem: Problem,
    generator: torch.Generator,
    periodic: Collection[str] = (),
    within: Mapping[str, tuple[float, float]] | None = None,
) -> Field:
    """Draw f(x) = sin(w · ξ + b) with w ~ N(0, 2²)^d and b ~ U(0, 1), in float64; ξ runs from -1 to 1 over the domain.

    Args:
        problem: gives coordinates and domain.
        generator: draws w and b.
        periodic: coordinates in which f has the period of the domain: there it makes one or two full turns.
        within: intervals of coordinates over which ξ runs, by name, where they are not those of the domain.
    """
    weights = 2 * torch.randn(len(problem.coordinates), generator=generator, dtype=torch.float64)
    phase = torch.rand((), generator=generator, dtype=torch.float64)
    turns = torch.randint(1, 3, (len(problem.coordinates),), generator=generator).tolist()
    frequencies, centers = {}, {}
    for index, name in enumerate(problem.coordinates):
        lower, upper = (within or {}).get(name, problem.domain.intervals[name])
        across = 2 * math.pi * turns[index] if name in periodic else 2 * weights[index].item()
        frequencies[name], centers[name] = across / (upper - lower), (lower + upper) / 2

    def field(at: Points) -> Tensor:
        return torch.sin(sum((w * (at[name] - centers[name]) for name, w in frequencies.items()), phase))

    return field


class Probe:
    """One constraint of a problem at some points, in float64.

    Args:
        problem: the problem, on the CPU.
        constraint: its name.
        points: where; random ones of its region, if a generator is given instead.
        count: of random points, at least.
    """

    def __init__(
        self, problem: Problem, constraint: str, points: Points | torch.Generator, count: int = POINTS
    ) -> None:
        self.problem, self.constraint = problem, constraint
        self.region = problem.constraints()[constraint].region
        given = self.region.scattered(count, points) if isinstance(points, torch.Generator) else points
        self.points = {
            name: values.detach().requires_grad_(name in problem.coordinates) for name, values in given.items()
        }

    def rows(self, fields: Mapping[str, Field]) -> Points:
        """Return the residuals by name, (points,) each, for the given fields; the others are zero."""

        def evaluate(at: Points) -> Points:
            # Attached to its coordinates, so that its derivatives exist.
            nothing = torch.stack([0 * at[name] for name in self.problem.coordinates]).sum(dim=0)
            values = {field: nothing + f(at) for field, f in fields.items()}
            return self.problem.apply_ansatz(at, dict.fromkeys(self.problem.fields, nothing) | values)

        with torch.enable_grad():
            return self.problem.residuals(self.constraint, self.points, evaluate)

    def depends_on_unknowns(self, row: Tensor) -> bool:
        """Tell whether an unknown coefficient of the problem enters."""
        unknowns = [parameter for parameter in self.problem.parameters() if parameter.requires_grad]
        if not unknowns or not row.requires_grad:
            return False
        gradients = torch.autograd.grad(row.sum(), unknowns, allow_unused=True, retain_graph=True)
        return any(gradient is not None for gradient in gradients)
