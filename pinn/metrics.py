"""What a run has reached, as `metrics.json` records it."""

import json
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from pinn.evaluation import Evaluation, built_in_residuals
from pinn.memory import peak_megabytes
from pinn.training import Training
from pinn.verdict import Verdict

SCHEMA = 2
"""Number of the layout of metrics.json."""


def measure(
    training: Training, evaluation: Evaluation, verdict: Verdict, *, seed: int, dtype: str, started: float
) -> dict[str, Any]:
    """Return what `metrics.json` holds, of the best state.

    Args:
        training: finished.
        evaluation: of its best state on the evaluation grid.
        verdict: on that state.
        seed: of the run.
        dtype: of the run, as it was given.
        started: what `time.perf_counter()` said when the run began.
    """
    problem, model = training.model.problem, training.model
    reference = problem.reference()
    parameter = next(model.parameters())
    total = time.perf_counter() - started
    return {
        "schema": SCHEMA,
        "status": verdict.status,
        "verdict": verdict.to_dict(),
        "stopped": training.reasons,
        "problem": type(problem).__name__,
        "seed": seed,
        "device": _device_name(parameter.device),
        "dtype": dtype,
        "parameters": model.size(),
        "steps": training.step,
        "best_step": training.record.best_step,
        "grid": list(next(iter(evaluation.coordinates.values())).shape),
        "relative_l2": evaluation.relative_l2,
        "relative_l2_total": evaluation.relative_l2_total,
        "max_error": evaluation.max_error,
        "reference": None if reference is None else {"kind": reference.kind, "error": reference.error},
        "residual_rms": {
            **verdict.rms,
            **{name: row.square().mean().sqrt().item() for name, row in built_in_residuals(model).items()},
        },
        "unknowns": {name: value.item() for name, value in problem.named_parameters()},
        "wall_seconds": {
            "setup": total - (training.budget.spent - training.budget.before) - verdict.seconds,
            "train": training.budget.spent,
            "verdict": verdict.seconds,
            "total": total,
        },
        "peak_memory_mb": peak_megabytes(parameter.device),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("pinn", "torch", "lightning")},
        },
    }


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def to_json(metrics: Mapping[str, Any]) -> str:
    """Return metrics as JSON; numbers that are not finite, which JSON does not know, become null."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, float) and not -float("inf") < value < float("inf"):
            return None
        return value

    return json.dumps(clean(metrics), indent=2, ensure_ascii=False) + "\n"
