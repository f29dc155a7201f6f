"""`dtype=mixed`: float32 far from the solution, float64 near it, and nothing of float64 is lost on the way."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import ENDED, configuration, cut_after, train, watch
from rich.console import Console
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW

import pinn
from pinn import MLP, Stage, review
from pinn.build import build
from pinn.derivatives import partial as derivative
from pinn.model import Model
from pinn.networks import Refined
from pinn.objective import Objective
from pinn.optimizers import LeastSquares, LevenbergMarquardt, Optimizer, SelfScaledBroyden
from pinn.sampling import Collocation, ResidualAdaptive, Sobol
from pinn.solution import build_model
from pinn.training import module
from pinn.training.precision import count_far
from pinn.weighting import Fixed

FIRST = partial(Adam, lr=5e-3)


class Thirds(pinn.Problem):
    """u' = a b on (0.1, 3.1), u(0.1) = 1/3: float32 holds neither the bounds nor the buffer a nor b, a parameter."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = pinn.Box(x=(0.1, 3.1))
        self.register_buffer("slope", torch.tensor(1 / 3, dtype=torch.float64))
        self.held = nn.Parameter(torch.tensor(2 / 3, dtype=torch.float64), requires_grad=False)

    def constraints(self) -> dict[str, pinn.Constraint]:
        return {
            "equation": pinn.Constraint(self.domain.interior, lambda u, x: derivative(u, x) - self.slope * self.held),
            "start": pinn.Constraint(self.domain.face(x=0.1), lambda u: u - 1 / 3),
        }


NETWORK = partial(MLP, width=6, depth=2)
QUICK = {
    **{
        "network": NETWORK,
        "weighting": Fixed(),
        "points": 20,
        "boundary_points": 1,
        "grid": 5,
        "estimate": False,
        "progress": False,
    },
    **{"seconds": None, "compile": False, "engine": "reverse", "dtype": "mixed"},
}


def optimizers(*kinds: type) -> list[Optimizer]:
    made = {SGD: partial(SGD, lr=1e-3)}
    return [Stage(made.get(kind, kind), steps=1).make([nn.Parameter(torch.zeros(1))]) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "far"),
    [
        ([Adam, LBFGS], 1),
        ([Adam, SelfScaledBroyden], 1),
        ([SGD, AdamW, LevenbergMarquardt], 2),
        ([Adam, LeastSquares, LevenbergMarquardt], 1),
        ([Adam, SelfScaledBroyden, LBFGS], 1),
        # The last stage finds the solution.
        ([Adam], 0),
        ([Adam, SGD], 1),
        # Near once, near for good.
        ([LBFGS, Adam, LBFGS], 0),
        ([Adam, LBFGS, Adam, LBFGS], 1),
        ([LevenbergMarquardt, LeastSquares], 0),
    ],
)
def test_the_stages_of_first_order_at_the_beginning_are_far(kinds: list[type], far: int) -> None:
    assert count_far(optimizers(*kinds)) == far


def precisions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[torch.dtype]]]:
    """Return a list that grows by the optimizer and the precisions that it sees with each call."""
    seen: list[tuple[str, set[torch.dtype]]] = []

    def look(optimizer: Any, objective: Any) -> None:
        inner = getattr(optimizer, "optimizer", optimizer)
        parameters = optimizer.parameters
        state = inner.state[parameters[0]] if inner is not optimizer else inner.state
        tensors = [
            *(*parameters, *(parameter.grad for parameter in parameters), *objective.terms.values()),
            *(value for points in objective.points.values() for value in points.values()),
            *(value for key, value in state.items() if isinstance(value, Tensor) and key != "step"),
            *(*objective.model.parameters(), *objective.model.buffers()),
        ]
        seen.append((type(inner).__name__, {tensor.dtype for tensor in tensors}))

    watch(monkeypatch, after=look)
    return seen


