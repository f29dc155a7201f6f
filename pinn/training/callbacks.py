"""What happens around a training: files are kept, people see how it goes, signals end it in order."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pinn import checkpoint
from pinn.training.held_out import values_of
from pinn.training.module import Training

SECONDS_BETWEEN_CHECKPOINTS = 10.0
SECONDS_BETWEEN_LINES = 10.0


def _training(module: LightningModule) -> Training:
    if not isinstance(module, Training):
        raise TypeError(f"this callback belongs to pinn.training.Training; it was given {type(module).__name__}.")
    return module


class Checkpoints(Callback):
    """Writes `last.ckpt`, from which a training goes on exactly, and `best.ckpt`, the solution to use.

    Both are written at the end and every ten seconds in between. `last.ckpt` holds the best state too, so that a run
    killed between the two writes loses nothing.

    Args:
        folder: where to write; it is made if it is missing.
        header: written into both beside what the training saves: how to build the model again, for example.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder, self.header = folder, header
        self._written = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Write if the last time is long enough ago."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_CHECKPOINTS:
            self._write(_training(module))

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write the last state."""
        self._write(_training(module))

    def _write(self, training: Training) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.folder / "last.ckpt", {**self.header, "training": training.state_to_save()})
        checkpoint.save(
            self.folder / "best.ckpt",
            {**self.header, "state": training.best_state, "history": training.history},
        )
        self._written = time.monotonic()


class ProgressBar(Callback):
    """Shows stage, steps, objective, errors and time: a bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Progress | None = None
        self._printed = -SECONDS_BETWEEN_LINES
        self._reasons = 0

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

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Show the last row of history."""
        training = _training(module)
        name, stage = list(training.stages.items())[training.stage]
        row = training.history[-1]
        errors = [f"error {field} {value:.1e}" for field, value in values_of(row, "relative_l2").items()]
        state = ", ".join([f"loss {row['loss']:.1e}", *errors])
        if self.bar is not None:
            self.bar.update(
                self.task, description=name, total=stage.steps, completed=training.step_in_stage, state=state
            )
        elif time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES:
            steps = f"{training.step_in_stage}/{stage.steps} steps"
            line = escape(f"{name}: {steps}, {state}, {training.budget.trained:.0f} s")
            self.console.print(line, highlight=False)
            self._printed = time.monotonic()
        self._say_reasons(training)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Close the bar."""
        self._close()
        self._say_reasons(_training(module))

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Close the bar, so that what went wrong can be read."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _say_reasons(self, training: Training) -> None:
        """Print why each stage stopped, once."""
        for reason in training.reasons[self._reasons :]:
            self.console.print(f"[bold]stopped[/bold] {escape(reason)}", highlight=False)
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


class Signals(Callback):
    """Lets SIGINT and SIGTERM end a training after the step in progress, with everything saved.

    A second signal ends the process at once. Signals can only be caught in the main thread; in any other this does
    nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Take over the signals from whoever had them."""
        if threading.current_thread() is not threading.main_thread():
            return

        def note(number: int, frame: FrameType | None) -> None:
            self.received = number
            _training(module).interrupted = True
            self._restore()

        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, note)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
