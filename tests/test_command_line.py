"""What a user types: mistakes cost one line and exit code 2 and write nothing; questions are answered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.runs import ROOT, SMALL, script
from helpers.sampled import sampled

from pinn.config import options

train, evaluate = script("train"), script("evaluate")

FAST = (*SMALL, "training=adam", "weighting=fixed", "seconds=5")
"""With these the plan has nothing to search for, so that a mistake is found in a fraction of a second."""

OWN_PROBLEMS = """
import numpy as np
import torch
from torch import nn
from pinn import Box, Constraint, Exact, Problem
from pinn.derivatives import partial

class Base(Problem):
    coordinates, fields = ("x",), ("u",)
    def __init__(self):
        super().__init__()
        self.domain = Box(x=(0, 1))
    def constraints(self):
        return {"equation": Constraint(self.domain.interior, self.equation)}

class Column(Base):
    def equation(self, u, x):
        return u.unsqueeze(1)

class Scalar(Base):
    def equation(self, u, x):
        return u.mean()

class Detached(Base):
    def equation(self, u, x):
        return partial(u, x).detach()

class Independent(Base):
    def equation(self, u, x):
        return x

class Undefined(Base):
    def equation(self, u, x):
        return torch.log(u - u)

class Hole(Base):
    def equation(self, u, x):
        return partial(u, x) + torch.where(x > 0.95, torch.nan * x, x)

class Wrong(Base):
    def equation(self, u, x):
        return partial(u, x) + nope

class Numpy(Base):
    def equation(self, u, x):
        return partial(u, x) - np.sin(u)

class Complex(Base):
    def equation(self, u, x):
        return partial(u, x) - 1j * u

class Unused(Base):
    fields = ("u", "v")
    def equation(self, u, x):
        return partial(u, x) + u

class Referred(Base):
    def equation(self, u, x):
        return partial(u, x) + u
    def reference(self):
        return Exact(lambda x: {"w": x})

class Raising(Base):
    def __init__(self):
        super().__init__()
        {}["nothing"]

class Misnamed(Base):
    def equation(self, w, x):
        return w

class NoReference(Base):
    def equation(self, u, x):
        return partial(u, x) + u

class Coupled(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, outputs))
    def forward(self, x):
        return self.layers(x)

class Narrow(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs + 1)
    def forward(self, x):
        return self.layer(x)

class NotAProblem:
    pass