@pytest.mark.parametrize(
    ("training", "dtype", "first", "second"),
    [
        ("adam_lbfgs", "mixed", torch.float32, torch.float64),
        ("ssbroyden", "mixed", torch.float32, torch.float64),
        ("adam_lbfgs", "float64", torch.float64, torch.float64),
        ("adam_lbfgs", "float32", torch.float32, torch.float32),
    ],
)
def test_every_tensor_of_a_step_has_the_precision_of_its_stage(
    training: str, dtype: str, first: torch.dtype, second: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinn.run.save_figures", lambda *_: [])
    seen = precisions(monkeypatch)
    assert train(tmp_path / "run", f"training={training}", f"dtype={dtype}", steps=4) in ENDED
    assert {precision for name, precision in seen if name != "Adam" for precision in precision} == {second}
    assert {precision for name, precision in seen if name == "Adam" for precision in precision} == {first}


def test_float32_steps_are_those_of_a_model_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out: the same start, the points of the run rounded, and torch's Adam; then the widened parameters."""
    problem = Thirds()
    monkeypatch.setattr(module.Training, "use_best", lambda self: None)
    with monkeypatch.context() as patch:
        cut_after(patch, 3)
        with pytest.warns(UserWarning, match="a signal ended the training after 3 steps"):
            solution = pinn.solve(problem, stages={"adam": Stage(FIRST, steps=9), "last": Stage(LBFGS, 1)}, **QUICK)
    collocation = Collocation(problem, Sobol(), points=20, boundary_points=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(Thirds(), NETWORK, torch.float32)
    optimizer = FIRST([parameter for parameter in model.parameters() if parameter.requires_grad])
    for step in range(3):
        points = {
            name: {key: value.to(torch.float32) for key, value in group.items()}
            for name, group in collocation(step).items()
        }
        optimizer.step(Objective(model, points, Fixed()))
    found = dict(solution.model.named_parameters())
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(found[name], parameter.to(torch.float64)), name


def assert_exact(model: Model) -> None:
    """What was not trained has every digit that it had, also what no checkpoint keeps."""
    fresh = build_model(Thirds(), NETWORK, torch.float64)
    buffers = dict(model.named_buffers())
    for name, buffer in fresh.named_buffers():
        assert torch.equal(buffers[name], buffer), name
    assert any(not torch.equal(buffer, buffer.float().double()) for buffer in buffers.values())
    assert torch.equal(model.problem.held.data, torch.tensor(2 / 3, dtype=torch.float64))


@pytest.mark.parametrize("steps", [4, 1000])
def test_what_is_not_trained_keeps_its_digits(steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After both stages, and where a signal comes during the first."""
    stages = {"adam": Stage(FIRST, steps=steps), "lbfgs": Stage(LBFGS, steps=4, resample=0)}
    if steps == 4:
        solution = pinn.solve(Thirds(), stages=stages, **QUICK)
    else:
        cut_after(monkeypatch, 7)
        with pytest.warns(UserWarning, match="after 7 steps"):
            solution = pinn.solve(Thirds(), stages=stages, **QUICK)
        trained = [parameter for parameter in solution.model.parameters() if parameter.requires_grad]
        assert all(torch.equal(parameter, parameter.float().double()) for parameter in trained)
    assert_exact(solution.model)
    solution.save(tmp_path / "thirds.pt")
    again = pinn.load(tmp_path / "thirds.pt", problem=Thirds())
    assert_exact(again.model)
    assert again.recipe["dtype"] == "float64"
    assert torch.equal(again(x=[1.0])["u"], solution(x=[1.0])["u"])


@pytest.mark.parametrize(
    "stages",
    [
        {"adam": Stage(FIRST, steps=5)},
        {"lm": Stage(LevenbergMarquardt, steps=3, block=2), "adam": Stage(FIRST, steps=3, block=2)},
    ],
)
def test_without_a_stage_that_is_far_everything_is_float64(stages: dict[str, Stage]) -> None:
    mixed, other = (pinn.solve(Thirds(), stages=stages, **QUICK | {"dtype": dtype}) for dtype in ("mixed", "float64"))
    for one, another in zip(mixed.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(one, another)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("training=adam_lbfgs",), "mixed adam in float32, all that follows in float64"),
        (("training=adam",), "mixed everything is float64, for no stage of first order comes before another stage"),
        (("training=auto", "slabs=1"), "mixed everything is float64"),
    ],
)
def test_one_line_says_what_it_means(words: tuple[str, ...], line: str) -> None:
    said = io.StringIO()
    build(configuration("dtype=mixed", *words), Console(file=said, width=500))
    assert said.getvalue().count("mixed") == 1
    assert line in said.getvalue()


def test_nothing_is_said_of_other_precisions() -> None:
    said = io.StringIO()
    training, _ = build(configuration("training=adam_lbfgs"), Console(file=said, width=500))
    assert "mixed" not in said.getvalue()
    assert training.twin is None


@pytest.mark.usefixtures("no_figures")
def test_a_run_is_recorded_as_it_was_asked_for_and_solved_in_float64(tmp_path: Path) -> None:
    assert train(tmp_path, "problem=kovasznay", "training=adam_lbfgs", "dtype=mixed", steps=6) in ENDED
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dtype"] == "mixed"
    solution = pinn.load(tmp_path)
    assert solution(x=0.1, y=0.2)["u"].dtype == torch.float64
    assert review.evaluate(tmp_path)["relative_l2"] == metrics["relative_l2"]


def test_each_stage_trains_its_part_and_begins_with_the_best_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stages in float32: steps of 10 make everything worse, so the second stage begins where the first one did."""
    starts: list[dict[str, Tensor]] = []

    def look(optimizer: Any, objective: Any) -> None:
        assert list(map(id, objective.parameters)) == list(map(id, optimizer.parameters))
        assert objective.chunk == 7
        starts.append({name: value.clone() for name, value in objective.model.state_dict().items()})

    watch(monkeypatch, before=look)
    stages = {
        "wild": Stage(partial(Adam, lr=10.0), steps=3, part="trunk"),
        "features": Stage(FIRST, steps=1, part="features"),
        "all": Stage(LBFGS, steps=1, resample=0),
    }
    network = partial(Refined, width=4, depth=2, features=5)
    pinn.solve(Thirds(), stages=stages, **QUICK | {"network": network, "chunk": 7})
    assert {value.dtype for start in starts[:4] for value in start.values()} == {torch.float32}
    changed = [[name for name in start if not torch.equal(start[name], starts[0][name])] for start in starts[:4]]
    assert changed[1] == changed[2] != []
    assert all("trunk" in name for name in changed[2])
    assert changed[3] == []


def test_adaptive_points_are_judged_by_the_model_that_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    seen = []
    choose = ResidualAdaptive.choose

    def watched(self: ResidualAdaptive, residual: Tensor, count: int, generator: torch.Generator) -> Tensor:
        seen.append(residual.dtype)
        return choose(self, residual, count, generator)

    monkeypatch.setattr(ResidualAdaptive, "choose", watched)
    train(tmp_path, "sampling=rad", "training=adam_lbfgs", "dtype=mixed", steps=2)
    assert seen == [torch.float32, torch.float64]


@pytest.mark.usefixtures("no_figures")
def test_captured_steps_have_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`compile=auto` decides for each precision: the times of one say nothing about the other."""
    decided = []

    def choose(step: Any, steps: int, seconds: float, present: str) -> str:
        decided.append((steps, present))
        return "captured"

    monkeypatch.setattr("pinn.compilation.step.choose", choose)
    words = ("training=adam_lbfgs", "dtype=mixed")
    for name, compile in {"captured": "compile=auto", "eager": "compile=false"}.items():
        train(tmp_path / name, *words, compile, steps=12)
    assert decided == [(12, "eager"), (12, "eager")]
    one, other = (pinn.load(tmp_path / name).model.state_dict() for name in ("captured", "eager"))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_an_apple_gpu_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no float64, in which the run ends."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    said = io.StringIO()
    words = ("training=adam_lbfgs", "dtype=mixed", "trainer.accelerator=mps")
    training, _ = build(configuration(*words), Console(file=said, width=500))
    assert "This GPU has no float64, so the CPU is used" in said.getvalue()
    assert training.twin is not None
    assert {value.device.type for model in (training.model, training.twin.model) for value in model.parameters()} == {
        "cpu"
    }


@pytest.mark.usefixtures("no_figures")
def test_float32_is_float32(tmp_path: Path) -> None:
    """No product is taken in TF32, which keeps ten bits of a number."""
    train(tmp_path, "training=adam_lbfgs", "dtype=mixed", steps=2)
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
