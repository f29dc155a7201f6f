"""What has been seen of a training: the rows of its history, and the best state."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pinn.training.held_out import Row

COUNTERS = ("best_validation", "best_in_stage", "best_step", "looks_without_progress")


class Record:
    """Remembers every look at the held-out points, and the state with the lowest objective there.

    Args:
        model: whose states are remembered.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.history: list[Row] = []
        self.best_state = copied(model.state_dict())
        self.best_step = 0
        self.best_validation = math.inf
        self.best_in_stage = math.inf
        self.looks_without_progress = 0

    def begin_stage(self) -> None:
        """Compare with what comes alone: weights and points of another stage make another objective."""
        self.best_validation = self.best_in_stage = math.inf
        self.looks_without_progress = 0

    def add(self, row: Row, latest_is_best: bool = False) -> None:
        """Remember a look, and the present state if it is the best of the stage, or the latest always is."""
        self.history.append(row)
        validation = row["validation"]
        if not math.isfinite(validation):
            return
        self.looks_without_progress = 0 if validation < 0.9 * self.best_in_stage else self.looks_without_progress + 1
        self.best_in_stage = min(validation, self.best_in_stage)
        if validation < self.best_validation or latest_is_best:
            self.best_validation, self.best_step = validation, int(row["step"])
            self.best_state = copied(self.model.state_dict())

    def state_to_save(self) -> dict[str, Any]:
        """Return tensors and plain values."""
        counters = {name: getattr(self, name) for name in COUNTERS}
        return {"history": self.history, "best_state": self.best_state, **counters}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up what `state_to_save` returned."""
        self.history, self.best_state = list(saved["history"]), copied(saved["best_state"])
        for name in COUNTERS:
            setattr(self, name, saved[name])


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same tensors, which nobody else writes into."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}
