"""Every stage says why it stopped, also where its optimizer does not say so itself."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import ENDED, configuration
from helpers.small import Constants, Rosenbrock, model_of, points_of

from pinn import run
from pinn.objective import Objective
from pinn.optimizers import SelfScaledBroyden
from pinn.training import Stage
from pinn.training.budget import Budget
from pinn.weighting import Fixed


def valley() -> Objective:
    return Objective(model_of(Rosenbrock(), Constants), points_of(Rosenbrock()), Fixed())


LBFGS = partial(torch.optim.LBFGS, line_search_fn="strong_wolfe", tolerance_change=0, tolerance_grad=0)
ENDINGS = [
    (partial(LBFGS, tolerance_grad=1e-3), "is within tolerance_grad"),
    # Towards a least of zero the slope is the square of what the parameters do: it is small first.
    (partial(LBFGS, tolerance_change=1e-7), "the slope along the direction of search is within tolerance_change"),
    (SelfScaledBroyden, "the gradient is zero"),
]


@pytest.mark.parametrize(("optimizer", "reason"), ENDINGS)
def test_an_optimizer_that_cannot_go_on_says_why(optimizer: Any, reason: str) -> None:
    objective = valley()
    made = Stage(optimizer, steps=1).make(objective.parameters)
    assert made.run(objective, 4)[:2] == (4, None)
    taken, why, _ = made.run(objective, 1000)
    assert taken < 1000
    assert why is not None
    assert reason in why


def test_a_gradient_that_is_no_number_is_a_reason() -> None:
    objective = valley()
    [values] = objective.parameters
    values.data.fill_(torch.inf)
    assert Stage(LBFGS, steps=1).make([values]).run(objective, 5).reason == "the gradient is not finite"


@pytest.mark.parametrize("resample", [0, 2])
def test_points_are_redrawn_within_a_block_when_that_is_asked(resample: int, tmp_path: Path, no_figures: None) -> None:
    """Iterations beyond the next draw are left to the next call, however long the block is."""
    seen = []

    def watched(self: SelfScaledBroyden, objective: Objective, steps: int, *stop: Budget) -> Any:
        if stop:  # there is none in the rehearsal
            seen.append(steps)
        return run_(self, objective, steps, *stop)

    run_ = SelfScaledBroyden.run
    values = configuration("training=ssbroyden", steps=5, block=5)
    values["training"]["ssbroyden"]["resample"] = resample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SelfScaledBroyden, "run", watched)
        run.train(values, tmp_path / "run")
    assert seen == ([2, 2, 1] if resample else [5])


def test_the_reason_of_every_stage_is_written_down(tmp_path: Path, no_figures: None) -> None:
    values = configuration("training=adam_lbfgs", steps=6)
    values["training"]["lbfgs"]["optimizer"] = {
        "_target_": "torch.optim.LBFGS",
        "line_search_fn": "strong_wolfe",
        "tolerance_change": 1e3,
    }
    assert run.train(values, tmp_path / "run") in ENDED
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["stopped"] == [
        "adam: all steps are taken after 6 steps",
        "lbfgs: the slope along the direction of search is within tolerance_change after 1 step",
    ]
