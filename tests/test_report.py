"""The table at the end says what was reached, and claims nothing that is not known."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.small import model_of
from rich.console import Console

from pinn.evaluation import evaluate
from pinn.problems import Poisson
from pinn.report import open_console, print_errors, print_metrics

METRICS: dict[str, Any] = {
    "problem": "Poisson",
    "relative_l2": {"u": 1.234e-5},
    "max_error": {"u": 5.678e-5},
    "reference": {"kind": "exact", "error": 1e-15},
    "residual_rms": {"equation": 3.21e-4},
    "unknowns": {},
    "parameters": 1234,
    "steps": 2000,
    "best_step": 1990,
    "stopped": ["adam: all steps are taken after 1000 steps", "lbfgs: time is up after 20 s"],
    "status": "solved",
    "verdict": {
        "status": "solved",
        "reason": "to about 2e-05",
        "error": {"u": 2.1e-5},
        "unknowns": {},
        "notes": ["source jumps [somewhere]"],
    },
    "wall_seconds": {"setup": 1.0, "train": 20.0, "total": 21.0},
    "device": "cpu",
    "dtype": "float64",
}


def printed(watched: bool = False, **changes: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_metrics(console, METRICS | changes, Path("outputs/poisson/now"), watched)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_brackets_are_printed_as_they_are() -> None:
    """They mean something to rich; names, folders and reasons may have them."""
    said = printed(stopped=["adam: [/x] of [1, 2]"], residual_rms={"[red]": 1.0})
    assert "adam: [/x] of [1, 2]" in said
    assert "residual of [red] (rms)" in said


def test_everything_is_there() -> None:
    said = printed(watched=True)
    for expected in ("1.23e-05", "5.68e-05", "exact, its own error 1e-15", "3.21e-04", "1,234", "2,000", "1,990"):
        assert expected in said
    for expected in ("solved to about 2e-05", "estimated error of u", "2.1e-05", "source jumps [somewhere]"):
        assert expected in said
    for expected in (
        "time is up after 20 s",
        "21.0 s, 20.0 s",
        "cpu, float64",
        "tensorboard --logdir outputs/poisson/now",
    ):
        assert expected in said
    assert "tensorboard" not in printed(watched=False)


def test_no_error_is_claimed_below_that_of_the_reference() -> None:
    said = printed(relative_l2={"u": 4e-16})
    assert "below 1e-15" in said
    assert "4.00e-16" not in said
    assert "below" not in printed()


def test_without_a_reference_it_says_so() -> None:
    said = printed(relative_l2={}, max_error={}, reference=None)
    assert "relative L2" not in said
    assert re.search(r"reference +│ none", said)


def test_unknown_coefficients_are_listed() -> None:
    assert "2.0000123" in printed(unknowns={"rate": 2.0000123})


def test_the_path_stays_whole_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("outputs") / ("long_name_" * 20)
    print_metrics(open_console(), METRICS, folder, watched=True)
    assert f"tensorboard --logdir {folder} " in capsys.readouterr().out


def test_errors_on_a_grid_are_those_of_the_evaluation() -> None:
    problem = Poisson()
    model = model_of(problem)
    evaluation = evaluate(model, problem.domain.grid({"x": 5, "y": 4}, next(model.parameters()).dtype))
    console = Console(file=io.StringIO(), width=200)
    print_errors(console, problem, evaluation)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Poisson on a grid of 5 × 4" in said
    assert f"{evaluation.relative_l2['u']:.2e}" in said
