"""Recipes build classes of ours, torch's and whom the user trusts, and nothing else, however the target is spelt."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from pinn.errors import InputError
from pinn.networks import MLP
from pinn.problems import Burgers, Poisson
from pinn.recipes import describe, rebuild, resolve
from pinn.training import Stage

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


ROUND_TRIPS: list[Any] = [
    (Poisson, Poisson),
    (partial(Burgers, viscosity=0.1), Burgers),
    (partial(MLP, inputs=1, outputs=1, width=3, depth=1), MLP),
]


@pytest.mark.parametrize(("factory", "kind"), ROUND_TRIPS)
def test_what_is_described_is_built_again(factory: Any, kind: type) -> None:
    recipe = describe(factory)
    built = rebuild(recipe)
    assert type(built) is kind
    if kind is Burgers:
        assert built.viscosity == 0.1


@pytest.mark.parametrize("factory", [lambda: Poisson(), partial(MLP, 1, 1), partial(MLP, width=torch.tensor(3))])
def test_what_plain_values_cannot_say_is_not_described(factory: Any) -> None:
    assert describe(factory) is None
    with pytest.raises(InputError, match="was not written down"):
        rebuild(None)


def test_recipes_inside_recipes_are_built_first() -> None:
    adam = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.1}
    stage = rebuild({"_target_": "pinn.training.Stage", "optimizer": adam, "steps": 3})
    assert isinstance(stage, Stage)
    [group] = stage.optimizer([torch.zeros(1, requires_grad=True)]).param_groups
    assert group["lr"] == 0.1


def test_a_harmful_recipe_inside_a_recipe_is_refused() -> None:
    for inside in (
        {"_target_": "os.system", "command": "true"},
        [{"_target_": "os.system"}],
        {"a": {"_target_": "os.x"}},
    ):
        with pytest.raises(InputError, match="may not be built"):
            rebuild({"_target_": "pinn.training.Stage", "optimizer": inside, "steps": 3})


BAD_ARGUMENTS = [
    ({"_target_": "pinn.problems.Burgers", "viskosity": 1}, "Burgers does not know viskosity; it takes viscosity"),
    ({"_target_": "pinn.problems.Poisson", "a": 1, "b": 2}, "Poisson does not know a, b; it takes no arguments"),
    ({"_target_": "pinn.networks.MLP", "width": 3}, "MLP needs inputs, outputs as well"),
    ({"_target_": "torch.optim.Adam", "_partial_": True, "rl": 1}, "Adam does not know rl; it takes params, lr"),
    ({"_target_": "pinn.sampling.Sobol", "count": 1}, "Sobol does not know count; it takes no arguments"),
]


@pytest.mark.parametrize(("recipe", "message"), BAD_ARGUMENTS)
def test_arguments_that_do_not_fit_are_named(recipe: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rebuild(recipe)
