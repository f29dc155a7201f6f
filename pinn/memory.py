"""How many points fit into memory at a time, what to say when they do not, and memory kept from step to step."""

import ctypes
import math
import platform
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pinn.errors import OutOfMemory, is_out_of_memory
from pinn.objective import Objective

Chunk = Literal["auto"] | int | None

SHARE = 0.5
"""Of the free memory that a step may use: other programs and the allocator's gaps need some too."""
POINTS_TO_MEASURE = 256


def choose_chunk(chunk: Chunk, objective: Objective) -> int | None:
    """Return how many points to evaluate at a time; None for all of them.

    `auto` counts the bytes of all tensors that a step on a few points makes, as if none were freed before the end. That
    is the same on every machine, which free memory is not, and three to four times what is needed at any moment:
    32 against 9 kB a point by the taylor engine, 50 against 16 by reverse mode (Poisson, 4 × 50, float32).

    Args:
        chunk: a number, None, or "auto".
        objective: of the training.
    """
    if chunk != "auto":
        return chunk
    free = free_memory(objective.parameters[0].device)
    points = objective.count
    if free is None or points <= POINTS_TO_MEASURE:
        return None
    fitting = int(SHARE * free / bytes_per_point(objective))
    return None if fitting >= points else max(POINTS_TO_MEASURE, fitting)


def bytes_per_point(objective: Objective) -> float:
    """Return how many bytes a step makes for each point, where the constraints have their shares of the points."""
    pieces = math.ceil(objective.count / POINTS_TO_MEASURE)
    part = Objective(objective.model, objective.points, objective.weighting, chunk=POINTS_TO_MEASURE).parts()[0]
    with _Bytes() as made:
        part.gradient()
    return made.bytes * pieces / objective.count


class _Bytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            made = result if isinstance(result, tuple | list) else [result]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in made if isinstance(tensor, Tensor))
        return result


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on a device, within the limits of a container; None where that is unknown."""
    if device.type == "cuda":
        # What torch has set aside and does not use is free to it.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    known = [_available(), _left_in_container(), _left_to_process()]
    return min((value for value in known if value is not None), default=None)


def _available() -> int | None:
    path = Path("/proc/meminfo")
    if not path.exists():
        return None
    lines = dict(line.split(":") for line in path.read_text().splitlines())
    return 1024 * int(lines["MemAvailable"].split()[0])


def _left_in_container() -> int | None:
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if not limit.exists() or not used.exists() or limit.read_text().strip() == "max":
        return None
    return int(limit.read_text()) - int(used.read_text())


def _left_to_process() -> int | None:
    """Return what the limit of the process, `ulimit -v`, leaves of its addresses."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    path = Path("/proc/self/statm")
    if limit == resource.RLIM_INFINITY or not path.exists():
        return None
    return max(0, limit - int(path.read_text().split()[0]) * resource.getpagesize())


def forget_peak() -> None:
    """Let `peak_megabytes` count from now on, where the system lets it: on a GPU, and under Linux."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    if platform.libc_ver()[0] == "glibc":
        # What an earlier run has left to be used again is not of this one.
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes(device: torch.device) -> float:
    """Return the most memory that was used at a time: by torch on a GPU, elsewhere by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if status.exists() and (peak := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(peak[1]) / 2**10
    # Linux counts in kilobytes, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of settings in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next step, where its C library is glibc.

    It would hand large blocks back to the system and get them again page by page, each filled with zeros: a quarter of
    a step of Adam on Poisson's equation in a hundred dimensions (500 points, 4 × 128, float64), though nothing where
    steps are small. Other libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        set_option = ctypes.CDLL(None).mallopt
        set_option(M_MMAP_THRESHOLD, 2**30)
        set_option(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def out_of_memory_in_one_line() -> Iterator[None]:
    """Turn torch's ways to say that memory is exhausted into one error that names what to change."""
    try:
        yield
    except OutOfMemory:
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            "out of memory; a smaller chunk= bounds the memory of steps and evaluations. The Jacobian of "
            "Levenberg-Marquardt and least squares holds residuals × parameters numbers: take fewer points= or a "
            "smaller network. Errors are as large as grid=."
        ) from error
