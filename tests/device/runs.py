"""Whole runs with every training: cut on the device, resumed there, they end where runs on the CPU end."""

import json
from pathlib import Path

import pytest
import torch
from helpers.runs import cut_after, train

from pinn import run
from pinn.config import options

FEATURES = ("network=random_features", "network.features=30", "+network.scale=4", "~network.width", "~network.depth")
TRAININGS: dict[str, tuple[str, ...]] = {
    **{name: (f"training={name}",) for name in options("training") if name != "auto"},
    "lstsq": ("training=lstsq", *FEATURES),
    "refinement": ("training=refinement", "network=refined", "+network.features=30"),
    "mixed": ("training=ssbroyden", "dtype=mixed", "sampling=rad"),
    "hard": ("training=levenberg_marquardt", "hard=true", "sampling=uniform"),
    "chunks": ("training=lbfgs", "chunk=30", "engine=reverse", "weighting=fixed"),
    "taylor": ("training=adam", "engine=taylor", "sampling=grid", "weighting=equilibrated"),
    "single": ("training=adam_lbfgs", "dtype=float32"),
}
"""Words for each, among them every option of training, sampling, weighting, engine and precision."""
CUT = {"adam_lbfgs": 2, "levenberg_marquardt": 2, "mixed": 2, "refinement": 2, "ssbroyden": 10}
"""After so many questions to the budget these are cut, to go on from their checkpoint; 10 are in the second stage."""


@pytest.mark.parametrize("name", TRAININGS)
def test_a_run_on_the_device(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: torch.device, same_points: bool
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    words = [*TRAININGS[name], f"estimate={str(name == 'lstsq').lower()}"]
    if name != "lstsq":
        # Pictures are drawn from numbers on the CPU, whatever the training was.
        monkeypatch.setattr(run, "save_figures", lambda *_: [])
    with monkeypatch.context() as patch:
        cut_after(patch, CUT.get(name, 1000))
        train(there, *words, "trainer.accelerator=auto", steps=6)
    if name in CUT:
        assert json.loads((there / "metrics.json").read_text())["verdict"]["status"] == "interrupted"
        run.resume(there, {})
    metrics = json.loads((there / "metrics.json").read_text())
    assert metrics["device"] == (torch.cuda.get_device_name(device) if device.type == "cuda" else device.type)
    assert metrics["steps"] > 0
    if same_points:
        train(here, *words, "trainer.accelerator=cpu", steps=6)
        on_cpu = json.loads((here / "metrics.json").read_text())
        # Six steps carry on what sums in another order leave of round-off.
        rounding = 1e-3 if "float32" in " ".join(TRAININGS[name]) or name == "mixed" else 1e-7
        for key in ("relative_l2", "max_error", "residual_rms"):
            assert metrics[key] == pytest.approx(on_cpu[key], rel=rounding), key
