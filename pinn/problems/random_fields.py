"""Smooth random fields, to put in place of a network where a problem is asked what it is."""

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.problems.problem import Problem

Field = Callable[[Points], Tensor]
"""From points to the values of one field, (points,)."""


def random_field(problem: Problem, generator: torch.Generator, periodic: Collection[str] = ()) -> Field:
    """Draw f(x) = sin(w · x + b) with w ~ N(0, 1)^d and b ~ U(0, 1), in float64.

    Args:
        problem: gives coordinates and domain.
        generator: draws w and b.
        periodic: coordinates in which f has the period of the domain: there w is one or two full turns.
    """
    frequencies = torch.randn(len(problem.coordinates), generator=generator, dtype=torch.float64)
    phase = torch.rand((), generator=generator, dtype=torch.float64)
    turns = torch.randint(1, 3, (len(problem.coordinates),), generator=generator).tolist()
    for index, name in enumerate(problem.coordinates):
        if name in periodic:
            lower, upper = problem.domain.intervals[name]
            frequencies[index] = 2 * math.pi * turns[index] / (upper - lower)

    def field(at: Points) -> Tensor:
        terms = zip(frequencies, problem.coordinates, strict=True)
        return torch.sin(sum((w * at[name] for w, name in terms), phase))

    return field