"""


def own(name: str) -> str:
    return f"trust=[own] problem._target_=own.{name}"


MISTAKES = {
    # unknown names
    "problem=nope": "there is no problem 'nope'; choose one of " + ", ".join(options("problem")),
    "network=nope": "there is no network 'nope'; choose one of " + ", ".join(options("network")),
    "training=nope": "there is no training 'nope'",
    "sampling=nope": "there is no sampling 'nope'",
    "experiment=nope": "there is no experiment 'nope'",
    "nonsense=3": "there is no key 'nonsense'",
    "+nonsense=3": "there is no key nonsense; the keys are boundary_points",
    "secnds=3": "there is no key 'secnds' in the configuration; did you mean seconds?",
    "lr=0.1": "there is no key 'lr' in the configuration; did you mean training.adam.optimizer.lr?",
    "training.lr=0.1": "by _target_; did you mean training.adam.optimizer.lr?",
    "trainer.nonsense=3": "there is no key 'trainer.nonsense'",
    "+trainer.nonsense=3": "trainer must say accelerator and threads alone",
    "~seed": "the configuration says nothing about seed",
    "~trainer.threads": "trainer must say accelerator and threads alone",
    "problem=null": "problem=null names no option of problem; choose one of advection",
    "problem=5": "problem=5 names no option of problem",
    "problem=../problem/poisson": "problem=../problem/poisson is no name of an option",
    "network=../network/mlp": "network=../network/mlp is no name of an option",
    "experiment=../experiment/smoke": "experiment=../experiment/smoke is no name of an option",
    "problem@network=poisson": "problem@network is no key: each option has its own place",
    "network=auto": "network.width, network.depth says nothing, for the plan chooses the network",
    "+hydra.verbose=true": "hydra.verbose has no effect here; of Hydra's own keys only hydra.run.dir=<folder>",
    "hydra.run.dir=": "hydra.run.dir= needs a folder",
    "problem=burgers problem.viskosity=1": "Burgers does not know viskosity; it takes viscosity",
    "network.widht=3": "MLP does not know widht; it takes inputs, outputs, width",
    "training.adam.stepps=3": "Stage does not know stepps; it takes optimizer, steps",
    "training.adma.steps=3": "training.adma is no stage, which names a class by _target_; did you mean training.adam?",
    "training.adam.optimizer.rl=3": "Adam does not know rl; it takes params, lr",
    "weights.nope=2": "weights name nope; there are boundary, equation",
    "counts.nope=2": "names nope; the constraints are equation, boundary",
    # words that are none
    "problem": "'problem' cannot be read; write key=value",
    "a=b=c": "'a=b=c' cannot be read",
    "[x": "'[x' cannot be read",
    "seed=0,1": "seed=0,1 names several values; add -m",
    "--nope": "unrecognized arguments: --nope; see --help",
    "--config-dir": "expected one argument; see --help",
    "--config-dir /nope": "--config-dir /nope is no folder",
    "--cfg": "expected one argument",
    "--cfg job problem=nope": "there is no problem 'nope'",
    "--help nonsense=1": "there is no key 'nonsense'",
    "-m problem=nope,wrong": "there is no problem 'nope'",
    "-m problem.viscosity=interval(0.01,0.1)": "interval(0.01,0.1) names no single values",
    "-m problem=glob(z*)": "problem=glob(z*) fits no option of problem",
    "-m seed=range(0,100000)": "-m would start 1001 runs or more; name at least 1 and at most 1000",
    "--cfg nope": "argument -c/--cfg: invalid choice: 'nope'",
    "-sc nope=bash": "-sc needs install=bash",
    # wrong types and ranges
    "seed=abc": "seed must be a whole number from 0",
    "seed=-1": "seed must be",
    "seed=1.5": "seed must be",
    "seed=true": "seed must be",
    "seed=null": "seed must be",
    "dtype=float16": "dtype must be one of float64, float32, mixed; it was given 'float16'",
    "dtype=[float64]": "dtype must be",
    "dtype=null": "dtype must be",
    "points=0": "points must be a whole number from 1 to 1,073,741,824; it was given 0",
    "points=1e3": "points must be a whole number",
    "points=1e26": "points must be a whole number",
    "points=abc": "points must be a whole number",
    "boundary_points=-5": "boundary_points must be a whole number",
    "counts.boundary=1.5": "counts must be whole numbers from 1 to 1,073,741,824 by constraint",
    "counts=null": "counts must be whole numbers",
    "weights=null": "weights must be positive numbers by constraint or residual",
    "weights.boundary=0": "weights must be positive numbers",
    "weights.boundary=abc": "weights must be positive numbers",
    "weights.boundary.normal=2": "weights name boundary.normal; there are boundary, equation",
    "seconds=0": "seconds must be a positive number or null; it was given 0",
    "seconds=abc": "seconds must be a positive number",
    "seconds=inf": "seconds must be a positive number",
    "seconds=[1,2]": "seconds must be a positive number",
    "target_error=abc": "target_error must be a positive number or null; it was given 'abc'",
    "target_error=-1": "target_error must be a positive number",
    "grid=1": "grid must be a whole number of nodes from 2 to 10,000,000",
    "grid=1e20": "grid must be a whole number of nodes",
    "grid=abc": "grid must be a whole number of nodes",
    "grid={x:5}": "a grid needs a size for each of x, y",
    "problem=burgers problem.viscosity=-1": "viscosity must be a positive number; it was given -1",
    "problem=burgers problem.viscosity=abc": "problem.viscosity must be a number; it was given 'abc'",
    "network.width=0": "MLP: width must be a whole number of at least 1",
    "network.width=2.5": "network.width must be a whole number; it was given 2.5",
    "network.activation=[tanh]": "network.activation must be a word; it was given ['tanh']",
    "sampling=rad sampling.exponent=abc": "sampling.exponent must be a number",
    "network.activation=relu": "there is no activation 'relu'; choose one of tanh",
    "training.adam.steps=0": "a stage's steps must be a whole number of at least 1",
    "training.adam.block=1.5": "training.adam.block must be a whole number; it was given 1.5",
    "training.adam.resample=-1": "a stage's resample must be",
    "training.adam.residual=-1": "a stage's residual must be",
    "training=levenberg_marquardt training.levenberg_marquardt.optimizer.factor=0.5": "needs factor > 1",
    "training.adam.optimizer.lr=-1": "the optimizer of stage 'adam' cannot be made: ValueError: Invalid learning rate",
    "training.adam.optimizer.betas=[0.9]": "training.adam.optimizer.betas must be a list of 2; it was given [0.9]",
    "training.adam.optimizer._target_=torch.optim.SparseAdam": "SparseAdam does not support dense gradients",
    "training.adam.optimizer._target_=torch.optim.LBFGS training.adam.optimizer.line_search_fn=x": "strong_wolfe",
    "training.adam.optimizer._partial_=false": "training.adam.optimizer is made later, whatever _partial_ says",
    "training.adam.schedule=abc": "training.adam.schedule must be a class by _target_ or null; it was given 'abc'",
    "training.adam.schedule._target_=torch.optim.lr_scheduler.ReduceLROnPlateau ~training.adam.schedule.gamma": (
        "the schedule of stage 'adam' cannot take a step without being told a value"
    ),
    "training.adam.schedule._target_=torch.optim.lr_scheduler.OneCycleLR ~training.adam.schedule.gamma "
    "training.adam.schedule.max_lr=1 training.adam.schedule.total_steps=9": "fewer total_steps than the stage, 10000",
    "trainer.accelerator=abacus": "accelerator must be one of auto, cpu, gpu, mps",
    "trainer.threads=0": "trainer.threads must be a whole number of at least 1",
    "trainer.threads=99999999": "trainer.threads must be a whole number of at least 1 and at most 1024",
    "trust=abc": "trust must be a list of modules",
    "trust=['']": "trust must be a list of modules",
    "trust=[.x]": "trust must be a list of modules",
    "trust=[__main__]": "trust must be a list of modules",
    "trust=[not_there]": "trust names 'not_there', which cannot be imported",
    # targets outside of what may be built, and classes in the wrong place
    "problem._target_=os.system": "'os.system' may not be built",
    "problem._target_=torch.load": "'torch.load' may not be built",
    "problem._target_=torch.utils.collect_env.run": "may not be built",
    "problem._target_=torch.optim.optimizer.torch.utils.collect_env.run": "there is no",
    "problem._target_=pinn.problems.Nope": "there is no 'pinn.problems.Nope'",
    "problem._target_=own.NotAProblem": "may not be built",
    "network._target_=pinn.files.write_text": "may not be built",
    "training.adam.optimizer._target_=os.system": "may not be built",
    "problem._target_=pinn.sampling.Sobol": "problem must be a pinn.problems.problem.Problem; it was given Sobol",
    "problem._target_=pinn.problems.Problem": "Problem cannot be built, for it has no constraints()",
    "network._target_=torch.nn.Linear": "Linear does not know inputs, outputs, width, depth",
    "network._target_=torch.nn.Module ~network.width ~network.depth": "the network cannot be made: TypeError",
    "sampling._target_=pinn.problems.Poisson": "sampling must be a pinn.sampling.Sampler; it was given Poisson",
    "weighting._target_=pinn.networks.MLP": "weighting must be a pinn.weighting.Weighting; it was given MLP",
    "+logger._target_=lightning.pytorch.loggers.WandbLogger": "logger must say tensorboard alone",
    "training.adam.schedule._target_=torch.optim.Adam": "schedule must be a torch.optim.lr_scheduler.LRScheduler",
    # a user's own problem and network
    own("Column"): "residual 'equation' has shape",
    own("Scalar"): "residual 'equation' has shape ()",
    own("Detached"): "residual 'equation' does not depend on the network",
    own("Independent"): "residual 'equation' does not depend on the network",
    own("Undefined"): "Undefined: residual equation is -inf at x = 0.0",
    own("Hole"): "Hole: residual equation is nan at x = 0.9",
    own(
        "Wrong"
    ): "Wrong: constraint 'equation' cannot be evaluated by torch's operations: NameError: name 'nope' is not",
    own("Numpy"): "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead (own.py, line",
    own("Complex"): "residual 'equation' has dtype complex128, expected float64",
    own("Unused"): "Unused: no residual depends on v; take it out",
    own("Referred"): "Referred: the reference returns 'w', which is no field; the fields are u",
    own("Raising"): "problem: Raising refuses what it was given: KeyError: 'nothing' (own.py, line",
    own("Misnamed"): "constraint 'equation' asks for 'w', which is not there; the names there are: x, u",
    own("NotAProblem"): "problem must be a pinn.problems.problem.Problem; it was given NotAProblem",
    own("NoReference") + " target_error=0.1": "target_error needs a problem with a reference",
    "trust=[own] network._target_=own.Coupled ~network.width ~network.depth": "couples the points of a batch",
    "trust=[own] network._target_=own.Narrow ~network.width ~network.depth": "the network returned shape (16, 2)",
    # runs that are none
    "resume=/nope": "/nope is not the folder of a run",
    "resume=": "resume= needs the folder of a run",
    "resume=. seed=1": "seed cannot change when a run is resumed",
    "resume=. [x": "'[x' says nothing; write key=value",
    "resume=. seconds=abc": "seconds must be a positive number",
    "resume=. trust=abc": "trust must be a list of modules",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the user's own module and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("own", None)
    (tmp_path / "own.py").write_text(OWN_PROBLEMS)
    return tmp_path


@pytest.mark.parametrize("words", sampled(MISTAKES, 2))
def test_a_mistake_costs_one_line(words: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = words.split()
    first = [*SMALL, "weighting=fixed"] if words.startswith("training=") else FAST
    alone = words.startswith(("resume=", "-", "experiment="))
    assert train.main(given if alone else [*first, *given]) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == (2 if words == "-m problem=nope,wrong" else 1)
    assert lines[0].startswith("error: ")
    assert MISTAKES[words] in lines[0]
    assert "Traceback" not in said.out
    assert os.listdir(here) == ["own.py"]


def test_one_bad_run_of_several_leaves_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*FAST, "training.adam.steps=1", "-m", "seed=-1,0,1"]
    assert train.main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert len(list(here.glob("outputs/poisson/*/metrics.json"))) == 2


MISTAKES_IN_EVALUATE = {
    "": "say which run",
    "run=": "say which run",
    "run=/nope": "/nope is not the folder of a run",
    "runn=x": "there is no key runn; the keys are run, grid, output, trust",
    "run": "'run' says nothing; write key=value",
    "run=. grid=[": "",
    "run=. grid=1e20": "grid must be a whole number of nodes",
    "run=. trust=abc": "trust must be a list of modules",
}


@pytest.mark.parametrize("words", MISTAKES_IN_EVALUATE)
def test_so_does_one_in_evaluate(words: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(words.split()) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert MISTAKES_IN_EVALUATE[words] in line
    assert os.listdir(here) == ["own.py"]


def test_a_folder_that_is_not_empty_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("precious")
    assert train.main([*FAST, "hydra.run.dir=mine"]) == 2
    assert "mine exists and is not empty" in capsys.readouterr().err
    assert train.main([*FAST, "hydra.run.dir=own.py"]) == 2
    assert os.listdir(here / "mine") == ["thesis.tex"]


def test_a_folder_that_cannot_be_made_is_exit_code_4(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*FAST, "hydra.run.dir=own.py/run"]) == 4
    assert len(capsys.readouterr().err.splitlines()) == 1


WITHOUT_TORCH = """
import runpy, sys
sys.argv = {argv!r}
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as end:
    code = end.code or 0
