"""One hidden layer that stays as it was drawn: the fields are linear in what is left to find."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pinn.errors import InputError


class RandomFeatures(nn.Module):
    """u_k(x) = Σ_m c_km sin(s ∘ w_m · x + b_m), w_m ~ N(0, 1)^inputs, b_m ~ U(0, 2π), with only c to be found.

    The scale s_i is the standard deviation of the frequencies in input i: features can represent what oscillates up
    to about that fast. (Rahimi and Recht 2007; for differential equations Dwivedi and Srinivasan 2020, Dong and Li
    2021, who freeze tanh layers. Sines serve better: they are eigenfunctions of every operator with constant
    coefficients.)

    Args:
        inputs: size of a point.
        outputs: number of fields.
        features: number of sines, shared by all fields.
        scale: s for every input, or one for each.
        interactions: how many inputs, chosen at random, a sine depends on; all of them if None. A field of many
            coordinates that is a sum of functions of few has a basis of such sines.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: a size below 1, or a scale that is not positive.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int = 1000,
        scale: float | Sequence[float] = 4.0,
        interactions: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(features, bool) or not isinstance(features, int) or features < 1:
            raise InputError(
                f"RandomFeatures: features must be a whole number of at least 1; it was given {features!r}."
            )
        scales = [float(scale)] * inputs if isinstance(scale, int | float) else [float(value) for value in scale]
        if len(scales) != inputs or not all(0 < value < math.inf for value in scales):
            raise InputError(
                f"RandomFeatures: scale must be a positive number, or {inputs} of them; it was given {scale!r}."
            )
        self.directions: Tensor
        self.phases: Tensor
        self.scale: Tensor
        directions = torch.randn(features, inputs, dtype=torch.float64)
        if interactions is not None:
            if isinstance(interactions, bool) or not isinstance(interactions, int) or not 1 <= interactions <= inputs:
                raise InputError(
                    f"RandomFeatures: interactions must be a whole number from 1 to {inputs}; it was given "
                    f"{interactions!r}."
                )
            # Dealt out like cards, shuffled anew for each round, so that every input gets its share of the sines.
            hands = inputs // interactions
            rounds = [torch.randperm(inputs)[: hands * interactions] for _ in range(-(-features // hands))]
            chosen = torch.cat(rounds).reshape(-1, interactions)[:features]
            directions *= torch.zeros_like(directions).scatter_(1, chosen, 1.0)
        self.register_buffer("directions", directions)
        self.register_buffer("phases", 2 * math.pi * torch.rand(features, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scales, dtype=torch.float64))
        self.output = nn.Linear(features, outputs, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields."""
        return self.output(torch.sin(nn.functional.linear(x, self.directions * self.scale, self.phases)))
