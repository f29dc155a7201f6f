"""Slabs of time: one network each, what they start from, and that together they are one solution."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from helpers.sampled import sampled
from helpers.small import points_of

from pinn import InputError, Stage, load, solve
from pinn.derivatives.taylor import Taylor, discover
from pinn.domains import Box
from pinn.marching import Marching, time_of
from pinn.networks import Slabs
from pinn.optimizers import LeastSquares, LevenbergMarquardt, Unlimited
from pinn.plan import refinement
from pinn.plan.slab_count import LADDER, LEARNT, find_slab_count
from pinn.problems import Burgers, Constraint, Heat, Kovasznay, Poisson, Problem, Wave
from pinn.sampling import Collocation, Sobol


def slabs(count: int = 3, seed: int = 0) -> Slabs:
    torch.manual_seed(seed)
    return Slabs(2, 1, slabs=count, time=1, width=4, depth=2, features=5).double()


def marching(problem: Problem, count: int = 3) -> Marching:
    return Marching(problem, slabs(count))


def test_each_slab_is_its_own_network_over_its_own_time() -> None:
    """In [-1, 1] three slabs meet at -1/3 and 1/3; each sees its own time as [-1, 1]."""
    network = slabs()
    x = torch.tensor([[0.3, -1.0], [0.3, -0.4], [0.3, -1 / 3], [0.3, 0.0], [0.3, 0.4], [0.3, 1.0]], dtype=torch.float64)
    local = [(0, -1.0), (0, 0.8), (1, -1.0), (1, 0.0), (2, -0.8), (2, 1.0)]
    expected = [network.networks[slab](torch.tensor([[0.3, t]], dtype=torch.float64)) for slab, t in local]
    # Round-off of 3 t + 2 moves time by some 1e-16, and the network answers with a slope of order one.
    torch.testing.assert_close(network(x), torch.cat(expected), rtol=0, atol=1e-14)
    order = [4, 0, 5, 2, 1, 3]
    assert torch.equal(network(x[order]), network(x)[order])
    assert network(x[:0]).shape == (0, 1)


def test_a_slab_begins_as_the_continuation_of_the_one_before() -> None:
    network = slabs()
    network.train_part("trunk", 0)
    x = torch.tensor([[-0.7, -1 / 3], [0.2, -1 / 3], [0.2, -0.1]], dtype=torch.float64)
    before = network.evaluate(0, x)
    network.train_part("trunk", 1)
    network.continue_into(1)
    torch.testing.assert_close(network.evaluate(1, x), before, rtol=0, atol=1e-14)  # round-off as above


def test_only_the_chosen_part_of_the_chosen_slab_is_trained() -> None:
    network = slabs()
    network.train_part("features", 1)
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {"networks.1.output.weight"}
    network.train_part(None, None)
    assert all(p.requires_grad for p in network.parameters())


def test_points_of_the_whole_time_are_moved_into_the_slab() -> None:
    model = marching(Burgers())
    model.select("trunk", 2)
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    moved = model.place({"x": t, "t": t})
    torch.testing.assert_close(moved["t"], torch.tensor([2 / 3, 5 / 6, 1.0], dtype=torch.float64), rtol=0, atol=1e-15)
    assert moved["x"] is t


def test_conditions_at_the_start_become_continuity() -> None:
    """The wave asks for value and velocity; where slab 1 continues slab 0 both residuals vanish, and only there."""
    model = marching(Wave())
    model.select("trunk", 1)
    points = points_of(Wave())
    start = next(name for name in points if name in model.initial)
    placed = {k: v.requires_grad_() for k, v in points[start].items()}
    different = model(start, placed)
    model.slabs.continue_into(1)
    same = model(start, placed)
    for name in same:
        assert different[name].abs().max() > 1e-3
        # Velocity: round-off of sums of a dozen terms, times the slope of time in a slab.
        assert same[name].abs().max() < 1e-13


def test_marching_solves_and_is_one_solution(tmp_path) -> None:
    """Measured over seeds 0 to 3: errors of 1.7e-7 to 3.6e-7, jumps of 4e-7 to 1.3e-6; bounds are ten times that."""
    trunk, features = {"steps": 30, "block": 10}, {"steps": 2}
    solution = solve(
        Burgers(viscosity=0.1),
        network=partial(Slabs, slabs=2, time=1, width=10, depth=2, features=300),
        stages={
            name: replace(stage, **(trunk if stage.part == "trunk" else features))
            for name, stage in refinement(draws=6, slabs=2).items()
        },
        points=400,
        boundary_points=80,
        seconds=None,
        grid=31,
        estimate=False,
        progress=False,
    )
    assert solution.metrics["relative_l2"]["u"] < 4e-6
    at = torch.linspace(-1, 1, 7, dtype=torch.float64)
    below, above = (solution(x=at, t=torch.full_like(at, 0.5 + side)) for side in (-1e-9, 1e-9))
    # 1e-9 of time changes u by some 1e-9.
    torch.testing.assert_close(below["u"], above["u"], rtol=0, atol=1.3e-5)
    solution.save(tmp_path / "solution.pt")
    assert torch.equal(load(tmp_path / "solution.pt")(x=at, t=at.abs())["u"], solution(x=at, t=at.abs())["u"])


def test_all_slabs_together_leave_the_residuals_of_each() -> None:
    """Also where the slabs were trained with jets, which know no choice between networks."""
    model = marching(Burgers())
    points = points_of(Burgers())["equation"]
    points = {k: v.requires_grad_() for k, v in points.items()}
    model.select("trunk", 0)
    model.engines = {"equation": Taylor(discover(lambda engine: list(model("equation", points, engine).values())))}
    model.select(None)
    together = model("equation", points)["equation"]
    slab_of = (points["t"] * 3).long()
    for slab in range(3):
        with torch.no_grad():
            inside = {k: v[slab_of == slab].clone() for k, v in points.items()}
        model.select("trunk", slab)
        inside["t"] = inside["t"] * 3 - slab  # `place` moves it back
        alone = model("equation", {k: v.requires_grad_() for k, v in inside.items()})["equation"]
        # Round-off of time moved there and back, in a second derivative of order one.
        torch.testing.assert_close(together[slab_of == slab], alone, rtol=0, atol=1e-12)


def test_time_is_what_starts_and_does_not_end() -> None:
    class Ends(Heat):
        def constraints(self):
            return {**super().constraints(), "end": Constraint(self.domain.face(t=1), lambda u: u)}

    assert time_of(Heat()) == 1
    assert time_of(Poisson()) is None
    assert time_of(Ends()) is None
    with pytest.raises(InputError, match="'end' holds at t = 1"):
        marching(Ends())


@pytest.mark.slow
def test_one_slab_will_do_for_what_is_learnt_at_once() -> None:
    """A decay without space is learnt in forty steps; Burgers with its front is not."""

    class Decay(Problem):
        coordinates, fields = ("x", "t"), ("u",)

        def __init__(self) -> None:
            super().__init__()
            self.domain = Box(x=(0, 1), t=(0, 1))

        def constraints(self):
            return {
                "equation": Constraint(
                    self.domain.interior, lambda u, t: torch.autograd.grad(u.sum(), t, create_graph=True)[0] + u * u
                ),
                "initial": Constraint(self.domain.face(t=0), lambda u: u - 1),
            }

    found = find_slab_count(Decay(), Collocation(Decay(), Sobol(), 300, 60).double(), time=1)
    assert (found.slabs, len(found.left)) == (1, 1)
    found = find_slab_count(Burgers(), Collocation(Burgers(), Sobol(), 300, 60).double(), time=1)
    # The ladder ends at the first trial that is good enough, and twice as many slabs are taken.
    assert len(found.left) > 1
    assert found.slabs == 2 * LADDER[len(found.left) - 1]
    assert all(residual >= LEARNT for residual in found.left[:-1])
    assert found.in_time


@pytest.mark.parametrize(("iterations", "trials"), sampled([(10, 0), (50, 1), (90, 2)], 3))
def test_trials_of_slabs_end_with_their_time(iterations: int, trials: int) -> None:
    """Each is forty iterations; one that is cut says nothing, and of the others the one counts that left the least."""

    class Until(Unlimited):
        asked = 0

        def __call__(self) -> bool:
            self.asked += 1
            return self.asked > iterations

    problem = Burgers()
    found = find_slab_count(problem, Collocation(problem, Sobol(), 100, 20).double(), 1, Until())
    assert (len(found.left), found.in_time) == (trials, False)
    best = LADDER[found.left.index(min(found.left))] if trials else 1
    assert found.slabs == (1 if best == 1 else 2 * best)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slabs": 0}, "slabs must be a whole number of at least 1"),
        ({"time": 2}, "time must be the number of an input, 0 to 1"),
    ],
)
def test_slabs_that_make_no_sense_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Slabs(**{"inputs": 2, "outputs": 1, "slabs": 2, "time": 1, **arguments})


@pytest.mark.parametrize(("part", "slab"), [("trunk", 3), ("trunk", None), (None, 0), ("features", -1)])
def test_a_stage_that_names_no_slab_is_refused(part: str | None, slab: int | None) -> None:
    stage = Stage(LevenbergMarquardt, steps=1, part=part, slab=slab)
    network = partial(Slabs, slabs=3, time=1, width=4, depth=1, features=5)
    with pytest.raises(InputError, match="names its part and its slab, 0 to 2"):
        solve(Burgers(), network=network, stages={"only": stage}, estimate=False, progress=False)


def test_a_slab_of_a_network_without_slabs_is_refused() -> None:
    with pytest.raises(InputError, match=r"only pinn\.networks\.Slabs has slabs"):
        solve(Kovasznay(), stages={"only": Stage(LeastSquares, steps=1, slab=0)}, estimate=False, progress=False)
