"""Measure what the documentation claims: `python scripts/benchmark.py accuracy`, or another of the names below.

accuracy      every shipped problem with its defaults, whole process from command to exit, seeds 0, 1, 2; see --help
verdict       whether verdicts are right: estimated against true errors, and problems without a solution
derivatives   loss and parameter gradient with the taylor engine against nested reverse mode
speed         steps and Jacobians against plain torch, the trainer, and the time to the first step
peers         DeepXDE, where it is installed, and this project: error over wall time on Poisson and Burgers
gpu           what a GPU has to tell, in at most six minutes: its tests, steps, large solves, every problem
growth        time and memory of a step with the number of points, the width and the dimension
"""

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

NAMES = ("accuracy", "verdict", "derivatives", "speed", "gpu", "growth", "peers")
RESULTS = Path("outputs") / "benchmarks"


def main(words: list[str]) -> int:
    """Run the benchmark that the first word names with the other words, and keep what it returns as JSON."""
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if words[0] not in NAMES:
        print(f"error: there is no benchmark {words[0]!r}; the names are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    result = importlib.import_module(f"benchmarks.{words[0]}").main(words[1:])
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{words[0]}_{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
