"""What README and docs say is so: snippets run, commands work, links lead somewhere, defaults are the defaults."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import torch
from helpers.documents import blocks
from helpers.runs import ENDED, ROOT, SMALL, script
from helpers.shipped import SHIPPED
from test_runs import METRICS

from pinn import config
from pinn.config import options

README = "README.md"
DOCUMENTS = [README, "CHANGELOG.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def lines(language: str = "bash") -> list[str]:
    """The command lines of the README, without their comments."""
    code = "\n".join(blocks(README, language))
    return [line.split("  #")[0].strip() for line in code.splitlines() if line.strip()]


@pytest.mark.parametrize("code", blocks(README, "python"), ids=lambda code: code.splitlines()[-1][:40])
def test_snippets_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exec(compile(code, README, "exec"), {"__name__": "readme"})  # noqa: S102


def test_the_commands_work_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand, with a smaller training: solve, into a folder of one's own, go on, evaluate."""
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line)[1:] for line in lines() if line.startswith("python scripts/")]
    assert {command[0] for command in commands} == {"scripts/train.py", "scripts/evaluate.py"}
    small = [*SMALL, "training=adam", "training.adam.steps=2"]
    for name, *words in commands:
        if "--help" in words:
            continue
        given = words if name == "scripts/evaluate.py" or any(w.startswith("resume=") for w in words) else small + words
        assert script(Path(name).stem).main(given) in ENDED, words
    assert (tmp_path / "my_run" / "metrics.json").is_file()
    # Of one solve and of one check, which draws the points and nothing else.
    folders = [{path.name for path in folder.iterdir()} for folder in (tmp_path / "outputs" / "burgers").iterdir()]
    assert sorted("metrics.json" in names for names in folders) == [False, True]
    assert {"points.png"} in folders


def test_the_targets_of_make_are_there() -> None:
    makefile = text("Makefile")
    for line in lines():
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


def test_what_is_installed_by_hand_is_what_make_installs() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    [torch_needed] = [need for need in project["dependencies"] if need.startswith("torch>")]
    # Within what is allowed: the newest versions may come with CUDA's libraries.
    [by_hand] = set(re.findall(r'pip install "(torch[^"]+)"', text(README)))
    assert f'"{by_hand}"' in text("Makefile")
    assert by_hand.split(",")[0] == torch_needed.split(",")[0]
    assert "dev" in project["optional-dependencies"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in text(README)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text(document)):
        if not target.startswith("https://"):
            assert ((ROOT / document).parent / target).is_file(), target


def defaults() -> dict[str, tuple[str, str]]:
    """Default and meaning by key, as the table of the README states them."""
    table = text(README).split("## The configuration")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \| (.+) \|$", table, re.MULTILINE)
    found = {}
    for keys, values, meaning in rows:
        names = re.findall(r"`(\w+)`", keys)
        parts = values.split(", ") if len(names) > 1 and "," in values else [values] * len(names)
        found |= {name: (value.strip("` "), meaning) for name, value in zip(names, parts, strict=True)}
    return found


def test_the_table_has_every_key_with_its_default() -> None:
    values, _, hydra = config.read([])
    choices = hydra["hydra"]["runtime"]["choices"]
    stated = defaults()
    assert set(stated) == {*config.KEYS, "experiment"}
    for key, (default, _) in stated.items():
        if key in choices:
            expected = "none" if choices[key] in (None, "null") else choices[key]
        else:
            expected = {"{}": "empty", "[]": "empty", "None": "null", "False": "false", "True": "true"}.get(
                str(values[key]), str(values[key])
            )
        assert default == expected, key


@pytest.mark.parametrize("group", ["network", "training", "sampling", "weighting", "logger", "experiment"])
def test_the_table_names_every_option(group: str) -> None:
    default, meaning = defaults()[group]
    assert {*re.findall(r"`(\w+)`", meaning), default} >= set(options(group))


def test_the_table_of_metrics_has_every_key() -> None:
    table = text("docs/runs.md").split("## `metrics.json`")[1].split("\n## ")[0]
    names = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in names for name in row} == METRICS


def test_nothing_in_the_repository_names_a_place_that_only_its_authors_have() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"/(work|tmp|home|root)/", text(document))


def problem_rows(heading: str) -> dict[str, list[str]]:
    """Rows of a table of docs/problems.md by the problem's name."""
    part = text("docs/problems.md").split(heading)[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_page_of_problems_has_every_problem() -> None:
    assert sorted(problem_rows("# The problems that ship")) == options("problem")


@pytest.mark.parametrize("name", options("problem"))
def test_the_page_of_problems_states_class_and_coefficients(name: str) -> None:
    made, coefficients = problem_rows("## Coefficients")[name]
    problem = SHIPPED[name].problem
    assert made == f"`{problem.__name__}`"
    stated = dict(re.findall(r"`(\w+)=([^`]+)`", coefficients))
    assert stated == {key: repr(value) for key, value in problem().arguments.items()}
