"""A GPU works behind the program: clocks, free memory and CUDA graphs as they are used on one, told without one."""

from typing import Any

import pytest
import torch
from helpers.small import model_of, points_of
from torch import Tensor

from pinn.compilation import CompiledStep, compiled, rows, step
from pinn.compilation.capture import capture
from pinn.devices import Pace, finish
from pinn.memory import free_memory
from pinn.objective import Objective
from pinn.optimizers import LevenbergMarquardt
from pinn.problems import Poisson
from pinn.training import budget
from pinn.training.budget import Budget
from pinn.weighting import Fixed

CUDA = torch.device("cuda", 0)


class Gpu:
    """What the program asked for and waited for, in order, in the place of `torch.cuda`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.steps = 0
        monkeypatch.setattr(torch.cuda, "Event", lambda: Event(self))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: device)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda device: self.said.append(f"finish {device}"))


class Event:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def record(self, stream: object) -> None:
        self.gpu.steps += 1
        self.number = self.gpu.steps
        self.gpu.said.append(f"{self.number} asked for")

    def synchronize(self) -> None:
        self.gpu.said.append(f"{self.number} done")


def test_the_program_is_one_step_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, pace = Gpu(monkeypatch), Pace(CUDA)
    for _ in range(3):
        pace()
    assert gpu.said == ["1 asked for", "2 asked for", "1 done", "3 asked for", "2 done"]


def test_the_cpu_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch)
    finish(torch.device("cpu"))
    Pace(torch.device("cpu"))()
    finish(CUDA)
    assert gpu.said == ["finish cuda:0"]


def test_a_budget_counts_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch)
    spent = Budget(10, clock=lambda: float(len(gpu.said)), speed=1e9)
    spent.pace.device = CUDA
    monkeypatch.setattr(budget, "finish", lambda device: torch.cuda.synchronize(CUDA))
    spent.start()
    spent.begin_stage(1.0)
    assert not spent()
    assert not spent()
    # The second step was begun when the first one was done, which the clock of this test sees as two events more.
    assert gpu.said == ["1 asked for", "2 asked for", "1 done"]
    assert spent.iteration == 2
    with spent.apart():
        pass
    spent.halt()
    assert gpu.said[3:] == ["finish cuda:0", "finish cuda:0"]
    assert spent.spent == 5


@pytest.mark.parametrize("module", [step, rows])
def test_what_is_measured_is_waited_for(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the clock is read first, and before it is read again: two steps or calls of three are measured."""
    order: list[str] = []
    monkeypatch.setattr(module, "finish", lambda device: order.append(f"finish {device}"))
    clock = module.time.perf_counter
    monkeypatch.setattr(module.time, "perf_counter", lambda: order.append("clock") or clock())
    problem = Poisson()
    by = CompiledStep("auto", say=lambda line: None)
    objective = Objective(model_of(problem), {"equation": points_of(problem)["equation"]}, Fixed(), by)
    for _ in range(3):
        if module is step:
            objective()
        else:
            LevenbergMarquardt(objective.parameters)
            objective.jacobian()
    assert order == ["finish cpu", "clock", "finish cpu", "clock"] * 2


def test_memory_that_torch_keeps_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"mem_get_info": (100, 1000), "memory_reserved": 50, "memory_allocated": 20}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert free_memory(CUDA) == 130


def test_results_of_a_cuda_graph_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    place = torch.zeros(3)

    def compile(graph: Any, **settings: Any) -> Any:
        asked.update(settings["options"])
        return lambda x: {"result": place.copy_(graph(x)["result"])}

    monkeypatch.setattr(torch, "compile", compile)

    def function(x: Tensor) -> dict[str, Tensor]:
        return {"result": x + 1}

    x = torch.arange(3.0)
    kernels = compiled(capture(function, x), cuda_graphs=True)
    assert asked["triton.cudagraphs"]
    first = kernels(x)["result"]
    kernels(10 * x)
    assert torch.equal(first, x + 1)
