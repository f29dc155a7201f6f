"""Mutation testing of pinn.derivatives: `python tests/derivatives/mutants.py [--sample 500] [--only taylor]`.

A mutant is the package with one small error, such as + for -. It is killed if a test of this folder fails. mutmut makes
the mutants, in a temporary folder, and `forks` runs the tests. Prints the survivors and the share killed.
"""

import argparse
import math
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).parents[2]
# Which line a warning is said to come from: mutmut calls every function from a frame of its own.
DESELECTED = "tests/test_taylor_choice.py::test_that_line_is_said_to_come_from_the_one_that_asks"
# They need more than the package, and see nothing that the rest does not.
LEFT_OUT = ("test_standalone.py", "test_article.py", "test_documentation.py", "mutants.py", "forks.py", "__pycache__")


def main() -> int:
    """Run the mutants and return 0 if enough of them are killed."""
    parser = argparse.ArgumentParser(description="Mutation testing of pinn.derivatives.")
    parser.add_argument("--least", type=float, default=0.95, help="share of mutants that must be killed")
    parser.add_argument("--sample", type=int, default=0, help="number of mutants, drawn at random; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--only", default="", help="regular expression that the names of the mutants contain")
    parser.add_argument("--seconds", type=float, default=10.0, help="tests that a mutant is given, by their time")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="mutants that are tested at a time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        paths = {name: path for name, path in mutate() if re.search(arguments.only, name)}
        number = min(arguments.sample or len(paths), len(paths))
        sample = random.Random(arguments.seed).sample(list(paths), number)  # noqa: S311 (not for secrets)
        forks = Forks(sample, arguments.seconds, arguments.processes)
        sys.path.insert(0, folder)
        os.environ["OMP_NUM_THREADS"] = "1"
        options = ["--quiet", "--rootdir=.", "--capture=no", "-p", "no:cacheprovider", "--deselect", DESELECTED]
        if status := pytest.main(["tests", *options], plugins=[forks]):
            return status
        for name in forks.survivors:
            print(name, get_diff_for_mutant(name, paths[name].read_text(), paths[name]), sep="\n", end="\n\n")
    tried, killed = len(sample), len(sample) - len(forks.survivors)
    low, high = interval(killed, tried)
    print(
        f"{killed} of {tried} mutants killed: {killed / tried:.1%} (95 % interval {low:.1%} to {high:.1%}), expected "
        f"at least {arguments.least:.1%}. Drawn from {len(paths)} with seed {arguments.seed}; each was given the "
        f"quickest {arguments.seconds:g} s of the tests that reach it."
    )
    return 0 if killed >= arguments.least * tried else 1


def mutate() -> Iterator[tuple[str, Path]]:
    """Copy the package and its tests here, put all mutants into each module, and yield their names and modules."""
    shutil.copytree(ROOT / "pinn", "pinn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "derivatives", "tests", ignore=shutil.ignore_patterns(*LEFT_OUT))
    Path("setup.cfg").write_text("[mutmut]\nsource_paths=pinn\n")
    for path in sorted(Path("pinn/derivatives").rglob("*.py")):
        module = mutate_file_contents(str(path), path.read_text())
        path.write_text(module.code)
        for mutant in module.mutant_names:
            yield get_mutant_name(path, mutant), path


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Interval of Wilson (1927) for a share, with 95 % confidence."""
    z = 1.96
    share, weight = killed / tried, 1 / (1 + z**2 / tried)
    middle = weight * (share + z**2 / (2 * tried))
    half = weight * z * math.sqrt(share * (1 - share) / tried + z**2 / (4 * tried**2))
    return middle - half, middle + half


if __name__ == "__main__":
    sys.exit(main())
