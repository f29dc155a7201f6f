"""Recipes build classes of ours, torch's and whom the user trusts, of the kind that a place needs, and nothing else."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from pinn.annotations import admits
from pinn.errors import InputError
from pinn.networks import MLP
from pinn.parts import SAMPLING, WEIGHTING
from pinn.problems import Burgers, Poisson
from pinn.recipes import Place, describe, rebuild, resolve
from pinn.solution import NETWORK, PROBLEM
from pinn.training import Stage

STAGE = Place("training.adam", Stage)
ANYTHING = Place("anything", object)

FORBIDDEN = [
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "torch.load",
    "torch.hub.load",
    "torch.utils.collect_env.run",
    "torch.optim.optimizer.torch.utils.collect_env.run",
    "torch.optim.optimizer.torch.load",
    "torch.nn.modules.module.torch.load",
    "torch.nn.modules.module.functools.partial",
    "torch.optim.lr_scheduler.partial",
    "lightning.pytorch.loggers.TensorBoardLogger",
    "lightning.pytorch.callbacks.ModelCheckpoint",
    "pinn.run.import_module",
    "pinn.files.write_text",
    "pinn.files.os.system",
    "pinn.files.tempfile.NamedTemporaryFile",
    "pinn.solution.Path",
    "pinn.errors.InputError.__init__",
    "pinn.run.train",
    "pinn",
    "torch",
    "Poisson",
    "",
    ".",
    "..",
    "pinn.",
    ".pinn.problems.Poisson",
]


@pytest.mark.parametrize("target", FORBIDDEN)
def test_what_may_not_be_built_is_refused(target: str) -> None:
    with pytest.raises(InputError):
        resolve(target)


def test_a_refusal_does_not_even_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harmful.py").write_text("from pathlib import Path; Path('harm').touch()\nclass Thing: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"'harmful.Thing' may not be built.*trust=\[harmful\]"):
        resolve("harmful.Thing")
    assert not (tmp_path / "harm").exists()
    assert resolve("harmful.Thing", trust=["harmful"]).__name__ == "Thing"


def test_a_class_that_a_trusted_module_only_imports_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "borrower.py").write_text("from subprocess import Popen\nfrom pinn.problems import Poisson\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="may not be built"):
        resolve("borrower.Popen", trust=["borrower"])
    assert resolve("borrower.Poisson", trust=["borrower"]) is Poisson


def test_trust_is_for_a_module_not_for_names_that_begin_like_it() -> None:
    sys.modules.pop("trusted", None)
    with pytest.raises(InputError, match="may not be built"):
        resolve("trusted_not.Thing", trust=["trusted"])


PLACES = [PROBLEM, NETWORK, SAMPLING, WEIGHTING, STAGE, Place("o", Optimizer, 1), Place("s", LRScheduler, 1)]


def all_classes() -> Iterator[type]:
    """Every class that may be built at all, as far as it is loaded."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("pinn.", "torch.nn", "torch.optim")):
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == name:
                    try:
                        yield resolve(f"{name}.{value.__qualname__}")
                    except InputError:
                        continue


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_no_class_is_built_before_its_kind_is_known(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constructors can do anything: of all classes in reach those of another kind are refused without being called."""
    wrong = [kind for kind in set(all_classes()) if not issubclass(kind, place.kind)]
    assert len(wrong) > 100
    called: list[str] = []
    monkeypatch.setattr("pinn.recipes._require_arguments", lambda target, *_: called.append(target.__name__))
    for kind in wrong:
        with pytest.raises(InputError, match=f"{place.name} must be a "):
            rebuild({"_target_": f"{kind.__module__}.{kind.__qualname__}"}, place)
    assert called == []


ROUND_TRIPS: list[Any] = [
    (Poisson, Poisson),
    (partial(Burgers, viscosity=0.1), Burgers),
    (partial(MLP, inputs=1, outputs=1, width=3, depth=1), MLP),
]


@pytest.mark.parametrize(("factory", "kind"), ROUND_TRIPS)
def test_what_is_described_is_built_again(factory: Any, kind: type) -> None:
    recipe = describe(factory)
    built = rebuild(recipe, ANYTHING)
    assert type(built) is kind
    if kind is Burgers:
        assert built.viscosity == 0.1


@pytest.mark.parametrize("factory", [lambda: Poisson(), partial(MLP, 1, 1), partial(MLP, width=torch.tensor(3))])
def test_what_plain_values_cannot_say_is_not_described(factory: Any) -> None:
    assert describe(factory) is None
    with pytest.raises(InputError, match="the anything was not written down"):
        rebuild(None, ANYTHING)


@pytest.mark.parametrize("more", [{}, {"_partial_": True}])
def test_recipes_inside_recipes_are_built_first_and_later_where_the_annotation_says_so(more: dict[str, bool]) -> None:
    adam = {"_target_": "torch.optim.Adam", "lr": 0.1, **more}
    stage = rebuild({"_target_": "pinn.training.Stage", "optimizer": adam, "steps": 3}, STAGE)
    assert isinstance(stage, Stage)
    [group] = stage.optimizer([torch.zeros(1, requires_grad=True)]).param_groups
    assert group["lr"] == 0.1


def test_what_is_made_later_is_still_judged_now() -> None:
    network = rebuild({"_target_": "pinn.networks.MLP", "width": 3}, NETWORK)
    assert isinstance(network(inputs=2, outputs=1), MLP)
    for recipe, message in {
        ("torch.nn.Linear", "network: Linear does not know inputs, outputs"),
        ("torch.nn.parallel.DistributedDataParallel", "does not know inputs, outputs; it takes module"),
        ("pinn.problems.Poisson", "network: Poisson does not know inputs, outputs"),
        ("torch.optim.Adam", "network must be a torch.nn.modules.module.Module; it was given Adam"),
    }:
        with pytest.raises(InputError, match=message):
            rebuild({"_target_": recipe}, NETWORK)


INSIDE = [
    ({"_target_": "os.system", "command": "true"}, "may not be built"),
    (
        {"_target_": "pinn.problems.Poisson"},
        "training.adam.optimizer must be a pinn.optimizers.optimizer.Optimizer or a torch.optim",
    ),
    ({"_target_": "torch.nn.Linear", "in_features": 1}, "or a torch.optim.optimizer.Optimizer; it was given Linear"),
    ([{"_target_": "os.system"}], "training.adam.optimizer must be"),
    ({"a": {"_target_": "os.x"}}, "training.adam.optimizer must be"),
    ({"_target_": "torch.optim.Adam", "lr": {"_target_": "torch.nn.Tanh"}}, "optimizer.lr must be a torch.Tensor"),
    ({"_target_": "torch.optim.Adam", "betas": [{"_target_": "torch.nn.Tanh"}, 1]}, "optimizer.betas must be a list"),
]


@pytest.mark.parametrize(("inside", "message"), INSIDE)
def test_a_recipe_inside_a_recipe_is_judged_by_the_annotation_of_its_argument(inside: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rebuild({"_target_": "pinn.training.Stage", "optimizer": inside, "steps": 3}, STAGE)


BAD_ARGUMENTS: list[tuple[dict[str, object], Place, str]] = [
    ({"_target_": "pinn.problems.Burgers", "viskosity": 1}, PROBLEM, "Burgers does not know viskosity; it takes visco"),
    ({"_target_": "pinn.problems.Poisson", "a": 1, "b": 2}, PROBLEM, "Poisson does not know a, b; it takes no argumen"),
    ({"_target_": "pinn.networks.MLP", "width": 3}, ANYTHING, "MLP needs inputs, outputs as well"),
    ({"_target_": "torch.optim.Adam", "rl": 1}, Place("o", Optimizer, 1), "Adam does not know rl; it takes params, lr"),
    ({"_target_": "torch.optim.Adam", "params": 1}, Place("o", Optimizer, 1), "Adam is given params later; leave it"),
    ({"_target_": "pinn.sampling.Sobol", "count": 1}, SAMPLING, "Sobol does not know count; it takes no arguments"),
    ({"_target_": "pinn.networks.MLP", "_partial_": False}, NETWORK, "network is made later, whatever _partial_ says"),
    ({"_target_": "pinn.problems.Heat", "_partial_": True}, PROBLEM, "problem is made at once, whatever _partial_ say"),
    ({"_target_": "pinn.sampling.Sampler"}, SAMPLING, r"Sampler cannot be built, for it has no design, draw\(\)"),
    ({"_target_": 5}, PROBLEM, "problem must name a class by _target_"),
    ({}, PROBLEM, "problem must name a class by _target_"),
]


@pytest.mark.parametrize(("recipe", "place", "message"), BAD_ARGUMENTS)
def test_arguments_that_do_not_fit_are_named(recipe: dict[str, object], place: Place, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rebuild(recipe, place)


def test_what_torch_refuses_is_one_line_and_a_fault_of_ours_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = {"_target_": "torch.nn.Linear", "in_features": -1, "out_features": 2}
    with pytest.raises(InputError, match="a: Linear refuses what it was given: RuntimeError: Trying to create tensor"):
        rebuild(linear, Place("a", nn.Module))
    monkeypatch.setattr(Burgers, "constraints", lambda self: self.nothing_of_this_name)
    with pytest.raises(
        InputError, match=r"constraints\(\) cannot be evaluated: AttributeError.*test_recipes\.py, line"
    ):
        rebuild({"_target_": "pinn.problems.Burgers"}, PROBLEM)
    monkeypatch.setattr("pinn.problems.burgers.positive", None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        rebuild({"_target_": "pinn.problems.Burgers"}, PROBLEM)


ADMITTED: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [0, -3], [1.5, True, "1", None, [1]]),
    (float, [0, 1.5], [True, "1", None]),
    (str, ["", "a"], [1, None, ["a"]]),
    (bool, [True, False], [1, "true", None]),
    (float | None, [None, 1], ["a", [1]]),
    (float | list[float], [1, [1, 2.5]], ["a", [1, "a"]]),
    (tuple[float, float], [[1, 2], (1, 2)], [[1], [1, 2, 3], 1, ["a", 1]]),
    (tuple[int, ...], [[], [1, 2]], [[1.5], 1]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "b"}, [1]]),
    (torch.Tensor | float, [1.5], ["a", None]),
    (Callable[[int], int], [1, "a", None], []),
    (Path, ["a", 1], []),
    (Any, [1, "a", None, [1]], []),
]


@pytest.mark.parametrize(("annotation", "right", "wrong"), ADMITTED, ids=lambda value: str(value)[:30])
def test_annotations_say_which_plain_values_fit(annotation: Any, right: list[Any], wrong: list[Any]) -> None:
    assert [value for value in right if not admits(annotation, value)] == []
    assert [value for value in wrong if admits(annotation, value)] == []
