"""Everything that trains, judges and evaluates, on the GPU where there is one and on `helpers.far` elsewhere.

The files here are run by `tests/test_device.py`, each in a process of its own, in which the device stays.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers import far
from lightning.pytorch.accelerators import Accelerator, AcceleratorRegistry
from torch.utils import backend_registration

from pinn import prepare


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The device that `accelerator="auto"` takes."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch knows no devices that are written in Python")
    AcceleratorRegistry.register("far", FarAccelerator)
    return far.device()


@pytest.fixture(autouse=True)
def used(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let `far` be the device that this machine has."""
    if device.type != "far":
        yield
        return
    monkeypatch.setattr(torch, "Generator", far.Generator)
    monkeypatch.setattr(prepare, "choose_device", lambda name, *_: torch.device("cpu") if name == "cpu" else device)
    with far.SameGenerator():
        yield


@pytest.fixture(autouse=True)
def no_rank_promotion() -> None:
    """Look for nothing but devices: everything here is tried elsewhere too."""


@pytest.fixture
def same_points(device: torch.device) -> bool:
    """Whether random numbers of the device are those of the CPU, so that a training sees the same points."""
    return device.type == "far"


class FarAccelerator(Accelerator):
    """What Lightning has to know of it."""

    def setup_device(self, device: torch.device) -> None:
        if device != far.device():
            raise far.FarError(f"Lightning sets up {device}")

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}

    def teardown(self) -> None:
        pass

    @staticmethod
    def parse_devices(devices: int) -> list[int]:
        return list(range(devices))

    @staticmethod
    def get_parallel_devices(devices: list[int]) -> list[torch.device]:
        return [far.device() for _ in devices]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return "far"
