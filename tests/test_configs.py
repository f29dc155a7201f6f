"""Every option composes with every other, builds, and takes steps; nothing is said twice."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from helpers.runs import ROOT, configuration
from rich.console import Console

from pinn import config
from pinn.build import build
from pinn.config import CONFIGS, options
from pinn.objective import Objective
from pinn.recipes import resolve
from pinn.training import Training
from pinn.training.stage import advance

TRAININGS = [name for name in options("training") if name != "auto"]
NETWORKS = {
    "lstsq": ("network=random_features", "network.features=20", "+network.scale=2", "~network.width", "~network.depth"),
    "refinement": ("network=refined", "+network.features=20"),
}


FEW_DIMENSIONS = ("problem.dimension=10",)


def built(*words: str) -> Training:
    needed = [word for training, more in NETWORKS.items() if f"training={training}" in words for word in more]
    needed += FEW_DIMENSIONS if "problem=poisson_100d" in words else ()
    training, _ = build(configuration("weighting=fixed", *words, *needed), Console(quiet=True))
    return training


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("problem", options("problem"))
def test_every_problem_takes_steps_with_every_training(problem: str, training: str) -> None:
    """Each stage takes three steps from the start; all but Adam never raise the objective that they see."""
    made = built(f"problem={problem}", f"training={training}")
    start = {name: value.clone() for name, value in made.model.state_dict().items()}
    for stage, optimizer in zip(made.stages.values(), made.stage_optimizers, strict=True):
        made.select_part(stage)
        made.model.load_state_dict(start)
        objective = Objective(made.model, made.collocation(0), made.weighting)
        before = objective.loss().item()
        taken = 0
        while taken < 3:
            steps, stuck = advance(optimizer, objective, 3 - taken)
            taken = 3 if stuck else taken + steps
        after = objective.loss().item()
        assert after < float("inf")
        if not isinstance(optimizer, torch.optim.Adam):
            assert after < before


GROUPS = sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())


@pytest.mark.parametrize(
    ("group", "option"), [(group, option) for group in GROUPS for option in options(group) if group != "problem"]
)
def test_every_option_composes(group: str, option: str) -> None:
    values, folder, _ = config.read([f"{group}={option}"])
    config.check_config(values)
    assert folder.parts[:2] == ("outputs", "poisson")


@pytest.mark.parametrize("problem", options("problem"))
def test_what_a_problem_chooses_yields_to_the_command_line(problem: str) -> None:
    words = ["points=77", "boundary_points=7", "seconds=3", "network=mlp", "training=lbfgs", "sampling=grid"]
    values, folder, _ = config.read([f"problem={problem}", *words])
    assert (values["points"], values["boundary_points"], values["seconds"]) == (77, 7, 3)
    assert values["network"]["_target_"] == "pinn.networks.MLP"
    assert list(values["training"]) == ["lbfgs"]
    assert values["sampling"]["_target_"] == "pinn.sampling.Grid"
    assert folder.parts[1] == problem


def test_two_compositions_name_two_folders() -> None:
    assert config.read([])[1] != config.read([])[1]


def test_sweeps_are_products() -> None:
    assert config.sweep(["seed=0,1", "problem=heat", "points=5,6"]) == [
        ["seed=0", "problem=heat", "points=5"],
        ["seed=0", "problem=heat", "points=6"],
        ["seed=1", "problem=heat", "points=5"],
        ["seed=1", "problem=heat", "points=6"],
    ]
    assert config.sweep(["seed=3"]) == [["seed=3"]]


def test_options_of_the_user_are_found_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "problem").mkdir()
    (tmp_path / "problem" / "mine.yaml").write_text("# @package _global_\nproblem:\n  _target_: mine.Mine\n")
    values, folder, _ = config.read(["problem=mine"], str(tmp_path))
    assert values["problem"] == {"_target_": "mine.Mine"}
    assert folder.parts[1] == "mine"


PROBLEM_FILES = sorted((CONFIGS / "problem").glob("*.yaml"))
OF_A_PROBLEM = {"problem", "defaults", "points", "boundary_points", "counts", "weights", "seconds", "grid"}


@pytest.mark.parametrize("path", PROBLEM_FILES, ids=lambda path: path.stem)
def test_a_problem_chooses_options_and_sets_no_keys_of_other_groups(path: Path) -> None:
    """A key that one option of a group has and another has not would leak into it."""
    content = yaml.safe_load(path.read_text())
    assert set(content) <= OF_A_PROBLEM
    for entry in content.get("defaults", []):
        assert entry == "_self_" or all(key.startswith("override /") for key in entry)


def recipes(node: Any) -> list[dict[str, Any]]:
    """Every mapping with a target, however deep."""
    if isinstance(node, list):
        return [recipe for item in node for recipe in recipes(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if node.get("_target_") else []
    return own + [recipe for item in node.values() for recipe in recipes(item)]


FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_repeats_a_default_of_the_class_that_it_builds(path: Path) -> None:
    """Python says what a thing is, YAML what differs: a value in both places will one day differ by accident."""
    for recipe in recipes(yaml.safe_load((CONFIGS / path).read_text())):
        parameters = inspect.signature(resolve(recipe["_target_"]).__init__).parameters
        for name, value in recipe.items():
            if name in parameters and not isinstance(value, dict):
                assert value != parameters[name].default, f"{name}={value} is the default of {recipe['_target_']}"


def test_defaults_of_solve_and_of_the_script_are_the_same() -> None:
    from pinn import solve

    values, _, _ = config.read([])
    parameters = inspect.signature(solve).parameters
    for name in ("points", "boundary_points", "seconds", "seed", "dtype", "grid"):
        assert parameters[name].default == values[name], name
    assert parameters["accelerator"].default == values["trainer"]["accelerator"]


def test_every_configuration_has_its_file_in_the_repository() -> None:
    assert (ROOT / "configs" / "train.yaml").is_file()
    assert {"problem", "network", "training", "sampling", "weighting", "trainer", "logger", "experiment"} == set(GROUPS)
