"""The error of a solution over the wall time of the process that finds it."""

import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.problems import Problem

NODES = 101
"""Of the mesh grid, a coordinate."""


class ErrorCurve:
    """Pairs of seconds and relative L2 error of u on the whole domain, whatever the solver.

    Args:
        problem: has a reference.
        started: what `time.time()` said when the process was begun, so that the imports count.
    """

    def __init__(self, problem: Problem, started: float) -> None:
        reference = problem.reference()
        if reference is None:
            raise ValueError(f"{type(problem).__name__} has no reference to compare with.")
        grid = problem.domain.grid(NODES, dtype=torch.float64)
        self.points = {name: values.flatten() for name, values in grid.items()}
        self.exact = reference(**self.points)["u"]
        self.started = started
        self.pairs: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """Since the process was begun."""
        return time.time() - self.started

    def look(self, fields: Callable[[Points], Tensor]) -> None:
        """Measure u, (points,), and note when."""
        error = torch.linalg.vector_norm(fields(self.points) - self.exact) / torch.linalg.vector_norm(self.exact)
        self.pairs.append((self.seconds, error.item()))

    def print(self) -> None:
        """Hand over to the process that asked."""
        print(json.dumps(self.pairs))
