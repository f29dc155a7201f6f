"""An installed pinn, not an editable one, has its configurations with it and finds them."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.runs import ROOT

from pinn.config import options

GROUPS = ("problem", "network", "training", "sampling", "weighting", "logger", "trainer")


def test_a_wheel_holds_the_configurations(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-q", "-w"]
    subprocess.run([*build, str(tmp_path)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import json, pinn; from pinn import config; from pinn.option_files import CONFIGS, options;"
        f"print(json.dumps([pinn.__file__, str(CONFIGS), {{g: options(g) for g in {GROUPS!r}}},"
        "config.read(['problem=burgers', 'training=adam'])[0]['problem']]))"
    )
    # Nothing of the repository is on the way.
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {program}"]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, env={}).stdout

    file, configs, found, problem = json.loads(said)
    assert Path(file).parent == Path(configs).parent == tmp_path / "site" / "pinn"
    assert found == {group: options(group) for group in GROUPS}
    assert problem["_target_"] == "pinn.problems.Burgers"
