"""A problem and a network together: fields by name, residuals by name."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pinn.domains import Points
from pinn.errors import InputError
from pinn.problems import Problem

Network = Callable[[Tensor], Tensor]


class Model(nn.Module):
    """The fields that a network gives to a problem, and the residuals that they leave.

    Its parameters are the network's weights and the problem's unknown coefficients, under the names `network.…` and
    `problem.…`.
    """

    def __init__(self, problem: Problem, network: nn.Module) -> None:
        super().__init__()
        self.problem, self.network = problem, network

    def fields(self, points: Points, network: Network | None = None) -> Points:
        """Return every field, (points,) each, at points given by coordinate.

        Args:
            points: at least the coordinates, (points,) each.
            network: evaluated instead of the model's own, on (points, coordinates).
        """
        coordinates = torch.stack([points[name] for name in self.problem.coordinates], dim=-1)
        outputs = (network or self.network)(coordinates)
        expected = (len(coordinates), len(self.problem.fields))
        if outputs.shape != expected:
            raise InputError(
                f"the network returned shape {tuple(outputs.shape)} for {len(coordinates)} points, expected {expected}: "
                f"one column for each of {', '.join(self.problem.fields)}."
            )
        return self.problem.apply_ansatz(points, dict(zip(self.problem.fields, outputs.unbind(-1), strict=True)))

    def forward(self, constraint: str, points: Points, network: Network | None = None) -> Points:
        """Return the residuals of one constraint by name, (points,) each."""
        return self.problem.residuals(constraint, points, lambda at: self.fields(at, network))
