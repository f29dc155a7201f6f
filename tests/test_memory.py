"""Points in chunks give the sums of all points at once, and fit into memory."""

import math
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import ENDED, ROOT, SMALL, end_of, script, train
from helpers.shipped import SHIPPED
from helpers.small import Decay, model_of, points_of
from torch import Tensor

import pinn
from pinn import memory, run
from pinn.compilation import CompiledStep
from pinn.errors import InputError, OutOfMemory
from pinn.memory import bytes_per_point, choose_chunk, free_memory, out_of_memory_in_one_line
from pinn.networks import MLP
from pinn.objective import Objective
from pinn.problems import Kovasznay, Poisson
from pinn.training import Training
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
    with pytest.raises(OutOfMemory, match=r"chunk=.*points=.*grid="), out_of_memory_in_one_line():
        raise error


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_in_one_line():
        raise RuntimeError("shapes do not fit")


def test_what_cannot_be_allocated_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match="out of memory"):
        train(tmp_path / "run", "training=adam", "network.width=10000000", steps=1)
    assert not (tmp_path / "run").exists()


def hungry(plain: Callable[..., Any], call: int = 1) -> Callable[..., Any]:
    """Say that memory is exhausted at one of the calls, as torch does on a GPU."""
    calls = 0

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return plain(*arguments, **keywords)

    return wrapped


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("place", ["a stage", "its beginning", "evaluation", "figures"])
def test_memory_that_runs_out_costs_one_line_and_no_work(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder has a checkpoint from its first moment on, so that the run goes on where there is more memory."""
    words = [*SMALL, "training=adam", "training.adam.steps=6", "training.adam.block=2", f"hydra.run.dir={tmp_path}/run"]
    with monkeypatch.context() as patch:
        if place == "a stage":
            patch.setattr(Objective, "gradient", hungry(Objective.gradient, 4))
        elif place == "its beginning":
            patch.setattr(Training, "on_train_start", hungry(Training.on_train_start))
        elif place == "evaluation":
            patch.setattr("pinn.solution.evaluate", hungry(pinn.evaluation.evaluate))
        else:
            patch.setattr(run, "save_figures", hungry(run.save_figures))
        assert script("train").main(words) == 4
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: out of memory; a smaller chunk=")
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert run.resume(tmp_path / "run", {}) in ENDED
    assert train(tmp_path / "whole", "training=adam", steps=6, block=2) in ENDED
    assert end_of(tmp_path / "run") == end_of(tmp_path / "whole")


@pytest.mark.usefixtures("no_figures")
def test_memory_that_runs_out_in_evaluating_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "run", "training=adam", steps=1)
    capsys.readouterr()
    monkeypatch.setattr("pinn.solution.evaluate", hungry(pinn.evaluation.evaluate))
    assert script("evaluate").main([f"run={tmp_path / 'run'}", f"output={tmp_path / 'finer'}"]) == 4
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: out of memory")
    assert not (tmp_path / "finer").exists()


@pytest.mark.parametrize(
    "words", [["grid=300001"], ["grid={x: 300001, y: 300001}"], ["problem=poisson_5d", "grid=300001"]]
)
def test_a_grid_that_cannot_fit_is_refused_before_anything_else(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred thousand million points; no machine has the terabytes."""
    words = [*SMALL, "training=adam", *words, f"hydra.run.dir={tmp_path}/run"]
    assert script("train").main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "makes 90,000,600,001 points; fields, reference and residuals there take" in line
    assert "GB are free. Take fewer nodes." in line
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="Take fewer nodes"):
        pinn.solve(Poisson(), grid=300001, estimate=False, progress=False)


def test_so_is_one_for_an_evaluation(tmp_path: Path, no_figures: None, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "run", "training=adam", steps=1)
    assert script("evaluate").main([f"run={tmp_path / 'run'}", "grid=300001"]) == 2
    assert "Take fewer nodes" in capsys.readouterr().err


LIMITED = """
import resource, sys
sys.path.insert(0, {scripts!r})
import torch, pinn, train
from pinn.run import train as _
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
print("CODE", train.main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="other systems count from the start")
def test_the_peak_of_a_run_is_its_own() -> None:
    program = """
import torch
from pinn.memory import forget_peak, keep_freed_memory, peak_megabytes
keep_freed_memory()
cpu = torch.device("cpu")
before = peak_megabytes(cpu)
[torch.ones(2**17) for _ in range(1000)]
large = peak_megabytes(cpu)
forget_peak()
print(before, large, peak_megabytes(cpu))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, large, after = map(float, done.stdout.split())
    # 500 MB, kept by the allocator, and given back before the next run.
    assert large > before + 450
    assert after < before + 100


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what is used")
@pytest.mark.parametrize(
    ("megabytes", "words", "code", "said"),
    [
        (600, ["grid=9001"], 2, "take 2.6 GB, and 0."),
        (300, ["points=60000", "chunk=null", "network.width=60"], 4, "out of memory; a smaller chunk="),
        (340, ["points=60000", "chunk=auto", "network.width=60"], 5, ""),
    ],
    ids=["grid", "all at once", "in chunks"],
)
def test_a_process_with_little_memory(megabytes: int, words: list[str], code: int, said: str, tmp_path: Path) -> None:
    """`ulimit -v`: what would not fit is seen before, or said after; what fits in chunks is taken in chunks."""
    program = LIMITED.format(scripts=str(ROOT / "scripts"), megabytes=megabytes)
    given = [*SMALL, "training=adam", "training.adam.steps=2", *words, f"hydra.run.dir={tmp_path}/run"]
    done = subprocess.run([sys.executable, "-c", program, *given], capture_output=True, text=True, timeout=300)
    assert f"CODE {code}" in done.stdout, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    if code == 4:
        assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_threads_are_as_many_as_before() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        seen = []

        class Watching(Decay):
            def constraints(self) -> Any:
                seen.append(torch.get_num_threads())
                return super().constraints()

        pinn.solve(Watching(), points=20, boundary_points=5, seconds=0.01, grid=5, estimate=False, progress=False)
        assert torch.get_num_threads() == 2
        assert 1 in seen
        assert seen[-1] == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [0, True, 1.0])
def test_other_numbers_of_threads_are_refused(threads: Any) -> None:
    with pytest.raises(InputError, match="threads must be a whole number of at least 1"):
        pinn.solve(Decay(), threads=threads, estimate=False, progress=False)


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
