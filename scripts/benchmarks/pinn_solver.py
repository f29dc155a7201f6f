"""This project on one problem with all defaults, as `peers.py` runs it: `pinn_solver.py problem seed started`."""

import sys
from contextlib import nullcontext

import torch
from benchmarks.error_curve import ErrorCurve
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor

from pinn import config
from pinn.build import build
from pinn.domains import Points
from pinn.marching import Marching
from pinn.model import Model
from pinn.training.fit import fit

SHARE_OF_LOOKS = 0.02
"""Of the time, at most: a look evaluates all slabs on the whole grid, which may take a second."""


class Watch(Callback):
    """Looks at the error at the end of a block of steps, not all the time."""

    def __init__(self, curve: ErrorCurve, model: Model) -> None:
        self.curve, self.model, self.next = curve, model, 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Look at what the training begins with."""
        self.look()

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: object) -> None:
        """Look if that is due."""
        if self.curve.seconds >= self.next:
            self.look()

    def look(self) -> None:
        """Measure what would be left if the training ended now: in slabs of time, the ones not begun count too."""
        begun = self.curve.seconds
        whole = self.model.slabs.evaluating(None) if isinstance(self.model, Marching) else nullcontext()
        with torch.no_grad(), whole:
            self.curve.look(self._u)
        self.next = self.curve.seconds + (self.curve.seconds - begun) / SHARE_OF_LOOKS

    def _u(self, points: Points) -> Tensor:
        return self.model.fields(points)["u"]


def main(problem: str, seed: int, started: float) -> None:
    """Train from the configuration that `scripts/train.py` uses, and look at the best state at last."""
    values, _, _ = config.read([f"problem={problem}", f"seed={seed}"])
    console = Console(quiet=True)
    training, _ = build(values, console)
    watch = Watch(ErrorCurve(training.model.problem, started), training.model)
    fit(training, console=console, callbacks=[watch])
    watch.look()
    watch.curve.print()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
