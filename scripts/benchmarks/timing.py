"""Times of pieces of work side by side, and the machine that they were taken on."""

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

Work = Callable[[], object]


def medians(works: Mapping[str, Work], rounds: int = 15, seconds: float = 20.0) -> dict[str, float]:
    """Return the median processor time of each work in milliseconds.

    Rounds alternate between the works, so that a busy machine disturbs all alike, and go on for `rounds` rounds or so
    many seconds, but three at least. The first call of each, in which things are set up, does not count.
    """
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    end = time.monotonic() + seconds
    for done in range(rounds):
        if done >= 3 and time.monotonic() > end:
            break
        for name, work in works.items():
            started = time.process_time()
            work()
            times[name].append(time.process_time() - started)
    return {name: 1e3 * median(values) for name, values in times.items()}


def chip() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        names = [line.split(":")[1].strip() for line in path.read_text().splitlines() if line.startswith("model name")]
        numbers = [line.split(":")[1].strip() for line in path.read_text().splitlines() if line.startswith("model\t")]
        if names and numbers:
            return f"{names[0]}, model {numbers[0]}"
    return platform.processor() or platform.machine()


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
