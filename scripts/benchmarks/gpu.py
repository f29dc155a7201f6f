"""All that a GPU has to tell, in at most six minutes: tests, steps a second, large solves, every problem once.

Each part is a process of its own with a limit of its own. What it has found by then is kept, line by line, in a folder,
and the next part begins. Without a GPU, `--device cpu --quick` tries the same in small.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import torch
from benchmarks.timing import chip, versions
from rich.console import Console
from rich.table import Table

from pinn.devices import finish
from pinn.report import open_console

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path("outputs") / "benchmarks"
PARTS = {"steps": 100, "solves": 60, "problems": 110, "tests": 80}
"""Seconds for each, in order."""
SECONDS = 8
"""For each problem: `seconds=` of its run."""
Found = dict[str, Any]


def main(words: list[str]) -> Found:
    """Run the parts one after another, print a table of each, and return all that they found."""
    parser = argparse.ArgumentParser(prog="benchmark.py gpu", description=__doc__)
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: the GPU if there is one"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and few of them, to try the script itself")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="which parts")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a folder for what is found, as it is found")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU for --device cuda; --device cpu does the same on the CPU.")
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if given.device == "auto" else given.device)
    if given.part:
        for line in WORKS[given.part](device, given.quick):
            print(json.dumps(line), flush=True)
        return {}
    console, found = open_console(), about(device)
    found |= {"quick": given.quick, "parts": {}}
    headline = f"{found['date']}: {found['device']}, {', '.join(' '.join(each) for each in found['versions'].items())}"
    console.print(headline, highlight=False)
    given.out.mkdir(parents=True, exist_ok=True)
    for part in given.parts:
        found["parts"][part] = run_part(part, [f"--device={device}", *(["--quick"] * given.quick)], given.out)
        console.print(table_of(part, found))
        (given.out / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        with (given.out / "gpu.txt").open("w", encoding="utf-8") as file:
            page = Console(file=file, width=200)
            page.print(headline)
            for each in found["parts"]:
                page.print(table_of(each, found))
    return found


def about(device: torch.device) -> Found:
    """Return when and on what something is measured."""
    gpu, driver = device.type == "cuda", ""
    if gpu and which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "device": torch.cuda.get_device_name(device) if gpu else f"no GPU: {chip()}",
        "cpus": os.cpu_count(),
        "versions": versions("torch", "lightning", "triton")
        | {"cuda": torch.version.cuda or "none", "driver": driver or "none"},
    }


def run_part(part: str, words: list[str], out: Path, seconds: float | None = None) -> Found:
    """Run a part in a process, at most so many seconds, and return its lines and how it ended."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"}
    program = f"from benchmarks.gpu import main; main({['--part', part, *words]!r})"
    lines, log = out / f"gpu_{part}.jsonl", out / f"gpu_{part}.log"
    began = time.monotonic()
    with lines.open("w", encoding="utf-8") as stdout, log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=stdout, stderr=stderr, env=environment, start_new_session=True
        )
        try:
            code = process.wait(PARTS[part] if seconds is None else seconds)
            ended = "complete" if code == 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            ended = "its time was up"
        finally:
            if process.poll() is None:
                # With all that it has begun.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    # The last line may have been cut.
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {"ended": ended, "seconds": round(time.monotonic() - began, 1), "rows": rows}


def table_of(part: str, found: Found) -> Table:
    """Return the table of a part."""
    result = found["parts"][part]
    table = Table(title=f"{part} on {found['device']}: {result['ended']}, {result['seconds']:.0f} s")
    names = list(dict.fromkeys(name for row in result["rows"] for name in row))
    for name in names:
        table.add_column(name, justify="right")
    for row in result["rows"]:
        table.add_row(
            *(f"{value:.3g}" if isinstance(value := row.get(name, ""), float) else str(value) for name in names)
        )
    return table


def steps(device: torch.device, quick: bool) -> Iterator[Found]:
    """Gradients a second in every way, of Poisson's equation and of a flow with three fields: 4 × 50 tanh, float32."""
    from benchmarks.speed_cases import NavierStokes, objective_of

    from pinn.problems import Poisson

    for problem in (Poisson(), NavierStokes())[: 1 if quick else 2]:
        _, objective = objective_of(problem, *((40, 10, 6, 2) if quick else (2500, 400)), device=device)
        for way, make in ways(device, quick).items():
            began = time.perf_counter()
            work = make(objective)
            work()
            finish(device)
            row = {
                "problem": type(problem).__name__,
                "way": way,
                "seconds until the first": time.perf_counter() - began,
            }
            yield row | {"steps a second": 1 / seconds_of(work, device, least=0.1 if quick else 2.0)}


def ways(device: torch.device, quick: bool) -> dict[str, Callable[[Any], Callable[[], object]]]:
    """Return what makes, from an objective, a function that computes its gradients, by the name of the way."""
    from pinn.compilation import capture, kernels
    from pinn.compilation.capture import first_order_step, state_of

    def graph_of(objective: Any) -> tuple[Any, tuple[Any, ...]]:
        points = {name: {key: x.detach() for key, x in at.items()} for name, at in objective.points.items()}
        scales = {name: objective.parameters[0].new_tensor(objective.scale(name)) for name in objective.spans()}
        inputs = state_of(objective.model), points, scales
        return capture(first_order_step(objective.model), *inputs), inputs

    def captured(objective: Any) -> Callable[[], object]:
        graph, inputs = graph_of(objective)
        return torch.no_grad()(partial(graph, *inputs))

    def compiled(objective: Any, cuda_graphs: bool) -> Callable[[], object]:
        graph, inputs = graph_of(objective)
        return torch.no_grad()(partial(kernels.compiled(graph, cuda_graphs), *inputs))

    def replayed(objective: Any) -> Callable[[], object]:
        work, graph = captured(objective), torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            # Libraries make what they need in the first calls, which cannot be part of a graph.
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(aside)
        with torch.cuda.graph(graph):
            work()
        return graph.replay

    gpu = device.type == "cuda"
    return {
        "eager": lambda objective: objective,
        "captured": captured,
        **({"captured, one CUDA graph": replayed} if gpu else {}),
        **({"compiled, CUDA graphs": partial(compiled, cuda_graphs=True)} if gpu and not quick else {}),
        **({"compiled": partial(compiled, cuda_graphs=False)} if not quick else {}),
    }


