"""Every option composes with every other, builds, and takes steps; nothing is said twice."""

import inspect
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from helpers.runs import ROOT, configuration, script
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from rich.console import Console

from pinn import config
from pinn.build import build
from pinn.config import CONFIGS, options
from pinn.derivatives.taylor.choice import EngineName
from pinn.errors import InputError
from pinn.marching import time_of
from pinn.objective import Objective
from pinn.options import ENGINES
from pinn.problems import try_out
from pinn.recipes import rebuild, resolve
from pinn.sampling import Collocation, Sobol
from pinn.solution import PROBLEM
from pinn.training import Training

TRAININGS = [name for name in options("training") if name != "auto"]
NETWORKS = {
    "lstsq": ("network=random_features", "network.features=20", "+network.scale=2", "~network.width", "~network.depth"),
    "refinement": ("network=refined", "+network.features=20"),
    "march": ("network=marched", "~network.width", "~network.depth"),
}
IN_TIME = {name for name, shipped in SHIPPED.items() if time_of(shipped.problem()) is not None}


FEW_DIMENSIONS = ("problem.dimension=10",)


def built(*words: str) -> Training:
    needed = [word for training, more in NETWORKS.items() if f"training={training}" in words for word in more]
    needed += FEW_DIMENSIONS if "problem=poisson_100d" in words else ()
    training, _ = build(configuration("weighting=fixed", *words, *needed), Console(quiet=True))
    return training


@pytest.mark.parametrize("problem", sampled([name for name in options("problem") if name not in IN_TIME], 3))
def test_a_march_is_for_what_goes_from_its_start(problem: str) -> None:
    with pytest.raises(InputError, match="cannot be marched through: that needs conditions where a coordinate t"):
        built(f"problem={problem}", "training=march")


