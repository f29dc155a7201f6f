"""Solve a partial differential equation: `python scripts/train.py problem=poisson`. See `--help`."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import NoReturn

from pinn.errors import InputError, OutOfMemory
from pinn.signals import Signals

STARTED = time.perf_counter()


def main(words: list[str], signals: Signals | None = None) -> int:
    """Run what the words of the command line say and return the exit code."""
    signals = signals or Signals()
    return in_one_line(lambda: follow(words, signals))


def in_one_line(action: Callable[[], int]) -> int:
    """Return the exit code of an action, or say in one line what kept it from its end."""
    try:
        return action()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, OutOfMemory) as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


class Parser(ArgumentParser):
    """Knows the flags; the words between them are Hydra's business."""

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self.add_argument("overrides", nargs="*")
        self.add_argument("-cd", "--config-dir")
        self.add_argument("-m", "--multirun", action="store_true")
        # Hydra answers these itself.
        self.add_argument("-h", "--help", action="store_true")
        self.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
        topics = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
        self.add_argument("-i", "--info", nargs="?", const="all", choices=topics)
        self.add_argument("-sc", "--shell-completion", action="store_true")

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise InputError(f"{message}; see --help.")


def follow(words: list[str], signals: Signals) -> int:
    """Answer a question, go on with a run, or start one or several."""
    # Neither Hydra nor pinn.config loads torch: a question or a mistake is answered within a second.
    from pinn import config

    given = Parser().parse_intermixed_args(words)
    if given.shell_completion:
        with redirect_stderr(StringIO()):
            code = ask_hydra(words)
        if code:
            raise InputError("-sc needs install=bash, uninstall=bash or query=bash, or the same for zsh or fish.")
        return 0
    if given.help or given.cfg or given.info:
        config.read(given.overrides, given.config_dir)
        return ask_hydra(config.with_pluses(words))
    if any(word.startswith("resume=") for word in given.overrides):
        return resume(given.overrides, signals)
    codes = []
    started: float | None = STARTED
    for run in config.sweep(given.overrides, given.config_dir) if given.multirun else [given.overrides]:
        # One of several runs that cannot be done leaves the others alone; a signal ends them all.
        codes.append(in_one_line(lambda run=run, started=started: train(run, given.config_dir, started, signals)))
        if signals.received is not None:
            break
        started = None
    # A run that could not be done is graver than one that came to no solution.
    return max(codes, key=lambda code: (code not in (0, 5), code))


def train(overrides: list[str], config_dir: str | None, started: float | None, signals: Signals) -> int:
    """Start a run."""
    from pinn import config
    from pinn.folder import require_free

    values, folder, hydra = config.read(overrides, config_dir)
    require_free(folder)
    if values["check"]:
        from pinn.review import check

        return check(values, folder)
    from pinn.run import train

    hydra = {"overrides": overrides, **hydra}
    return train(values, folder, hydra=hydra, started=started, signals=signals)


def resume(overrides: list[str], signals: Signals) -> int:
    """Go on with the run in the folder that `resume=` names."""
    from pinn import config
    from pinn.folder import check_changes, read_config

    changes = config.parse(overrides)
    folder = changes.pop("resume")
    if folder is None:
        raise InputError("resume= needs the folder of a run, as in resume=outputs/poisson/<date>_<time>_<unique>.")
    check_changes(changes)
    read_config(Path(str(folder)))
    from pinn.run import resume

    return resume(Path(str(folder)), changes, started=STARTED, signals=signals)


def ask_hydra(words: list[str]) -> int:
    """Let Hydra answer a question about configurations."""
    import hydra

    from pinn.config import CONFIGS, register_resolvers

    register_resolvers()
    sys.argv[1:] = words
    try:
        hydra.main(config_path=str(CONFIGS), config_name="train", version_base="1.3")(lambda config: None)()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    signals = Signals()
    signals.end_process()
    sys.exit(main(sys.argv[1:], signals))
