"""What can be told of a problem before anything is trained."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pinn.domains import Points
from pinn.figures.points import save_points
from pinn.marching import is_initial_value_problem
from pinn.model import Model, scaled
from pinn.networks import MLP, RandomFeatures
from pinn.objective import Objective
from pinn.options import check as check_options
from pinn.problems import Problem, require_problem, try_out
from pinn.problems.linearity import Linearity, examine, field_scales
from pinn.relative import Left, field_sizes, relative_residuals
from pinn.sampling import Collocation, Sampler, Sobol
from pinn.verdict.conditions import fields_without_equation, what_is_missing
from pinn.verdict.contradictions import find_contradictions
from pinn.verdict.determinacy import find_determinacy
from pinn.verdict.jumps import find_jumps
from pinn.weighting import Fixed

WIDTH, DEPTH = 20, 3
"""Of the tanh network whose steps are measured."""


@dataclass(frozen=True)
class Cost:
    """What steps on the points of a problem cost, with a tanh network of three layers of 20.

    Attributes:
        gradient, jacobian: seconds of a gradient, and of the Jacobian of all residuals.
        memory: bytes of that Jacobian.
    """

    gradient: float
    jacobian: float
    memory: int


@dataclass(frozen=True)
class Check:
    """What is known of a problem before it is solved.

    Attributes:
        title: its class.
        domain: in words.
        scales: how large conditions and sources ask each field to be.
        linearity: whether it is linear in its fields, and why.
        points: by constraint, how many of them each part of its region has.
        residuals: by residual: `data`, what zero fields leave of it, and `size`, its answer to fields of those scales.
        faults: what keeps it from having one solution, in words.
        notes: what else was noticed, in words.
        cost: of steps.
        drawn: the points by constraint, for the picture.
        seconds: that all this took.
    """

    title: str
    domain: str
    scales: dict[str, float]
    linearity: Linearity
    points: dict[str, list[int]]
    residuals: dict[str, Left]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    cost: Cost
    drawn: Mapping[str, Points]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found that keeps the problem from having one solution."""
        return not self.faults

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what was found as pairs of a heading and a text."""
        yield "domain", self.domain
        yield "linear", f"{'yes' if self.linearity.linear else 'no'}, {self.linearity.reason}"
        for field, scale in self.scales.items():
            yield f"size of {field}", f"about {scale:.2g}, as conditions and sources ask"
        for name, parts in self.points.items():
            yield f"points of {name}", _in_words(parts)
        for row, each in self.residuals.items():
            data = "no data" if each.data == 0 else f"data {each.data:.2g}"
            yield f"residual {row}", f"{data}, answers by {each.size:.2g} to fields of these sizes"
        cost = self.cost
        yield (
            "a step",
            f"gradient {1e3 * cost.gradient:.0f} ms, Jacobian {1e3 * cost.jacobian:.0f} ms and "
            f"{cost.memory / 2**20:.0f} MB, of a tanh network {DEPTH} × {WIDTH}",
        )
        for note in self.notes:
            yield "note", note
        for fault in self.faults:
            yield "fault", fault

    def __str__(self) -> str:
        rows = list(self.lines())
        width = max(len(heading) for heading, _ in rows)
        verdict = "nothing speaks against it" if self.ok else "it has no solution, or many"
        return "\n".join([f"{self.title}: {verdict}", *(f"  {heading:<{width}}  {text}" for heading, text in rows)])

    def plot(self, path: str | Path) -> Path:
        """Draw the points of every constraint, with their normals, into a PNG file; return where it is."""
        return save_points(self.drawn, self.title, Path(path))


def check(
    problem: Problem,
    *,
    points: int = 2500,
    boundary_points: int = 400,
    counts: Mapping[str, int] | None = None,
    sampler: Sampler | None = None,
    seed: int = 0,
) -> Check:
    """Look at a problem as closely as can be done in seconds, before anything is trained.

    ```python
    print(pinn.check(Poisson()))
    pinn.check(Poisson()).plot("points.png")
    ```

    Args:
        problem: what is to be solved; it is copied.
        points, boundary_points, counts, sampler, seed: as for `pinn.solve`.

    Raises:
        InputError: something that was given does not fit.
    """
    require_problem(problem)
    told = {"points": points, "boundary_points": boundary_points, "counts": counts or {}, "seed": seed}
    check_options(told)
    return inspect(problem, Collocation(problem, sampler or Sobol(), points, boundary_points, counts, seed))


def inspect(problem: Problem, collocation: Collocation) -> Check:
    """Do what `check` does, for points that are made already."""
    started = time.perf_counter()
    problem = problem.copied()
    collocation = collocation.to(torch.float64)
    drawn = collocation(0)
    try_out(problem, drawn)
    nothing = _model(problem, RandomFeatures, features=1)
    left = relative_residuals(nothing, drawn)
    linearity = examine(problem)
    contradictions = find_contradictions(problem)
    jumps = find_jumps(problem)
    faults = [str(each) for each in contradictions if each.whole]
    faults += [f"{field} is in no equation" for field in fields_without_equation(problem)]
    faults += [f"{jump}, and the equation does not say how its sides join" for jump in jumps if jump.leading]
    notes = [f"{each}; no smooth field can meet both" for each in contradictions if not each.whole]
    notes += [f"{jump}; smooth fields come near it slowly" for jump in jumps if not jump.leading]
    missing = what_is_missing(problem)
    # Where fields multiply each other, what their conditions leave open depends on the fields.
    determinacy = (
        find_determinacy(nothing, collocation, left, field_sizes(nothing), seed=1) if linearity.linear else None
    )
    # What goes from a start alone may grow so that hardly anything of it is seen there.
    if determinacy is not None and determinacy.free and (missing or not is_initial_value_problem(problem)):
        faults.append(f"other fields meet all conditions as well: {'; '.join(missing) or 'it is ill-posed'}")
    elif determinacy is None:
        notes += [f"{line}: is that meant?" for line in missing]
    return Check(
        title=type(problem).__name__,
        domain=str(problem.domain),
        scales={field: scales[-1] for field, scales in field_scales(problem).items()},
        linearity=linearity,
        points={name: list(sizes) for name, sizes in collocation.sizes.items()},
        residuals=left,
        faults=tuple(dict.fromkeys(faults)),
        notes=tuple(notes),
        cost=_cost(problem, drawn),
        drawn=drawn,
        seconds=time.perf_counter() - started,
    )


def _cost(problem: Problem, drawn: Mapping[str, Points]) -> Cost:
    objective = Objective(_model(problem, MLP, width=WIDTH, depth=DEPTH), drawn, Fixed())
    objective()
    began = time.perf_counter()
    objective()
    gradient = time.perf_counter()
    with torch.no_grad():
        jacobian, _ = objective.jacobian()
    return Cost(gradient - began, time.perf_counter() - gradient, jacobian.numel() * jacobian.element_size())


def _model(problem: Problem, kind: type[MLP | RandomFeatures], **sizes: Any) -> Model:
    """Return a model of a problem; the global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return scaled(problem, kind(len(problem.coordinates), len(problem.fields), **sizes)).double()


def _in_words(parts: list[int]) -> str:
    """Return how many points there are, and how many each part has: 2 × 100 + 2 × 10."""
    if len(parts) == 1:
        return f"{parts[0]:,}"
    counts = {count: parts.count(count) for count in parts}
    shares = " + ".join(f"{times} × {count:,}" for count, times in counts.items())
    return f"{sum(parts):,}, of its {len(parts)} parts {shares}"