loaded = sorted(sys.modules.keys() & {{"torch", "lightning", "matplotlib", "numpy", "scipy"}})
print("LOADED", loaded, "CODE", code)
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "Solve a partial differential equation"),
        (["--cfg", "job"], 0, "_target_: pinn.problems.Poisson"),
        (["--cfg", "job", "problem=heat", "problem.diffusivity=2", "weights.walls=3"], 0, "diffusivity: 2"),
        (["--info", "searchpath"], 0, "configs"),
        (["problem=nope"], 2, "there is no problem 'nope'"),
        (["seconds=abc"], 2, "seconds must be a positive number or null; it was given 'abc'"),
        (["hydra.run.dir=full"], 2, "full exists and is not empty"),
        (["resume=nowhere"], 2, "nowhere is not the folder of a run: it has no .hydra/config.yaml"),
        (["resume=full", "points=3"], 2, "points cannot change when a run is resumed"),
        (["evaluate", "run=nowhere"], 2, "nowhere is not the folder of a run: it has no checkpoints/best.ckpt"),
        (["evaluate", "run=full", "grid=1e20"], 2, "grid must be a whole number of nodes"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
)
def test_questions_and_mistakes_are_answered_without_torch(
    words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    name, words = ("evaluate", words[1:]) if words[0] == "evaluate" else ("train", words)
    path = str(ROOT / "scripts" / f"{name}.py")
    program = WITHOUT_TORCH.format(argv=[path, *words], script=path)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert f"LOADED [] CODE {code}" in done.stdout
    assert said in done.stdout + done.stderr
    assert os.listdir(tmp_path) == ["full"]


def test_help_names_every_option_and_key() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), "--help"], capture_output=True, text=True, timeout=60
    )
    for group in sorted(path.name for path in (ROOT / "configs").iterdir() if path.is_dir()):
        assert f"{group}: {', '.join(options(group))}" in done.stdout
