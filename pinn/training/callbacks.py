"""What happens around a training: files are kept, and people see how it goes."""

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pinn import checkpoint
from pinn.training.held_out import values_of
from pinn.training.module import Training
from pinn.training.state import state_of
from pinn.waiting import said_if_long

SECONDS_BETWEEN_CHECKPOINTS = 10.0
SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_SILENCE = 15.0
"""After which a Lightning step, which pauses after ten where it can, is said to go on."""


def _training(module: LightningModule) -> Training:
    if not isinstance(module, Training):
        raise TypeError(f"this callback belongs to pinn.training.Training; it was given {type(module).__name__}.")
    return module


class Checkpoints(Callback):
    """Writes `last.ckpt`, from which a training goes on exactly, and `best.ckpt`, the solution to use.

    Both are written every ten seconds, and by `write` at the end; before the first look there is no best state.
    `last.ckpt` holds the best state too, so that a run killed between the two writes loses nothing.

    Args:
        folder: where to write; it is made if it is missing.
        header: written into both beside what the training saves: how to build the model again, for example.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder, self.header = folder, header
        self._written = -math.inf

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Write if the last time is long enough ago."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_CHECKPOINTS:
            self.write(_training(module))

    def exist(self) -> bool:
        """Whether there are any from which a training can go on."""
        return (self.folder / "last.ckpt").exists()

    def write(self, training: Training) -> None:
        """Write both as they are now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.folder / "last.ckpt", {**self.header, "training": state_of(training)})
        if training.history:
            best = {"state": training.record.best_state, "history": training.history}
            checkpoint.save(self.folder / "best.ckpt", {**self.header, **best})
        self._written = time.monotonic()


class ProgressBar(Callback):
    """Shows stage, steps, objective, errors and time: a bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Progress | None = None
        self._printed = -SECONDS_BETWEEN_LINES
        self._reasons = 0
        self._step = ExitStack()

    def on_fit_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Be ready to say that what comes before the first step takes long."""
        self._step.enter_context(said_if_long(self._say, "going on: points, weights and the reference are looked at"))

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Open the bar."""
        self._reasons = len(_training(module).reasons)
        if self.console.is_terminal:
            columns = [
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
            ]
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=1, state="")

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Be ready to say that it takes long."""
        self._step.close()
        training = _training(module)
        line = f"{list(training.stages)[training.stage]}: going on after {training.step_in_stage} steps"
        self._step.enter_context(said_if_long(self._say, line, SECONDS_OF_SILENCE))

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Show the last row of history."""
        self._step.close()
        training = _training(module)
        name, stage = list(training.stages)[training.stage], training.current
        row = training.history[-1]
        errors = [f"error {field} {value:.1e}" for field, value in values_of(row, "relative_l2").items()]
        reached = filter(None, [training.model.reached()])
        state = ", ".join([*reached, f"loss {row['loss']:.1e}", *errors])
        if self.bar is not None:
            self.bar.update(
                self.task, description=name, total=stage.steps, completed=training.step_in_stage, state=state
            )
        elif time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES:
            steps = f"{training.step_in_stage}/{stage.steps} steps"
            self._say(escape(f"{name}: {steps}, {state}, {training.budget.spent:.0f} s"))
            self._printed = time.monotonic()
        self._say_reasons(training)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Close the bar."""
        self._close()
        self._say_reasons(_training(module))

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Close the bar, so that what went wrong can be read."""
        self._close()

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False)

    def _close(self) -> None:
        self._step.close()
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _say_reasons(self, training: Training) -> None:
        """Print why each stage stopped, once."""
        for reason in training.reasons[self._reasons :]:
            self._say(f"[bold]stopped[/bold] {escape(reason)}")
        self._reasons = len(training.reasons)


class Scalars(Callback):
    """Writes each row of history to TensorBoard: `loss`, `validation`, `residual/…`, `relative_l2/…` over steps."""

    def __init__(self) -> None:
        self._rows = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Go on behind the rows that an earlier part of this run has written."""
        self._rows = len(_training(module).history) - 1

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Write the new rows."""
        if isinstance(trainer.logger, TensorBoardLogger):
            history = _training(module).history
            for row in history[max(self._rows, 0) :]:
                values = {name: value for name, value in row.items() if name != "step"}
                trainer.logger.log_metrics(values, step=int(row["step"]))
            self._rows = len(history)
