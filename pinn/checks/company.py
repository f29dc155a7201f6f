"""Whether a quantity is a function of each point by itself: it is computed at some points together, then at a part.

What changes at the points that stay couples points.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.model import Model

NOISE = 1e3
"""Round-off is at most so many times what changes when every parameter is rounded otherwise."""

Look = Callable[[Points, Tensor], Points]
"""Takes parameters by name and which points, (points,); returns quantities by name, (points, columns)."""


class Fault(NamedTuple):
    """What is wrong with a quantity: it is random, or it couples points."""

    name: str
    random: bool
    how: str
    """What happened to it, as `changed by 2.0e-01`."""


def find_fault(look: Look, model: Model, points: Points) -> Fault | None:
    """Return what keeps quantities from being a function of each point by itself, if anything does.

    Parameters are drawn at random, for networks may start with zeros, behind which nothing would be seen.

    Args:
        look: computes the quantities.
        model: whose parameters are drawn.
        points: of which there must be two for a fault.
    """
    like = next(iter(points.values()))
    everyone = torch.arange(len(like), device=like.device)
    if len(like) < 2:
        return None
    parameters = drawn_parameters(model)
    together = _seeded(look, parameters, everyone)
    if not all(torch.isfinite(values).all() for values in together.values()):
        parameters = parameters_of(model)
        together = _seeded(look, parameters, everyone)
    order = torch.randperm(len(like), generator=torch.Generator().manual_seed(0)).to(like.device)
    for some in (order[: len(like) // 2], order[len(like) // 2 :], order[:1]):
        try:
            apart = _seeded(look, parameters, some)
        except (IndexError, RuntimeError, ValueError) as error:
            return Fault("", random=False, how="failed: " + str(error).split("\n")[0])
        for name, values in apart.items():
            expected = together[name]
            change = difference(values, expected[some])
            if not (change > tolerance(expected)).any():
                continue
            # Of residuals that vanish identically, as periodicity of a periodic network, nothing but round-off is left.
            noise = [_seeded(look, rounded(parameters, seed), everyone)[name] for seed in range(4)]
            least = torch.stack([difference(values, expected) for values in noise]).amax(dim=0) * NOISE
            least = torch.maximum(least, tolerance(expected))
            again = difference(_seeded(look, parameters, everyone, seed=1)[name], expected)
            for random, by in ((True, again), (False, change)):
                if (by > least).any():
                    return Fault(name, random, how=f"changed by {by.max().item():.1e}")
    return None


def spread(model: Model, points: Points, most: int) -> Points:
    """Return at most so many of the points, evenly spread over them; coordinates require grad."""
    count = len(next(iter(points.values())))
    places = torch.linspace(0, count - 1, min(count, most)).round().long()
    return {
        name: values[places.to(values.device)].detach().requires_grad_(name in model.problem.coordinates)
        for name, values in points.items()
    }


def _seeded(look: Look, parameters: Points, some: Tensor, seed: int = 0) -> Points:
    """Look with random numbers that are the same in each call with a seed."""
    with torch.random.fork_rng(devices=[some.device] if some.is_cuda else []):
        torch.manual_seed(seed)
        return look(parameters, some)


def tolerance(values: Tensor) -> Tensor:
    """Return half of the digits of quantities, (columns,): round-off leaves more of them, and what is wrong none."""
    finite = torch.where(torch.isfinite(values), values, 0)
    return math.sqrt(torch.finfo(values.dtype).eps) * finite.abs().amax(dim=0)


def difference(found: Tensor, expected: Tensor) -> Tensor:
    """Return the largest difference, (columns,); what is not finite must be so in the same way."""
    same = (found == expected) | (found.isnan() & expected.isnan())
    return torch.where(same, 0, (found - expected).abs().nan_to_num(math.inf)).amax(dim=0)


def parameters_of(model: Model) -> Points:
    """Return the trained parameters by name, without graphs."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def drawn_parameters(model: Model) -> Points:
    """Return others of their size, the same in each call."""
    return {name: _other(p, seed) for seed, (name, p) in enumerate(parameters_of(model).items())}


def rounded(parameters: Points, seed: int) -> Points:
    """Return the same parameters with their last digits changed at random."""
    return {name: p * (1 + torch.finfo(p.dtype).eps * scatter(p, seed).sign()) for name, p in parameters.items()}


def _other(parameter: Tensor, seed: int) -> Tensor:
    """Return other numbers of the size of these, with the same signs."""
    noise = scatter(parameter, seed)
    if parameter.any():
        return parameter * (1 + 0.3 * noise)
    return noise / max(1, *parameter.shape[-1:]) ** 0.5


def scatter(like: Tensor, seed: int) -> Tensor:
    """Return numbers from -1 to 1, in the form of a tensor."""
    noise = 2 * torch.rand(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return noise.to(like)
