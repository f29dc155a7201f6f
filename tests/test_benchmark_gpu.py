"""The benchmark of a GPU can be tried without one, and loses nothing when a part fails or takes too long."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks import gpu


def test_small_parts_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = ["steps", "solves"]
    found = gpu.main(["--device", "cpu", "--quick", "--parts", *parts, "--out", str(tmp_path)])
    assert json.loads((tmp_path / "gpu.json").read_text()) == found
    for part in parts:
        assert found["parts"][part]["ended"] == "complete", (tmp_path / f"gpu_{part}.log").read_text()
    ways = {row["way"]: row["steps a second"] for row in found["parts"]["steps"]["rows"]}
    assert set(ways) == {"eager", "captured"}
    assert all(rate > 0 for rate in ways.values())
    rows = found["parts"]["solves"]["rows"]
    assert [(row["method"], row["parameters"]) for row in rows] == [
        *(("LeastSquares", 60), ("LevenbergMarquardt", 77)),
        *(("LeastSquares", 100), ("LevenbergMarquardt", 151)),
    ]
    assert all(row["rows"] > row["parameters"] for row in rows)
    assert "no GPU" in found["device"]
    assert found["versions"]["torch"] == torch.__version__
    told = (tmp_path / "gpu.txt").read_text()
    assert "no GPU" in told
    assert told.count("complete") == 2
    assert "LevenbergMarquardt" in capsys.readouterr().out


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let these lines of a shell be what runs a part."""
    path = folder / "program"
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o700)
    monkeypatch.setattr(gpu.sys, "executable", str(path))


def test_what_was_found_before_the_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the part has begun in turn, which would write this file; the last line is cut."""
    late = tmp_path / "late"
    program(tmp_path, monkeypatch, "echo '{\"found\": 1}'", "printf '{\"found'", f"(sleep 3; touch {late}) & wait")
    result = gpu.run_part("solves", [], tmp_path, seconds=1)
    assert result["rows"] == [{"found": 1}]
    assert result["ended"] == "its time was up"
    gpu.time.sleep(4)
    assert not late.exists()


def test_a_part_that_fails_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "echo '{\"found\": 1}'", "exit 3")
    found = gpu.main(["--device", "cpu", "--out", str(tmp_path)])
    assert {part: result["ended"] for part, result in found["parts"].items()} == dict.fromkeys(gpu.PARTS, "exit code 3")
    assert all(result["rows"] == [{"found": 1}] for result in found["parts"].values())


def test_the_limits_leave_room_within_six_minutes() -> None:
    assert sum(gpu.PARTS.values()) < 360
    assert set(gpu.PARTS) == set(gpu.WORKS)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cuda"])
    assert "--device cpu" in capsys.readouterr().err