@pytest.mark.parametrize(
    ("problem", "training"),
    sampled(
        [
            (problem, training)
            for problem in options("problem")
            for training in TRAININGS
            if training != "march" or problem in IN_TIME
        ],
        6,
    ),
)
def test_every_problem_takes_steps_with_every_training(
    problem: str, training: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage takes three steps from the start; all but Adam never raise the objective that they see."""
    # Some references take seconds to compute; they are tried once below.
    monkeypatch.setattr("pinn.problems.trial.try_reference", lambda *_: None)
    made = built(f"problem={problem}", f"training={training}")
    start = {name: value.clone() for name, value in made.model.state_dict().items()}
    for stage, optimizer in zip(made.stages.values(), made.stage_optimizers, strict=True):
        made.draws.select(stage.part, stage.slab)
        made.model.load_state_dict(start)
        objective = Objective(made.model, made.draws.collocation(0), made.weighting)
        before = objective.loss().item()
        optimizer.run(objective, 3)
        after = objective.loss().item()
        assert after < float("inf")
        if optimizer.keeps_last:
            # Its objective is that of another slab then, unless the first one was as long as all of time.
            assert made.model.slabs.edges[1] < 1 or made.model.slabs.is_whole
        elif not optimizer.first_order:
            # A step that rates of 1e7 leave no room for is none.
            assert after < before or problem == "robertson"


@pytest.mark.parametrize("problem", sampled(options("problem"), 3))
def test_nothing_is_wrong_with_a_problem_that_ships(problem: str) -> None:
    values, _, _ = config.read([f"problem={problem}"])
    made = rebuild(values["problem"], PROBLEM)
    try_out(made, Collocation(made, Sobol(), 100, 50)(0))


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


@pytest.mark.parametrize("name", ["a b", "it's", "a,b", "[x]", "a\\b", "ü=1"])
def test_the_folder_of_options_may_have_any_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name / "problem").mkdir(parents=True)
    (tmp_path / name / "problem" / "mine.yaml").write_text("# @package _global_\nproblem:\n  _target_: mine.Mine\n")
    assert config.read(["problem=mine"], str(tmp_path / name))[0]["problem"] == {"_target_": "mine.Mine"}


BOMB = "a0: &a0 [1, 2]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 15))
STRANGE = {
    "aliases": (
        f"problem:\n  _target_: pinn.problems.Heat\n  x: &x {{}}\nweights: &w {{}}\n{BOMB}",
        "more than 10,000 values",
    ),
    "levels": ("problem: " + "[" * 5000, "32 levels"),
    "bytes": ("# " + "x" * 200_000, "more than 100,000 bytes"),
    "itself": ("problem: &p {_target_: *p}", "a value holds itself"),
    "tag": ("problem: !!python/object/apply:os.system [touch touched]", "a tag, which says how to build a value"),
    "list": ("[1, 2]", "holds no mapping"),
    "callback": (
        "hydra:\n  callbacks:\n    x:\n      _target_: os.system\n      command: touch touched",
        "sets hydra.callbacks",
    ),
    "logging": ("hydra:\n  hydra_logging:\n    handlers: {x: {(): os.system}}", "sets hydra.hydra_logging"),
    "folder": ("hydra:\n  run:\n    dir: /tmp/x", "sets hydra.run"),
    "launcher": ("hydra:\n  launcher:\n    _target_: os.system", "hydra.launcher"),
    "elsewhere": ("defaults:\n  - override /network: ../problem/poisson", "is no name of an option"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_an_option_file_of_a_stranger_can_do_no_harm(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hydra would expand aliases without end, and build what an option says about Hydra itself, also for --help."""
    monkeypatch.chdir(tmp_path)
    content, message = STRANGE[name]
    (tmp_path / "problem").mkdir()
    (tmp_path / "problem" / "mine.yaml").write_text(f"# @package _global_\n{content}\n")
    for words in (["problem=mine"], ["--help", "problem=mine"], ["--cfg", "job", "problem=mine"]):
        assert script("train").main(["--config-dir", str(tmp_path), *words]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert message in line
    assert not (tmp_path / "touched").exists()


def test_an_option_file_may_use_aliases(tmp_path: Path) -> None:
    (tmp_path / "problem").mkdir()
    text = "# @package _global_\nproblem:\n  _target_: pinn.problems.Heat\npoints: &n 70\nboundary_points: *n\n"
    (tmp_path / "problem" / "mine.yaml").write_text(text)
    values, _, _ = config.read(["problem=mine"], str(tmp_path))
    assert (values["points"], values["boundary_points"]) == (70, 70)


WORDS = [
    (["counts={boundary: 20}"], "counts", {"boundary": 20}),
    (["counts.boundary=20", "counts.equation=30"], "counts", {"boundary": 20, "equation": 30}),
    (["weights={boundary: 20}"], "weights", {"boundary": 20}),
    (["weights.equation.mass=2"], "weights", {"equation.mass": 2}),
    (["problem=allen_cahn", "weights.ring.slope=3"], "weights", {"ring.slope": 3}),
    (["grid.x=5", "grid.y=6"], "grid", {"x": 5, "y": 6}),
    (["problem=heat2d", "grid=7"], "grid", 7),
    (["trust=[a,b.c]"], "trust", ["a", "b.c"]),
]


@pytest.mark.parametrize(("words", "key", "value"), WORDS, ids=[words[-1] for words, _, _ in WORDS])
def test_names_need_no_plus_signs(words: list[str], key: str, value: Any) -> None:
    assert config.read(words)[0][key] == value


def test_a_sweep_over_options_takes_those_that_fit(tmp_path: Path) -> None:
    (tmp_path / "problem").mkdir()
    (tmp_path / "problem" / "poison.yaml").touch()
    assert config.sweep(["problem=glob(poisson_*)"]) == [
        [f"problem={name}"] for name in options("problem") if name.startswith("poisson_")
    ]
    assert ["problem=poison"] in config.sweep(["problem=glob(poiso*)"], str(tmp_path))
    assert config.sweep(["seed=range(0,3)"]) == [["seed=0"], ["seed=1"], ["seed=2"]]


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
            # The file shows both sizes of a network, though one of them is that of the class.
            if name in parameters and not isinstance(value, dict) and (path.stem, name) != ("mlp", "depth"):
                assert value != parameters[name].default, f"{name}={value} is the default of {recipe['_target_']}"


def test_defaults_of_solve_and_of_the_script_are_the_same() -> None:
    from pinn import solve

    values, _, _ = config.read([])
    parameters = inspect.signature(solve).parameters
    for name in ("points", "boundary_points", "seconds", "seed", "dtype", "grid"):
        assert parameters[name].default == values[name], name
    assert parameters["accelerator"].default == values["trainer"]["accelerator"]


def test_the_names_of_engines_are_those_that_there_are() -> None:
    """They are checked before torch is loaded, which the engines need."""
    assert get_args(EngineName) == ENGINES


def test_every_configuration_has_its_file_in_the_repository() -> None:
    assert (ROOT / "configs" / "train.yaml").is_file()
    assert {"problem", "network", "training", "sampling", "weighting", "trainer", "logger", "experiment"} == set(GROUPS)
