"""A training under Lightning, in one process on one device, whatever the environment says."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import SingleDeviceStrategy
from rich.console import Console

from pinn.signals import Signals
from pinn.training.callbacks import Checkpoints, ProgressBar, Scalars
from pinn.training.module import Training


def fit(
    training: Training,
    *,
    console: Console,
    signals: Signals | None = None,
    logger: Logger | None = None,
    folder: Path | None = None,
    header: dict[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train until the stages end, time is up or a signal is noted, and leave the best state in the model.

    Args:
        training: from `pinn.prepare.prepare`, perhaps restored.
        console: where progress is shown.
        signals: ends the training after the iteration in progress when it has noted one.
        logger: takes the scalars.
        folder: where checkpoints go, if they are wanted: there is one from the beginning on.
        header: written into the checkpoints beside what the training saves.
        callbacks: further callbacks of Lightning.
    """
    if signals is not None:
        training.budget.interrupted = lambda: signals.received is not None
        signals.heard = training.budget.leave
    checkpoints = Checkpoints(folder, header or {}) if folder else None
    if checkpoints and not checkpoints.exist():
        checkpoints.write(training)
    with warnings.catch_warnings(), _quiet("lightning.pytorch"):
        # Lightning has advice for loaders of data sets; there is no data set here.
        warnings.filterwarnings("ignore", module="lightning")
        device = next(training.parameters()).device
        own = [ProgressBar(console), Scalars(), *([checkpoints] if checkpoints else [])]
        trainer = _Trainer(
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=1,
            strategy=_WhereItIs(device),
            max_epochs=1,
            logger=logger or False,
            callbacks=[*own, *callbacks],
            plugins=[_one_process()],
            default_root_dir=os.devnull,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            inference_mode=False,
        )
        trainer.fit(training)
    if checkpoints:
        checkpoints.write(training)
    training.use_best()


class _Trainer(Trainer):
    """Leaves signals to `pinn.signals`."""

    @property
    def received_sigterm(self) -> bool:
        """Never: Lightning would leave its loop by SystemExit, at whatever step it is."""
        return False


class _WhereItIs(SingleDeviceStrategy):
    """Trains on the device where the model is, and leaves it there: its points are there, and the best state is next.

    Lightning takes a model to the CPU in the end.
    """

    def teardown(self) -> None:
        """Move nothing."""


def _one_process() -> LightningEnvironment:
    """Return an environment that takes no notice of SLURM, torchrun, MPI and the like.

    Lightning would refuse some of their variables, keep its loggers silent where a rank is not 0, and under SLURM write
    checkpoints into the current folder and load those that it finds there. It looks for them in `default_root_dir`,
    which is therefore no folder.
    """
    environment = LightningEnvironment()
    environment.set_global_rank(0)
    return environment


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger below warnings for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
