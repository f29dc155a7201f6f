"""Derivatives: loss and parameter gradient with the taylor engine against nested reverse mode, side by side.

One core, float32 unless named otherwise, not compiled; medians of processor time over alternating rounds. The residual
code is the same on both sides. A word picks one case: `python scripts/benchmark.py derivatives navier-stokes`.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pinn.derivatives import gradient, laplacian, partial
from pinn.derivatives.taylor import Engine, Reverse, Taylor, discover, linked_laplacian
from pinn.networks import MLP


class Case(NamedTuple):
    """One piece of work: the residuals by engine, the network, and how much faster taylor has to be."""

    residuals: Callable[[Engine], list[Tensor]]
    network: torch.nn.Module
    target: float


def navier_stokes(dtype: torch.dtype) -> Case:
    """Steady flow in two dimensions, 3 fields, 4 × 50 tanh, 2,500 points."""
    network = MLP(2, 3, width=50, depth=4).to(dtype)
    x, y = (torch.rand(2500, dtype=dtype, requires_grad=True) for _ in range(2))

    def residuals(engine: Engine) -> list[Tensor]:
        u, v, p = engine(network, (x, y))
        u_x, u_y = gradient(u, (x, y))
        v_x, v_y = gradient(v, (x, y))
        p_x, p_y = gradient(p, (x, y))
        return [
            u_x + v_y,
            u * u_x + v * u_y + p_x - (partial(u_x, x) + partial(u_y, y)) / 40,
            u * v_x + v * v_y + p_y - (partial(v_x, x) + partial(v_y, y)) / 40,
        ]

    return Case(residuals, network, target=3.0)


def many_dimensions(dim: int, width: int, points: int, target: float) -> Case:
    """The Laplacian over one tensor of all coordinates, 4 hidden layers."""
    network, x = MLP(dim, 1, width=width, depth=4), torch.rand(points, dim, requires_grad=True)

    def residuals(engine: Engine) -> list[Tensor]:
        (u,) = engine(network, x)
        found = linked_laplacian(u, x)
        return [laplacian(u, x) if found is None else found]

    return Case(residuals, network, target)


CASES: Mapping[str, Callable[[], Case]] = {
    "navier-stokes": lambda: navier_stokes(torch.float32),
    "navier-stokes, float64": lambda: navier_stokes(torch.float64),
    "laplacian, 2 dimensions": lambda: many_dimensions(2, 50, 2500, target=1.7),
    "laplacian, 10 dimensions": lambda: many_dimensions(10, 50, 500, target=2.0),
    "laplacian, 100 dimensions": lambda: many_dimensions(100, 128, 500, target=2.0),
    "laplacian, 1000 dimensions": lambda: many_dimensions(1000, 128, 20, target=8.0),
}


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure the cases whose names contain one of the words, or all; print a table and return the numbers."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = [name for name in CASES if not arguments or any(word in name for word in arguments)]
    measured = {name: measure(CASES[name]()) for name in names}
    table = Table("case", "taylor, ms", "reverse, ms", "ratio", "target", title=f"torch {torch.__version__}, one core")
    for name, row in measured.items():
        table.add_row(
            name,
            *(f"{row[key]:.1f}" for key in ("taylor_ms", "reverse_ms")),
            f"{row['ratio']:.2f}",
            f"{row['target']:g}",
        )
    Console().print(table)
    return {"torch": torch.__version__, "cases": measured}


def measure(case: Case, seconds: float = 20.0, rounds: int = 30) -> dict[str, float]:
    """Medians of both engines, in rounds that alternate between them, so that a busy machine disturbs both alike."""
    engines = {"taylor": Taylor(discover(case.residuals)), "reverse": Reverse()}
    parameters = list(case.network.parameters())

    def step(engine: Engine) -> None:
        loss = torch.stack([row.square().mean() for row in case.residuals(engine)]).sum()
        torch.autograd.grad(loss, parameters, allow_unused=True)

    for engine in engines.values():
        step(engine)
    times: dict[str, list[float]] = {name: [] for name in engines}
    end = time.monotonic() + seconds
    for done in range(rounds):
        if done >= 3 and time.monotonic() > end:
            break
        for name, engine in engines.items():
            start = time.thread_time()
            step(engine)
            times[name].append(time.thread_time() - start)
    taylor, reverse = (statistics.median(times[name]) for name in ("taylor", "reverse"))
    return {
        "taylor_ms": 1e3 * taylor,
        "reverse_ms": 1e3 * reverse,
        "ratio": reverse / taylor,
        "target": case.target,
        "rounds": len(times["taylor"]),
    }
