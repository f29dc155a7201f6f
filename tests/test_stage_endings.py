"""Every stage says why it stopped, also where its optimizer does not say so itself."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import configuration
from helpers.small import Constants, Rosenbrock, model_of, points_of

from pinn import run
from pinn.objective import Objective
from pinn.optimizers import SelfScaledBroyden
from pinn.training import stage
from pinn.training.stage import advance
from pinn.weighting import Fixed


def valley() -> Objective:
    return Objective(model_of(Rosenbrock(), Constants), points_of(Rosenbrock()), Fixed())


LBFGS = partial(torch.optim.LBFGS, line_search_fn="strong_wolfe", tolerance_change=0, tolerance_grad=0)
ENDINGS = [
    (partial(LBFGS, tolerance_grad=1e-3), "is within tolerance_grad"),
    # Towards a least of zero the objective changes by the square of what the parameters do: it is small first.
    (partial(LBFGS, tolerance_change=1e-7), "the change of the objective is within tolerance_change"),
    (SelfScaledBroyden, "the gradient is zero"),
]


@pytest.mark.parametrize(("optimizer", "reason"), ENDINGS)
def test_an_optimizer_that_cannot_go_on_says_why(optimizer: Any, reason: str) -> None:
    objective = valley()
    made = optimizer(objective.parameters)
    assert advance(made, objective, 4) == (4, None)
    taken, why = advance(made, objective, 1000)
    assert taken < 1000
    assert why is not None
    assert reason in why


def test_evaluations_that_are_used_up_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "EVALUATIONS", 1)
    objective = valley()
    taken, why = advance(LBFGS(objective.parameters), objective, 20)
    assert 0 < taken < 20
    assert why == "20 evaluations were not enough"


def test_a_gradient_that_is_no_number_is_a_reason() -> None:
    objective = valley()
    [values] = objective.parameters
    values.data.fill_(torch.inf)
    assert advance(LBFGS([values]), objective, 5)[1] == "the gradient is not finite"


@pytest.mark.parametrize("resample", [0, 2])
def test_points_are_redrawn_within_a_block_when_that_is_asked(resample: int, tmp_path: Path, no_figures: None) -> None:
    """Iterations beyond the next draw are left to the next call, however long the block is."""
    seen = []

    def watched(self: SelfScaledBroyden, closure: Any) -> Any:
        seen.append((id(closure), self.param_groups[0]["max_iter"]))
        return step(self, closure)

    step = SelfScaledBroyden.step
    values = configuration("training=ssbroyden", steps=5, block=5)
    values["training"]["ssbroyden"]["resample"] = resample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SelfScaledBroyden, "step", watched)
        run.train(values, tmp_path / "run")
    assert [iterations for _, iterations in seen] == ([2, 2, 1] if resample else [5])


def test_the_reason_of_every_stage_is_written_down(tmp_path: Path, no_figures: None) -> None:
    values = configuration("training=adam_lbfgs", "training.lbfgs.optimizer.tolerance_change=1e3", steps=6)
    assert run.train(values, tmp_path / "run") == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["stopped"] == [
        "adam: all steps are taken after 6 steps",
        "lbfgs: the change of the parameters is within tolerance_change after 1 step",
    ]
    assert metrics["status"] == "stalled"
