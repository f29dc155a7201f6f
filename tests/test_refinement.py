"""The features of a trained network: solved for alone, and far better than the network that they come from."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from helpers.sampled import sampled

from pinn import MLP, InputError, Stage, solve
from pinn.networks import Refined, Slabs
from pinn.optimizers import LeastSquares, LevenbergMarquardt, Optimizer, Progress
from pinn.problems import Burgers

TRUNK = Stage(LevenbergMarquardt, steps=60, resample=10, block=10, part="trunk")
FEATURES = Stage(LeastSquares, steps=3, resample=0, block=1, part="features", draws=6)


def test_features_take_a_network_far_below_its_own_error() -> None:
    """Measured over seeds 0 to 3: 110 to 600 times below; a solve that did nothing would be a factor of one."""
    solution = solve(
        Burgers(viscosity=0.1),
        network=partial(Refined, width=10, depth=2, features=300),
        stages={"trunk": TRUNK, "features": FEATURES},
        points=400,
        boundary_points=80,
        seconds=None,
        grid=31,
        estimate=False,
        progress=False,
    )
    trained = min(row["relative_l2/u"] for row in solution.history if row["stage"] == 0)
    assert solution.metrics["relative_l2"]["u"] < trained / 20


def test_a_stage_trains_its_part_alone() -> None:
    trunks = []
    for stages in ({"trunk": TRUNK}, {"trunk": TRUNK, "features": FEATURES}):
        network = partial(Refined, width=4, depth=1, features=10)
        solution = solve(
            Burgers(0.1),
            network=network,
            stages=stages,
            points=50,
            seconds=None,
            grid=5,
            estimate=False,
            progress=False,
        )
        trunks.append({k: v.tolist() for k, v in solution.model.state_dict().items() if "trunk" in k})
    assert trunks[0] == trunks[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What budgets look at; it moves when `now` is moved, and decompositions take a second for 1e9 operations."""
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr("pinn.training.budget.time", clock)
    monkeypatch.setattr("pinn.training.budget.measure_speed", lambda like: 1e9)
    return clock


@pytest.fixture
def slow(clock: SimpleNamespace) -> Callable[..., Stage]:
    """Makes stages whose steps take as many seconds as is said."""

    class Slow(torch.optim.SGD):
        def step(self, closure):
            clock.now += self.param_groups[0]["lr"]
            return super().step(closure)

    return lambda seconds, **arguments: Stage(partial(Slow, lr=seconds), block=1, **{"steps": 100, **arguments})


@pytest.fixture
def solve_of(clock: SimpleNamespace) -> Callable[..., Stage]:
    """Makes stages of a solve that takes as many seconds as is said, which is known before it begins."""

    class Solve(Optimizer):
        needs = "jacobian"
        seconds: float

        def run(self, objective, steps, stop):
            if stop() or not stop.fits(self.work(objective.rows)):
                return Progress(0)
            clock.now += self.seconds
            return Progress(1)

        def work(self, rows):
            return 1e9 * self.seconds

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    return lambda seconds, **arguments: Stage(
        type("Solve", (Solve,), {"seconds": seconds}), block=1, steps=1, **arguments
    )


QUICK = {"network": partial(MLP, width=3, depth=1), "points": 20, "grid": 5, "estimate": False, "progress": False}


def test_a_stage_that_is_late_is_late_for_all(slow: Callable[..., Stage]) -> None:
    """Of ten seconds the first stage should have two and takes six; the two that follow share the other four."""
    stages = {"first": slow(6.0, share=0.2), "second": slow(1.0, share=0.5), "third": slow(1.0)}
    solution = solve(Burgers(), stages=stages, seconds=10, **QUICK)
    assert [row["stage"] for row in solution.history if row["step"]] == [0, 1, 1, 1, 2, 2, 2]
    assert [row["seconds"] for row in solution.history] == [0, 6, 6, 7, 8, 8, 9, 10]


def test_stages_that_name_no_share_divide_the_time(slow: Callable[..., Stage]) -> None:
    """A third, a half of the rest, the rest; what one leaves is for those behind it."""
    stages = {"first": slow(1.0), "second": slow(1.0, steps=2), "third": slow(1.0)}
    solution = solve(Burgers(), stages=stages, seconds=12, **QUICK)
    assert [row["stage"] for row in solution.history if row["step"]].count(0) == 4
    assert solution.metrics["stopped"] == [
        "first: its share of the time is over, 4 s, after 4 steps",
        "second: all steps are taken after 2 steps",
        "third: time is up after 12 s",
    ]
    assert solution.metrics["steps"] == 12


def test_a_stage_without_time_does_nothing(slow: Callable[..., Stage], clock: SimpleNamespace) -> None:
    stages = {"first": slow(20.0, share=0.5), "second": slow(1.0)}
    solution = solve(Burgers(), stages=stages, seconds=10, **QUICK)
    assert solution.metrics["stopped"] == ["first: time is up after 20 s"]


@pytest.mark.parametrize(("seconds", "refined"), sampled([(20, [0, 1, 2]), (13, [1]), (8, [2])], 3))
def test_a_refinement_does_not_take_the_time_of_the_slabs_behind_it(
    seconds: float,
    refined: list[int],
    slow: Callable[..., Stage],
    solve_of: Callable[..., Stage],
    clock: SimpleNamespace,
) -> None:
    """Each takes four seconds and may take twice its share, but for the last: it may take what is left, no more.

    Twice the share is 5.3 s for the first and 5.1 for the second of 20, 3.7 and 4.6 of 13, 2.3 and 2.9 of 8. The trunk
    before the last one ends early, so that there is time for it: with half of its own share at 20 and at 8.
    """
    stages = {
        name: solve_of(4.0, part="features", slab=slab, share=(1 - 0.6) / (3 - slab - 0.6))
        if part == "features"
        else slow(1.0, part="trunk", slab=slab, share=0.6 / (3 - slab))
        for slab in range(3)
        for part, name in (("trunk", f"trunk {slab}"), ("features", f"features {slab}"))
    }
    network = partial(Slabs, slabs=3, time=1, width=3, depth=1, features=4)
    solution = solve(Burgers(), stages=stages, seconds=seconds, **QUICK | {"network": network})
    stopped = solution.metrics["stopped"]
    assert [slab for slab in range(3) if f"features {slab}: all steps are taken after 1 step" in stopped] == refined
    assert sum("what comes next takes about 4 s" in reason for reason in stopped) == 3 - len(refined)
    assert {row["stage"] for row in solution.history} >= {0, 2, 4}
    # The clock has moved before too, where every optimizer was tried for a step.
    assert solution.metrics["wall_seconds"]["train"] <= seconds


@pytest.mark.parametrize(("part", "network"), [("trunk", MLP), ("roots", Refined)])
def test_a_part_that_is_not_there_is_refused(part: str, network: type) -> None:
    with pytest.raises(InputError, match=f"trains the part '{part}'.*Refined.*trunk and features"):
        solve(
            Burgers(),
            network=network,
            stages={"only": Stage(LevenbergMarquardt, steps=1, part=part)},
            estimate=False,
            progress=False,
        )


@pytest.mark.parametrize("share", [0, -0.5, 1.5, True, "half"])
def test_a_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(InputError, match="share must be above 0 and at most 1"):
        Stage(LeastSquares, steps=1, share=share)
