"""What the benchmark of speed measures: the same work by pinn, by plain torch, and the least that it could cost."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from benchmarks import plain
from benchmarks.timing import Work
from torch import Tensor, nn
from torch.func import functional_call

from pinn import derivatives
from pinn.compilation import CompiledStep, capture
from pinn.derivatives.taylor import Engine, Taylor, discover
from pinn.domains import Box
from pinn.engines import choose_engines
from pinn.jacobian import residual_jacobian
from pinn.networks import MLP
from pinn.objective import Objective
from pinn.problems import Constraint, Poisson, Problem
from pinn.sampling import Collocation, Sobol
from pinn.solution import build_model
from pinn.weighting import Fixed

BASE, FLOOR = "plain torch", "forward and backward of the network"


class Case(NamedTuple):
    """One piece of work in several ways.

    Args:
        works: by name; `BASE` is what the others are compared with.
        target: largest ratio of the last way to it.
    """

    works: Mapping[str, Work]
    target: float


def poisson() -> Case:
    """A step of Adam on Poisson's equation, 4 × 50 tanh, 2,500 + 400 points, float32."""
    problem, objective = objective_of(Poisson(), points=2500, boundary_points=400)
    inside, boundary = (
        torch.stack([group[name].detach() for name in problem.coordinates], dim=1)
        for group in objective.points.values()
    )
    network = objective.model.network
    plain_adam = torch.optim.Adam(network.parameters(), lr=1e-3)

    def plain_step() -> None:
        plain_adam.zero_grad()
        plain.poisson_loss(network, inside, boundary).backward()
        plain_adam.step()

    adam = torch.optim.Adam(objective.parameters, lr=1e-3)
    ours = {name: partial(adam.step, work) for name, work in ways(objective).items()}
    every = torch.cat([inside, boundary])
    return Case({BASE: plain_step, FLOOR: partial(floor, network, every), **ours}, target=0.45)


class NavierStokes(Problem):
    """u·∇u + ∇p - ν Δu = 0, ∇·u = 0 in a square, and nothing else."""

    coordinates, fields = ("x", "y"), ("u", "v", "p")

    def __init__(self, viscosity: float = 0.025) -> None:
        super().__init__()
        self.viscosity, self.domain = viscosity, Box(x=(0, 1), y=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        """The three equations."""
        return {"equation": Constraint(self.domain.interior, self.equation)}

    def equation(self, u: Tensor, v: Tensor, p: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Momentum in both directions, and continuity."""
        at = (x, y)
        (u_x, u_y), (v_x, v_y), (p_x, p_y) = (derivatives.gradient(field, at) for field in (u, v, p))
        viscous_u, viscous_v = (self.viscosity * derivatives.laplacian(field, at) for field in (u, v))
        return {
            "momentum_x": u * u_x + v * u_y + p_x - viscous_u,
            "momentum_y": u * v_x + v * v_y + p_y - viscous_v,
            "continuity": u_x + v_y,
        }


def navier_stokes() -> Case:
    """Loss and gradient of a steady flow, 3 fields, 4 × 50 tanh, 2,500 points, float32."""
    problem, objective = objective_of(NavierStokes(), points=2500, boundary_points=1)
    points = torch.stack([objective.points["equation"][name].detach() for name in problem.coordinates], dim=1)
    network = objective.model.network
    parameters = list(network.parameters())

    def plain_gradient() -> None:
        # The last bias, which shifts the pressure, changes nothing.
        loss = plain.navier_stokes_loss(network, points, problem.viscosity)
        torch.autograd.grad(loss, parameters, allow_unused=True)

    works: dict[str, Work] = {BASE: plain_gradient, FLOOR: partial(floor, network, points)}
    return Case(works | ways(objective), target=0.2)


def many_dimensions(dimension: int = 100, width: int = 128, points: int = 500, captured: bool = True) -> Case:
    """Loss and gradient of the Laplacian in 100 dimensions, 4 × 128 tanh, 500 points, float32."""
    # Its thousands of operations, a few for each dimension, take Inductor many minutes.
    network, x = MLP(dimension, 1, width=width, depth=4), torch.rand(points, dimension)
    names = [name for name, _ in network.named_parameters()]

    def plain_gradient() -> None:
        torch.autograd.grad(plain.laplacian_loss(network, x), list(network.parameters()), allow_unused=True)

    def laplacian(engine: Engine, leaf: Tensor, function: Callable[[Tensor], Tensor] = network) -> Tensor:
        (u,) = engine(function, leaf)
        return derivatives.laplacian(u, leaf)

    leaf = x.clone().requires_grad_()
    engine = Taylor(discover(lambda engine: laplacian(engine, leaf)))

    def gradient(parameters: list[Tensor], x: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            leaves = [parameter.detach().requires_grad_() for parameter in parameters]
            weights = dict(zip(names, leaves, strict=True))
            row = laplacian(engine, x.detach().requires_grad_(), lambda at: functional_call(network, weights, (at,)))
            return torch.autograd.grad(row.square().mean() / 2, leaves, materialize_grads=True)

    values = [parameter.detach() for parameter in network.parameters()]
    works: dict[str, Work] = {
        BASE: plain_gradient,
        FLOOR: partial(floor, network, x),
        "pinn, eager": partial(gradient, values, x),
    }
    if captured:
        works["pinn, captured"] = partial(without_graphs, capture(gradient, values, x), values, x)
    return Case(works, target=0.35)


def jacobian() -> Case:
    """The Jacobian of the rows of Poisson's equation, 3 × 64 tanh, 1,000 points, float64."""
    problem, objective = objective_of(Poisson(), points=1000, boundary_points=1, width=64, depth=3, dtype=torch.float64)
    model, at = objective.model, objective.points["equation"]
    points = torch.stack([at[name].detach() for name in problem.coordinates], dim=1)
    return Case(
        {
            BASE: partial(plain.jacobian, model.network, points),
            "pinn": lambda: residual_jacobian(model, "equation", at),
        },
        target=0.5,
    )


CASES: Mapping[str, Callable[[], Case]] = {
    "poisson": poisson,
    "navier-stokes": navier_stokes,
    "laplacian-100": many_dimensions,
    "jacobian": jacobian,
}


def objective_of(
    problem: Any,
    points: int,
    boundary_points: int,
    width: int = 50,
    depth: int = 4,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> tuple[Any, Objective]:
    """Put together what a training would put together."""
    torch.manual_seed(0)
    problem = problem.copied(device, dtype)
    collocation = Collocation(problem, Sobol(), points, boundary_points).to(device, dtype)
    model = build_model(problem, partial(MLP, width=width, depth=depth), dtype).to(device)
    draw = collocation(0)
    model.engines = choose_engines("auto", model, draw).by_constraint
    return problem, Objective(model, draw, Fixed())


def ways(objective: Objective) -> dict[str, Work]:
    """Loss and gradient in the three ways in which a training can compute them."""

    def work(way: str) -> Work:
        step = CompiledStep(compile=True)
        step.settle(way)
        return Objective(objective.model, objective.points, objective.weighting, step)

    return {f"pinn, {way}": work(way) for way in ("eager", "captured", "compiled")}


@torch.no_grad()
def without_graphs(function: Callable[..., object], *arguments: object) -> None:
    """Call a function that has its gradients inside."""
    function(*arguments)


def floor(network: nn.Module, points: Tensor) -> None:
    """Evaluate a network and differentiate it once by its parameters: no step can cost less."""
    torch.autograd.grad(network(points).square().sum(), list(network.parameters()))
