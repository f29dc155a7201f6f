"""The features of a trained network: solved for alone, and far better than the network that they come from."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from pinn import MLP, InputError, Stage, solve
from pinn.networks import Refined, Slabs
from pinn.optimizers import LeastSquares, LevenbergMarquardt
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
        progress=False,
    )
    trained = min(row["relative_l2/u"] for row in solution.history if row["stage"] == 0)
    assert solution.metrics["relative_l2"]["u"] < trained / 20


def test_a_stage_trains_its_part_alone() -> None:
    trunks = []
    for stages in ({"trunk": TRUNK}, {"trunk": TRUNK, "features": FEATURES}):
        network = partial(Refined, width=4, depth=1, features=10)
        solution = solve(Burgers(0.1), network=network, stages=stages, points=50, seconds=None, grid=5, progress=False)
        trunks.append({k: v.tolist() for k, v in solution.model.state_dict().items() if "trunk" in k})
    assert trunks[0] == trunks[1]


def test_a_stage_ends_with_its_share_of_the_time() -> None:
    """A millionth of the time is over after one step; the second stage still has its own."""
    first = Stage(LevenbergMarquardt, steps=1000, part="trunk", share=1e-6)
    second = Stage(LeastSquares, steps=1, resample=0, part="features")
    network = partial(Refined, width=4, depth=1, features=10)
    stages = {"first": first, "second": second}
    solution = solve(Burgers(), network=network, stages=stages, points=50, seconds=100, grid=5, progress=False)
    assert solution.metrics["steps"] == 2
    assert "share of the time" in str(solution.metrics["stopped"])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    """Makes stages whose steps take as many seconds as is said, by a clock that nothing else moves."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("pinn.training.budget.time", SimpleNamespace(perf_counter=lambda: clock.now))

    class Slow(torch.optim.SGD):
        def step(self, closure):
            clock.now += self.param_groups[0]["lr"]
            return super().step(closure)

    return lambda seconds, **arguments: Stage(partial(Slow, lr=seconds), block=1, **{"steps": 100, **arguments})


def test_a_stage_that_is_late_is_late_for_all(slow: Callable[..., Stage]) -> None:
    """Of ten seconds the first stage should have two and takes six; the two that follow share the other four."""
    stages = {"first": slow(6.0, share=0.2), "second": slow(1.0, share=0.5), "third": slow(1.0)}
    solution = solve(
        Burgers(), network=partial(MLP, width=3, depth=1), stages=stages, points=20, seconds=10, grid=5, progress=False
    )
    assert [row["stage"] for row in solution.history if row["step"]] == [0, 1, 1, 1, 2, 2, 2]
    assert [row["seconds"] for row in solution.history] == [0, 6, 6, 7, 8, 8, 9, 10]


@pytest.mark.parametrize(("seconds", "refinements"), [(20, 3), (13, 2), (8, 1)])
def test_a_refinement_does_not_take_the_time_of_the_slabs_behind_it(
    seconds: float, refinements: int, slow: Callable[..., Stage]
) -> None:
    """Each takes four seconds and may take twice its share, which is 2.6 s for the second of 20, and 1.4 of 13."""
    stages = {
        name: slow(4.0, part="features", steps=1, slab=slab, share=(1 - 0.6) / (3 - slab - 0.6))
        if part == "features"
        else slow(1.0, part="trunk", slab=slab, share=0.6 / (3 - slab))
        for slab in range(3)
        for part, name in (("trunk", f"trunk {slab}"), ("features", f"features {slab}"))
    }
    solution = solve(
        Burgers(),
        network=partial(Slabs, slabs=3, time=1, width=3, depth=1, features=4),
        stages=stages,
        points=20,
        seconds=seconds,
        grid=5,
        progress=False,
    )
    stopped = solution.metrics["stopped"]
    assert sum("features" in reason and "left out" not in reason for reason in stopped) == refinements
    assert sum("left out, since the one before took 4 s" in reason for reason in stopped) == 3 - refinements
    assert {row["stage"] for row in solution.history} >= {0, 2, 4}


@pytest.mark.parametrize(("part", "network"), [("trunk", MLP), ("roots", Refined)])
def test_a_part_that_is_not_there_is_refused(part: str, network: type) -> None:
    with pytest.raises(InputError, match=f"trains the part '{part}'.*Refined.*trunk and features"):
        solve(
            Burgers(), network=network, stages={"only": Stage(LevenbergMarquardt, steps=1, part=part)}, progress=False
        )


@pytest.mark.parametrize("share", [0, -0.5, 1.5, True, "half"])
def test_a_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(InputError, match="share must be above 0 and at most 1"):
        Stage(LeastSquares, steps=1, share=share)
