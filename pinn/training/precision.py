"""float32 far from the solution, float64 near it."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import takewhile

import torch

from pinn.compilation import CompiledStep
from pinn.domains import Points
from pinn.model import Model
from pinn.optimizers import Optimizer


def count_far(optimizers: Sequence[Optimizer]) -> int:
    """Return how many stages, from the first one on, are far from the solution.

    Those are the stages of first order before any other: others come to where differences of gradients and small
    singular values are lost in float32. The last stage is never among them, for what it finds is the solution; and once
    a stage has come near, those behind it stay near: nothing that float64 has found is rounded.
    """
    return len(list(takewhile(lambda optimizer: optimizer.first_order, optimizers[:-1])))


def describe_precision(stages: Sequence[str], far: int) -> str:
    """Return in a line which stages have which precision, the first `far` of them float32."""
    if not far:
        return "everything is float64, for no stage of first order comes before another stage"
    return f"{', '.join(stages[:far])} in float32, all that follows in float64"


class Twin:
    """A copy of a model in float32, which takes steps in its place.

    A float32 number is a float64 number, so what the twin has found goes over exactly. Everything else of the model
    keeps its digits: buffers, what a stage holds fixed, and the points, which are rounded for the twin alone.

    Args:
        model: in float64.
        step: computes the steps of the model; those of the twin, which take other times, are decided on their own.
    """

    def __init__(self, model: Model, step: CompiledStep) -> None:
        self.original, self.model = model, deepcopy(model).to(torch.float32)
        self.step = CompiledStep(step.compile, step.say, step.clock)

    def take_over(self) -> None:
        """Go on from where the model is, rounded."""
        self.model.load_state_dict(self.original.state_dict())

    @torch.no_grad()
    def hand_back(self) -> None:
        """Give the model the parameters that are trained."""
        for original, found in zip(self.original.parameters(), self.model.parameters(), strict=True):
            if found.requires_grad:
                original.copy_(found)


def rounded(points: Mapping[str, Points]) -> dict[str, Points]:
    """Return the same points in float32."""
    return {name: {key: value.to(torch.float32) for key, value in group.items()} for name, group in points.items()}
