"""Solve a partial differential equation: `python scripts/train.py problem=poisson`. See `--help`."""

import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
ANSWERED_BY_HYDRA = (
    "--help",
    "-h",
    "--hydra-help",
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--version",
    "--shell-completion",
    "-sc",
)


def main(words: list[str]) -> int:
    """Run what the words of the command line say and return the exit code."""
    # Hydra and the checks of pinn.config come first: a mistake or a question is answered without loading torch.
    from pinn.errors import InputError

    try:
        if any(word.split("=")[0] in ANSWERED_BY_HYDRA for word in words) or {"-m", "--multirun"} & set(words):
            return hydra_main()
        overrides, config_dir = split(words)
        if any(word.startswith("resume=") for word in overrides):
            return resume(overrides)
        from pinn import config

        values, folder, hydra = config.read(overrides, config_dir)
        from pinn.run import train

        return train(values, folder, hydra={"overrides": overrides, **hydra}, started=STARTED)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return 130


def split(words: list[str]) -> tuple[list[str], str | None]:
    """Separate overrides from the one flag that goes with them, `--config-dir`."""
    from pinn.errors import InputError

    overrides: list[str] = []
    config_dir = None
    rest = iter(words)
    for word in rest:
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            config_dir = value or next(rest, None)
        elif word.startswith("-"):
            raise InputError(f"there is no flag {word}; see --help.")
        else:
            overrides.append(word)
    return overrides, config_dir


def resume(overrides: list[str]) -> int:
    """Go on with the run in the folder that `resume=` names."""
    from omegaconf import OmegaConf

    from pinn.run import resume

    values: Any = OmegaConf.to_container(OmegaConf.from_dotlist(overrides))
    return resume(Path(str(values.pop("resume"))), values, started=STARTED)


def hydra_main() -> int:
    """Let Hydra answer a question, or start several runs one after another."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig, OmegaConf

    from pinn.config import CONFIGS

    codes: list[int] = []

    @hydra.main(config_path=str(CONFIGS), config_name="train", version_base="1.3")
    def job(composed: DictConfig) -> None:
        from pinn.errors import InputError
        from pinn.run import train

        values: Any = OmegaConf.to_container(composed, resolve=True)
        folder = Path(HydraConfig.get().runtime.output_dir)
        try:
            codes.append(train(values, folder / "run", started=time.perf_counter()))
        except InputError as error:
            # One run of many: the others go on.
            print(f"error: {error}", file=sys.stderr)
            codes.append(2)

    job()
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
