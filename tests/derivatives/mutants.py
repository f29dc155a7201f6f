"""Mutation testing of pinn.derivatives: `python tests/derivatives/mutants.py [--least 0.95] [--processes 2]`.

A mutant is the package with one small error, such as + for -. It is killed if a test fails. mutmut 3 makes them in a
temporary folder and runs for each the tests of this folder that reach it. Prints the survivors and the share killed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# They need more than the package, and see nothing that the rest does not.
LEFT_OUT = (
    "test_standalone.py",
    "test_article.py",
    "test_documentation.py",
    "mutants.py",
    "__pycache__",
)
CONFIGURATION = """[mutmut]
source_paths=pinn
only_mutate=pinn/derivatives/*.py
pytest_add_cli_args_test_selection=tests
"""


def main() -> int:
    """Run the mutants and return 0 if enough of them are killed."""
    parser = argparse.ArgumentParser(description="Mutation testing of pinn.derivatives.")
    parser.add_argument("--least", type=float, default=0.95, help="share of mutants that must be killed")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="mutants that are tested at a time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        mutmut(folder, "run", "--max-children", str(arguments.processes))
        mutmut(folder, "export-cicd-stats")
        counts = json.loads((Path(folder) / "mutants" / "mutmut-cicd-stats.json").read_text())
        survivors = mutmut(folder, "results", quiet=True).split()
        for name in survivors[::2]:
            print(mutmut(folder, "show", name.rstrip(":"), quiet=True))
    share = counts["killed"] / counts["total"]
    print(
        f"{counts['killed']} of {counts['total']} mutants killed: {share:.1%}, expected at least {arguments.least:.1%}"
    )
    return 0 if share >= arguments.least else 1


def prepare(folder: Path) -> None:
    """Copy the package and its tests into the folder."""
    shutil.copytree(ROOT / "pinn", folder / "pinn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "derivatives", folder / "tests", ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / "setup.cfg").write_text(CONFIGURATION)


def mutmut(folder: str, *words: str, quiet: bool = False) -> str:
    """Run mutmut in the folder; what it prints is shown, or returned instead."""
    command = [sys.executable, "-m", "mutmut", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=quiet, text=True, check=True)
    return run.stdout if quiet else ""


if __name__ == "__main__":
    sys.exit(main())