def seconds_of(work: Callable[[], object], device: torch.device, least: float) -> float:
    """Return the seconds of a call, from as many as take so many seconds together."""
    calls = 1
    while True:
        finish(device)
        began = time.perf_counter()
        for _ in range(calls):
            work()
        finish(device)
        taken = time.perf_counter() - began
        if taken >= least:
            return taken / calls
        calls *= 2


def solves(device: torch.device, quick: bool) -> Iterator[Found]:
    """Time and memory of a step of least squares, three rows an unknown, and of Levenberg-Marquardt, two rows."""
    from pinn.networks import MLP, RandomFeatures
    from pinn.objective import Objective
    from pinn.optimizers import LeastSquares, LevenbergMarquardt
    from pinn.problems import Poisson
    from pinn.sampling import Collocation, Sobol
    from pinn.solution import build_model
    from pinn.weighting import Fixed

    problem = Poisson().copied(device)
    for size in (60, 100) if quick else (1_500, 5_000, 10_000):
        # A tanh network of four layers of w units has 3 w² + 7 w + 1 parameters.
        width = round((size / 3) ** 0.5)
        for optimizer, network, share in (
            (LeastSquares, partial(RandomFeatures, features=size, scale=8.0), 3),
            (LevenbergMarquardt, partial(MLP, width=width, depth=4), 2),
        ):
            points = Collocation(problem, Sobol(), points=share * size - size // 4, boundary_points=size // 4)
            torch.manual_seed(0)
            model = build_model(problem, network, torch.float64).to(device)
            objective = Objective(model, points.to(device, torch.float64)(0), Fixed())
            method = optimizer(objective.parameters)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            taken = []
            for _ in range(2 if quick else 4):
                finish(device)
                began = time.perf_counter()
                method.run(objective, 1)
                finish(device)
                taken.append(time.perf_counter() - began)
            peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
            row = {"method": optimizer.__name__, "parameters": sum(p.numel() for p in objective.parameters)}
            yield row | {"rows": objective.rows, "first": taken[0], "seconds a step": min(taken[1:]), "peak, GB": peak}


def problems(device: torch.device, quick: bool) -> Iterator[Found]:
    """Every shipped problem once with its defaults and a cap of seconds, some side by side, each as a user runs it."""
    from benchmarks.accuracy import ROWS

    jobs = 1 if quick else min(5, os.cpu_count() or 1)
    names = ["poisson"] if quick else sorted(ROWS, key=lambda name: ROWS[name].seconds, reverse=True)
    with ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(_solve, ROWS[name].problem, ROWS[name].words, device, quick) for name in names]
        for done in as_completed(runs):
            yield done.result()


def _solve(problem: str, words: tuple[str, ...], device: torch.device, quick: bool) -> Found:
    accelerator = "gpu" if device.type == "cuda" else "cpu"
    with tempfile.TemporaryDirectory() as parent:
        folder, began = Path(parent) / "run", time.perf_counter()
        said = [f"problem={problem}", *words, f"seconds={1 if quick else SECONDS}", f"hydra.run.dir={folder}"]
        said += [f"trainer.accelerator={accelerator}", *(["points=100", "grid=11"] if quick else [])]
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *said]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        row: Found = {"problem": " ".join([problem, *words]), "code": done.returncode}
        row["seconds"] = time.perf_counter() - began
        if not (folder / "metrics.json").exists():
            return row | {"ended": " ".join(done.stderr.split())[-300:]}
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    worst = max(metrics["relative_l2"].values(), default=None)
    row |= {"error": worst, "steps": metrics["steps"], "peak, MB": round(metrics["peak_memory_mb"])}
    return row | {"device": metrics["device"], "ended": (metrics["stopped"] or [metrics["status"]])[-1]}


def tests(device: torch.device, quick: bool) -> Iterator[Found]:
    """The tests that a device is for, which take what GPU there is, side by side where that can be."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | (
        {} if device.type == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
    )
    chosen = ["-k", "taylor"] if quick else []
    beside = ["-n", "8"] if not quick and find_spec("xdist") and (os.cpu_count() or 1) >= 8 else []
    # Collected by name, as pytest does not look for them; see tests/test_device.py.
    files = [str(ROOT / "tests" / "device" / f"{name}.py") for name in ("runs", "solving")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-vv",
        "--tb=short",
        "-rN",
        "-p",
        "no:cacheprovider",
        *beside,
        *chosen,
        *files,
    ]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            name, result = re.search(r"::(\S+)", line), re.search(r"PASSED|FAILED|ERROR", line)
            if name and result:
                yield {"test": name[1], "result": result[0]}


WORKS: dict[str, Callable[[torch.device, bool], Iterator[Found]]] = {
    "steps": steps,
    "solves": solves,
    "problems": problems,
    "tests": tests,
}
"""What each part does: it yields rows of its table."""
