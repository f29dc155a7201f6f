"""The table of the benchmark: it has every problem, and what it draws can be built."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks import accuracy

from pinn import config
from pinn.config import options
from pinn.recipes import rebuild
from pinn.solution import PROBLEM


def test_every_problem_has_a_row() -> None:
    assert {row.problem for row in accuracy.ROWS.values()} == set(options("problem"))


@pytest.mark.parametrize("name", accuracy.ROWS)
def test_rows_and_their_variants_are_problems(name: str) -> None:
    row = accuracy.ROWS[name]
    for variant in ([], accuracy.draw_variant(name, 0), accuracy.draw_variant(name, 1)):
        values, _, _ = config.read([f"problem={row.problem}", *row.words, *variant])
        arguments = rebuild(values["problem"], PROBLEM).arguments
        for key, limits in row.variants.items():
            drawn = arguments[key] if isinstance(limits, list) else [arguments[key]]
            for number, (low, high) in zip(drawn, limits if isinstance(limits, list) else [limits], strict=True):
                # As the row itself has it where nothing is drawn; four digits are kept of what is drawn.
                assert not variant or 0.999 * low <= number <= 1.001 * high


def test_draws_follow_from_the_seed() -> None:
    assert accuracy.draw_variant("burgers", 0) == accuracy.draw_variant("burgers", 0)
    assert accuracy.draw_variant("burgers", 0) != accuracy.draw_variant("burgers", 1)
    assert accuracy.draw_variant("poisson", 0) == []


def test_each_run_is_kept_as_soon_as_it_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def process(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        words = dict(word.split("=", 1) for word in command[2:])
        asked.append((words["problem"], words["seed"], words.get("problem.speed")))
        if words["problem"] == "heat":
            return subprocess.CompletedProcess(command, 3, "", "diverged")
        folder = Path(words["hydra.run.dir"])
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"relative_l2": {"u": 1e-3, "v": 2e-3}}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(accuracy, "subprocess", SimpleNamespace(run=process))
    log = tmp_path / "runs.jsonl"
    words = ["--rows", "advection_fast", "heat", "--seeds", "0", "1", "--jobs", "2", "--output", str(log)]
    result = accuracy.main(words)
    assert sorted(asked) == [
        *(("advection", seed, "80.0") for seed in "01"),
        *(("heat", seed, None) for seed in "01"),
    ]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted((line["row"], line["seed"], line["error"]) for line in lines) == [
        *(("advection_fast", seed, 2e-3) for seed in (0, 1)),
        *(("heat", seed, float("inf")) for seed in (0, 1)),
    ]
    assert [run["seed"] for run in result["rows"]["heat"]["runs"]] == [0, 1]
