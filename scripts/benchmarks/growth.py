"""Growth: time and memory of a step with the number of points, the width of the network, and the dimension.

Loss and gradient in float32 on one core, not captured; each size in a process of its own, so that peak memory is its
own. Points beyond one chunk show that memory is bounded. `--record` writes docs/benchmarks/growth.png.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from pinn.report import open_console

ROOT = Path(__file__).parent.parent.parent
PLOT = ROOT / "docs" / "benchmarks" / "growth.png"
CHUNK = 20_000
SIZES = {
    "points": (1_000, 10_000, 100_000, 1_000_000),
    "width": (32, 64, 128, 256, 512, 1024),
    "dimension": (2, 10, 100, 1_000),
}
"""What grows; the rest stays at 2,500 points (20 in many dimensions), width 50, depth 4, dimension 2."""

Row = dict[str, float]


def main(words: list[str]) -> dict[str, list[Row]]:
    """Measure every size in a process of its own, print a table, and return the numbers."""
    parser = argparse.ArgumentParser(prog="benchmark.py growth", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(SIZES), choices=list(SIZES), help="what grows")
    parser.add_argument("--record", action="store_true", help="keep the plot in the repository")
    given = parser.parse_args(words)
    found: dict[str, list[Row]] = {}
    table = Table("what grows", "size", "ms", "peak, MB", title=f"chunk={CHUNK}")
    for what in given.only:
        for size in SIZES[what]:
            program = f"from benchmarks.growth import measure; measure({what!r}, {size})"
            command = [sys.executable, "-c", program]
            said = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True).stdout
            row = json.loads(said.splitlines()[-1])
            found.setdefault(what, []).append(row)
            table.add_row(what, f"{size:,}", f"{row['ms']:.1f}", f"{row['mb']:.0f}")
    open_console().print(table)
    if given.record:
        draw(found)
    return found


def measure(what: str, size: int) -> None:
    """Print the processor time of a step and the peak memory of this process as JSON."""
    import torch
    from benchmarks.speed_cases import many_dimensions, objective_of

    from pinn.memory import keep_freed_memory
    from pinn.objective import Objective
    from pinn.problems import Poisson

    torch.set_num_threads(1)
    keep_freed_memory()
    if what == "dimension":
        work: Any = many_dimensions(size, width=50, points=20, captured=False).works["pinn, eager"]
    else:
        points, width = (size, 50) if what == "points" else (2_500, size)
        _, whole = objective_of(Poisson(), points, boundary_points=400, width=width)
        work = Objective(whole.model, whole.points, whole.weighting, chunk=CHUNK)
    work()
    times = []
    while len(times) < 3 and sum(times) < 20:
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"size": size, "ms": 1e3 * sorted(times)[len(times) // 2], "mb": peak}))


def draw(found: dict[str, list[Row]]) -> None:
    """Plot time with a line of slope one, and memory below it, over each size."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(found), figsize=(3.6 * len(found), 5.6), squeeze=False, layout="constrained")
    for (above, below), (what, rows) in zip(axes.T, found.items(), strict=True):
        sizes = [row["size"] for row in rows]
        above.loglog(sizes, [row["ms"] for row in rows], "o-")
        above.loglog(sizes, [rows[-1]["ms"] * size / sizes[-1] for size in sizes], "--", color="gray", label="linear")
        above.set(xlabel=what, ylabel="time of a step, ms", ylim=(1, None))
        above.legend()
        below.semilogx(sizes, [row["mb"] for row in rows], "o-")
        below.set(xlabel=what, ylabel="peak memory, MB", ylim=(0, None))
        for axis in (above, below):
            axis.grid(alpha=0.3)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=100)
    plt.close(figure)
