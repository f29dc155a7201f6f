"""Small problems, networks and models that several tests use."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pinn.derivatives import partial
from pinn.domains import Box, Points
from pinn.model import Model
from pinn.networks import MLP
from pinn.problems import Constraint, Problem
from pinn.solution import build_model


def model_of(problem: Problem, network: type[nn.Module] | None = None, dtype: torch.dtype = torch.float64) -> Model:
    """A model with a small network, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(problem, network or (lambda inputs, outputs: MLP(inputs, outputs, width=5, depth=2)), dtype)


def points_of(problem: Problem, count: int = 12, dtype: torch.dtype = torch.float64) -> dict[str, Points]:
    """Some points of every constraint, always the same."""
    generator = torch.Generator().manual_seed(0)
    points = {}
    for number, (name, constraint) in enumerate(problem.constraints().items()):
        unit = torch.rand(
            max(count + number, len(constraint.region.parts)),
            constraint.region.dimension,
            dtype=dtype,
            generator=generator,
        )
        # A region without extent, one point or one at each end, has these points alone.
        rows = len(unit) if constraint.region.dimension else len(constraint.region.parts)
        points[name] = constraint.region.points(unit[:rows])
    return points


class Decay(Problem):
    """u' + k u = 0 with an unknown rate k, u(0) = 1, and two measurements; u = exp(-k t)."""

    coordinates, fields = ("t",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.3))
        self.domain = Box(t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, self.equation),
            "initial": Constraint(self.domain.face(t=0), lambda u: u - 1),
            "measured": Constraint(self.domain.point(t=0.5), lambda u, t: u - torch.exp(-2 * t)),
        }

    def equation(self, u: Tensor, t: Tensor) -> Tensor:
        return partial(u, t) + self.rate * u


class Ring(Problem):
    """u_t + u_x = 0 on a ring: value and slope are periodic, and the initial value is built into the output."""

    coordinates, fields = ("x", "t"), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(0, 2), t=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {
            "equation": Constraint(self.domain.interior, lambda u, x, t: partial(u, t) + partial(u, x)),
            "ring": Constraint(self.domain.periodic("x"), self.ring),
        }

    def ring(self, u: Tensor, u_image: Tensor, x: Tensor) -> dict[str, Tensor]:
        return {"value": u_image - u, "slope": partial(u_image, x) - partial(u, x)}

    def ansatz(self, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(torch.pi * x) + t * u


class Constants(nn.Module):
    """A network whose fields are numbers to be found, the same everywhere."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.values.expand(len(x), -1)


class Rosenbrock(Problem):
    """10 (b - a²) = 0 and 1 - a = 0: the curved valley of optimization, its least at a = b = 1."""

    coordinates, fields = ("x",), ("a", "b")

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {"valley": Constraint(self.domain.point(x=0), lambda a, b: {"curve": 10 * (b - a**2), "step": 1 - a})}


class Peeking(Problem):
    """u' + u = a function of x, which may look at its numbers so that no graph can hold it."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self, look: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.domain, self.look = Box(x=(0, 1)), look

    def constraints(self) -> dict[str, Constraint]:
        return {"equation": Constraint(self.domain.interior, self.equation)}

    def equation(self, u: Tensor, x: Tensor) -> Tensor:
        return partial(u, x) + u - self.look(x)
