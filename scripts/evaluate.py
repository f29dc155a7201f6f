"""Evaluate a run on any grid: `python scripts/evaluate.py run=<folder> [grid=201] [output=<folder>]`.

grid: nodes a coordinate, or grid.x=201 grid.t=101 for one each; by default the run's own grid.
output: a folder for solution.npz, evaluation.json and the figures on that grid.
estimate: whether the error is estimated, true unless false is said.
trust: your own modules that the run needs: trust=[my_module].
"""

import sys
from pathlib import Path

from pinn.errors import InputError, OutOfMemory
from pinn.signals import Signals

KEYS = ("run", "grid", "output", "trust", "estimate")


def main(words: list[str]) -> int:
    """Run what the words of the command line say and return the exit code."""
    if {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    try:
        return evaluate(words)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, OutOfMemory) as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


def evaluate(words: list[str]) -> int:
    """Evaluate the run that the words name."""
    from pinn import config
    from pinn.folder import require_file, require_other_folder
    from pinn.options import check

    values = config.parse(words)
    if unknown := set(values) - set(KEYS):
        raise InputError(f"there is no key {', '.join(sorted(unknown))}; the keys are {', '.join(KEYS)}.")
    if values.get("run") is None:
        raise InputError("say which run: python scripts/evaluate.py run=outputs/poisson/<date>_<time>_<unique>")
    check({key: value for key, value in values.items() if value is not None})
    run, output = Path(str(values["run"])), None if values.get("output") is None else Path(str(values["output"]))
    require_file(run, "checkpoints/best.ckpt")
    if output is not None:
        require_other_folder(output, run)
    from pinn.review import evaluate
    from pinn.verdict import exit_code

    estimate = values.get("estimate") is not False
    result = evaluate(run, grid=values.get("grid"), trust=values.get("trust") or [], output=output, estimate=estimate)
    return exit_code(result["verdict"]["status"])


if __name__ == "__main__":
    Signals().end_process()
    sys.exit(main(sys.argv[1:]))
