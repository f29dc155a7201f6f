"""Nothing of a training lies on another device than the rest, also where there is no GPU to say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.runs import ROOT

FOLDER = Path(__file__).parent / "device"


@pytest.mark.parametrize("file", ["solving.py", pytest.param("runs.py", marks=pytest.mark.slow)])
def test_on_a_device(file: str) -> None:
    """In a process of its own: a device that a process has made is there for all of its tests."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(FOLDER / file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
