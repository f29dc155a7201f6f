"""Points in chunks give the sums of all points at once, and fit into memory."""

import math
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import train
from helpers.shipped import SHIPPED
from helpers.small import Decay, model_of, points_of
from torch import Tensor

import pinn
from pinn import memory
from pinn.compilation import CompiledStep
from pinn.errors import InputError
from pinn.memory import bytes_per_point, choose_chunk, free_memory, out_of_memory_in_one_line
from pinn.networks import MLP
from pinn.objective import Objective
from pinn.problems import Kovasznay, Poisson
from pinn.weighting import Fixed

PROBLEMS = {name: shipped.problem for name, shipped in SHIPPED.items() if name != "poisson_100d"} | {"decay": Decay}


def pair(name: str, chunk: int) -> tuple[Objective, Objective]:
    problem = PROBLEMS[name]()
    model, points, weighting = model_of(problem), points_of(problem, 20), Fixed({next(iter(points_of(problem))): 3.0})
    return Objective(model, points, weighting), Objective(model, points, weighting, chunk=chunk)


def gradient(objective: Objective) -> Tensor:
    objective()
    return torch.cat([parameter.grad.flatten() for parameter in objective.parameters])


@pytest.mark.parametrize("chunk", [1, 7, 21])
@pytest.mark.parametrize("name", ["kovasznay", "burgers", "decay"])
def test_chunks_add_up(name: str, chunk: int) -> None:
    whole, chunked = pair(name, chunk)
    parts = chunked.parts()
    # Each constraint is cut into the same number of pieces, so that none has more than `chunk` points and a few.
    assert 1 < len(parts) <= math.ceil(whole.count / chunk)
    assert max(part.count for part in parts) <= chunk + len(whole.points)
    assert sum(part.count for part in parts) == whole.count
    expected, found = gradient(whole), gradient(chunked)
    # Sums of some hundred terms in another order.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14 * expected.abs().max().item() * len(expected))
    assert chunked().item() == pytest.approx(whole().item(), rel=1e-13)
    assert chunked.terms.keys() == whole.terms.keys()
    for key, term in whole.terms.items():
        assert chunked.terms[key].item() == pytest.approx(term.item(), rel=1e-13)


@pytest.mark.parametrize("name", PROBLEMS)
def test_without_gradients_the_rows_are_the_same(name: str) -> None:
    whole, chunked = pair(name, 9)
    with torch.no_grad():
        # Matrix products of other sizes add up in another order; second derivatives multiply that by 10 or so.
        torch.testing.assert_close(chunked.vector(), whole.vector(), rtol=1e-12, atol=1e-12)
        assert list(chunked.residuals()) == list(whole.residuals())


def test_captured_chunks_add_up() -> None:
    whole, chunked = pair("kovasznay", 30)
    expected = gradient(whole)
    chunked.step = CompiledStep(compile=True, say=pytest.fail)
    chunked.step.settle("captured")
    found = gradient(chunked)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13 * expected.abs().max().item())


def test_one_chunk_is_the_objective_itself() -> None:
    whole, chunked = pair("poisson", 1000)
    assert chunked.parts() == [chunked]
    assert torch.equal(gradient(chunked), gradient(whole))


def measured(points: int, width: int) -> float:
    problem = Poisson()
    model = model_of(problem, lambda inputs, outputs: MLP(inputs, outputs, width=width, depth=2))
    return bytes_per_point(Objective(model, points_of(problem, points), Fixed()))


def test_bytes_are_in_proportion_to_points_and_to_width() -> None:
    # The gradient by the parameters, which does not grow with the points, is in it too.
    assert measured(4000, 64) == pytest.approx(measured(1000, 64), rel=0.05)
    assert 1.7 < measured(2000, 64) / measured(2000, 32) < 2.3
    # Value, two first and two second derivatives of two layers of 64, forward and backward: 2 × 5 × 2 × 64 × 8 bytes.
    assert measured(2000, 64) > 10_240


@pytest.mark.parametrize(("free", "least", "most"), [(10**15, None, None), (10**7, 256, 1999), (1, 256, 256)])
def test_auto_follows_the_free_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, least: int | None, most: int | None
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: free)
    problem = Kovasznay()
    objective = Objective(model_of(problem), points_of(problem, 1000), Fixed())
    chosen = choose_chunk("auto", objective)
    if chosen is None:
        assert least is None
    else:
        assert least <= chosen <= most
        assert chosen == 256 or chosen * bytes_per_point(objective) <= free / 2
    assert choose_chunk(77, objective) == 77
    assert choose_chunk(None, objective) is None


def test_free_memory_is_less_than_there_is() -> None:
    free = free_memory(torch.device("cpu"))
    if free is None:
        pytest.skip("this system does not say how much memory is free")
    assert 2**20 < free < 2**50


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
    ],
)
def test_out_of_memory_names_what_to_change(error: Exception) -> None:
    with pytest.raises(InputError, match=r"chunk=.*points=.*grid="), out_of_memory_in_one_line():
        raise error


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_in_one_line():
        raise RuntimeError("shapes do not fit")


def test_what_cannot_be_allocated_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out of memory"):
        train(tmp_path / "run", "training=adam", "network.width=10000000", steps=1)


def test_threads_are_as_many_as_before() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        seen = []

        class Watching(Decay):
            def constraints(self) -> Any:
                seen.append(torch.get_num_threads())
                return super().constraints()

        pinn.solve(Watching(), points=20, boundary_points=5, seconds=0.01, grid=5, progress=False)
        assert torch.get_num_threads() == 2
        assert 1 in seen
        assert seen[-1] == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [0, True, 1.0])
def test_other_numbers_of_threads_are_refused(threads: Any) -> None:
    with pytest.raises(InputError, match="threads must be a whole number of at least 1"):
        pinn.solve(Decay(), threads=threads, progress=False)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    program = """
import resource, sys, torch
from pinn.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def step():
    torch.zeros(2**24, dtype=torch.float64)
for _ in range(3):  # until a gap is found that is wide enough
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = {
        way: int(subprocess.run([sys.executable, "-c", program, way], capture_output=True, check=True).stdout)
        for way in ("kept", "returned")
    }
    # Five times 128 MB, in pages of 4 kB, or of 2 MB where the system has a liking for large ones.
    assert faults["returned"] >= 5 * 64
    assert faults["kept"] < faults["returned"] / 10
