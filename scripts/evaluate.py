"""Evaluate a run on any grid: `python scripts/evaluate.py run=<folder> [grid=201] [output=<folder>]`.

grid: nodes a coordinate, or grid.x=201 grid.t=101 for one each; by default the run's own grid.
output: a folder for solution.npz and the figures on that grid.
trust: your own modules that the run needs: trust=[my_module].
"""

import sys
from pathlib import Path
from typing import Any

KEYS = ("run", "grid", "output", "trust")


def main(words: list[str]) -> int:
    """Run what the words of the command line say and return the exit code."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from pinn.errors import InputError

    if {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    try:
        values: Any = OmegaConf.to_container(OmegaConf.from_dotlist(words))
        if unknown := set(values) - set(KEYS):
            raise InputError(f"there is no key {', '.join(sorted(unknown))}; the keys are {', '.join(KEYS)}.")
        if "run" not in values:
            raise InputError("say which run: python scripts/evaluate.py run=outputs/poisson/<date>_<time>_<unique>")
        from pinn.run import evaluate

        output = Path(values["output"]) if "output" in values else None
        evaluate(Path(str(values["run"])), grid=values.get("grid"), trust=values.get("trust") or [], output=output)
        return 0
    except (InputError, OmegaConfBaseException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
