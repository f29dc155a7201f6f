"""What tests of compiled and captured graphs share."""

import shutil
from types import ModuleType
from typing import Any

import pytest

needs_a_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="Inductor needs g++, which is not here")


def counted_captures(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[int]:
    """Return a list whose only entry is how many graphs a module has captured from now on."""
    capture, count = module.capture, [0]

    def counted(*arguments: Any) -> Any:
        count[0] += 1
        return capture(*arguments)

    monkeypatch.setattr(module, "capture", counted)
    return count
