"""Derivatives: time and memory of loss and parameter gradient, with both engines and as residuals are usually written.

`nested` is one `torch.autograd.grad(..., create_graph=True)` for every derivative, `reverse` and `taylor` are the
operators of this library with either engine; `deepxde` and `pina` are those of these projects, where they are
installed (`pip install deepxde pina-mathlab`). One core, float32 unless named otherwise, not compiled; medians of
processor time over rounds that alternate between all. In a round each takes a few steps in a row, as trainings do, of
which the first, in memory that the others had, is not counted. A word picks cases: `scripts/benchmark.py derivatives
navier`.
"""

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from math import nan
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from pinn.derivatives import gradient, laplacian
from pinn.derivatives.taylor import Engine, Reverse, Taylor, discover
from pinn.memory import keep_freed_memory
from pinn.networks import MLP
from pinn.report import open_console

Residuals = Callable[[], list[Tensor]]


class Case(NamedTuple):
    """One piece of work.

    Attributes:
        network: whose parameters the loss is differentiated by.
        residuals: with an engine of this library.
        others: the same by plain autograd, `nested`, and by the operators of other projects.
        target: how many times faster than `nested` `taylor` has to be.
    """

    network: torch.nn.Module
    residuals: Callable[[Engine], list[Tensor]]
    others: Mapping[str, Residuals]
    target: float


def navier_stokes(dtype: torch.dtype) -> Case:
    """Steady flow in two dimensions, 3 fields, 4 × 50 tanh, 2,500 points."""
    network, viscosity = MLP(2, 3, width=50, depth=4).to(dtype), 1 / 40
    x, y = (torch.rand(2500, dtype=dtype, requires_grad=True) for _ in range(2))

    def residuals(engine: Engine) -> list[Tensor]:
        u, v, p = engine(network, (x, y))
        u_x, u_y = gradient(u, (x, y))
        v_x, v_y = gradient(v, (x, y))
        p_x, p_y = gradient(p, (x, y))
        return [
            u_x + v_y,
            u * u_x + v * u_y + p_x - viscosity * laplacian(u, (x, y)),
            u * v_x + v * v_y + p_y - viscosity * laplacian(v, (x, y)),
        ]

    def nested() -> list[Tensor]:
        u, v, p = network(torch.stack([x, y], -1)).unbind(-1)
        u_x, u_y, v_x, v_y, p_x, p_y = (_derivative(f, at) for f in (u, v, p) for at in (x, y))
        return [
            u_x + v_y,
            u * u_x + v * u_y + p_x - viscosity * (_derivative(u_x, x) + _derivative(u_y, y)),
            u * v_x + v * v_y + p_y - viscosity * (_derivative(v_x, x) + _derivative(v_y, y)),
        ]

    points = torch.stack([x, y], -1).detach().requires_grad_()
    peers = {name: operators.navier_stokes(network, points, viscosity) for name, operators in _peers().items()}
    return Case(network, residuals, {"nested": nested} | peers, target=3.0)


def many_dimensions(dim: int, width: int, points: int, target: float) -> Case:
    """The Laplacian over one tensor of all coordinates, 4 hidden layers."""
    network, x = MLP(dim, 1, width=width, depth=4), torch.rand(points, dim, requires_grad=True)

    def nested() -> list[Tensor]:
        slopes = _derivative(network(x).squeeze(-1), x)
        return [torch.stack([_derivative(slopes[:, i], x)[:, i] for i in range(dim)]).sum(0)]

    # Beyond, where `nested` takes seconds, they take no fewer passes than that.
    peers = {name: operators.laplacian(network, x) for name, operators in _peers().items() if dim <= 100}
    return Case(network, lambda engine: [laplacian(engine(network, x)[0], x)], {"nested": nested} | peers, target)


def _peers() -> dict[str, Any]:
    """By name, the operators of the other projects that are installed here."""
    installed = [name for name in ("deepxde", "pina") if importlib.util.find_spec(name)]
    return {name: importlib.import_module(f"benchmarks.{name}_operators") for name in installed}


def _derivative(u: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]


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
    keep_freed_memory()
    torch.manual_seed(0)
    cases = {name: make() for name, make in CASES.items() if not arguments or any(word in name for word in arguments)}
    measured = {name: time_of(case) for name, case in cases.items()}
    # Last, as a profile leaves the heap in pieces, which slows whatever follows.
    for name, case in cases.items():
        measured[name] |= memory_of(case, measured[name])
    ways = ("taylor", "reverse", "nested", *_peers())
    columns = [*(f"{way}, ms" for way in ways), "ratio", "target", *(f"{way}, MB" for way in ways)]
    table = Table("case", *columns, title=f"torch {torch.__version__}, one core; ratio of nested to taylor")
    for name, row in measured.items():
        times, memory = ([f"{row.get(f'{way}_{unit}', nan):.1f}" for way in ways] for unit in ("ms", "mb"))
        table.add_row(name, *times, f"{row['ratio']:.2f}", f"{row['target']:g}", *memory)
    open_console().print(table)
    return {"torch": torch.__version__, "cases": measured}


def ways_of(case: Case) -> dict[str, Callable[[], None]]:
    """By name, one step: the loss and its gradient by the parameters."""
    taylor, reverse = Taylor(discover(case.residuals)), Reverse()
    parameters = list(case.network.parameters())

    def step(residuals: Residuals) -> None:
        loss = torch.stack([row.square().mean() for row in residuals()]).sum()
        torch.autograd.grad(loss, parameters, allow_unused=True)

    ways = {"taylor": lambda: case.residuals(taylor), "reverse": lambda: case.residuals(reverse), **case.others}
    return {way: partial(step, residuals) for way, residuals in ways.items()}


def time_of(case: Case, seconds: float = 30.0, rounds: int = 10, steps: int = 4) -> dict[str, float]:
    """Medians over rounds that alternate, so that a busy machine disturbs all alike."""
    ways = ways_of(case)
    times: dict[str, list[float]] = {way: [] for way in ways}
    end = time.monotonic() + seconds
    while not times["nested"] or (len(times["nested"]) < rounds * steps and time.monotonic() < end):
        for way, step in ways.items():
            step()
            for _ in range(steps):
                start = time.thread_time()
                step()
                times[way].append(time.thread_time() - start)
    result = {f"{way}_ms": 1e3 * statistics.median(times[way]) for way in ways}
    return result | {
        "ratio": result["nested_ms"] / result["taylor_ms"],
        "target": case.target,
        "steps": len(times["nested"]),
    }


def memory_of(case: Case, times: Mapping[str, float]) -> dict[str, float]:
    """Peaks; not of steps that take seconds, whose profile is too large to be kept."""
    return {f"{way}_mb": peak(step) / 1e6 if times[f"{way}_ms"] < 2000 else nan for way, step in ways_of(case).items()}


def peak(work: Callable[[], None]) -> float:
    """The most bytes that tensors made by some work hold at one time."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    now = highest = 0
    for event in sorted(record.events() or [], key=lambda event: event.time_range.start):
        now += event.self_cpu_memory_usage  # frees outside of any operation are events of their own
        highest = max(highest, now)
    return highest
