"""A solved problem: fields at any points, saved and loaded as one file."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from pinn import checkpoint
from pinn.domains import Points
from pinn.errors import InputError
from pinn.evaluation import POINTS_AT_ONCE, Evaluation, evaluate, evaluation_points
from pinn.hard_conditions import Condition, HardConditions
from pinn.hard_conditions.ansatz import Kind
from pinn.limits import NoMoreThan
from pinn.marching import Marching, time_of
from pinn.model import Model, scaled
from pinn.networks import InSlabs, Marched, PeriodicInputs
from pinn.problems import Problem
from pinn.recipes import Place, describe, rebuild
from pinn.shapes import HISTORY, Plain, about, require, require_finite
from pinn.theirs import in_their_code
from pinn.verdict import Verdict

DTYPES = {"float64": torch.float64, "float32": torch.float32}
"""Precisions that a model can have, by name."""

Outside = Literal["nan", "raise", "extrapolate"]

PROBLEM = Place("problem", Problem)
NETWORK = Place("network", nn.Module, later=("inputs", "outputs"))

Number = Tensor | np.ndarray[Any, Any] | float


@dataclass
class Solution:
    """The fields that a network has learnt, with the record of how.

    ```python
    solution = pinn.solve(Poisson())
    solution(x=0.5, y=[0.25, 0.5])["u"]      # a tensor of shape (2,)
    solution.save("poisson.pt")
    ```
    """

    model: Model
    recipe: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    """What `metrics.json` of a run holds; documented in docs/runs.md."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One row for each look at the held-out points: step, seconds, stage, loss, validation, residuals and errors."""

    @property
    def verdict(self) -> Verdict | None:
        """How good it is, in words and numbers; None where a file does not record it, as the checkpoint of a run."""
        return Verdict.of(self.metrics)

    @property
    def problem(self) -> Problem:
        """The problem that was solved."""
        return self.model.problem

    def __call__(self, outside: Outside = "nan", **coordinates: Number | Sequence[float]) -> dict[str, Tensor]:
        """Return every field by name at points given by coordinate.

        Numbers, sequences, arrays and tensors are broadcast to one shape, which the fields have too. Where a given
        tensor requires grad, the fields can be differentiated by it with `pinn.derivatives`. They lie where the first
        tensor does, whatever device the network has; on the CPU, where no tensor was given.

        Args:
            outside: what the fields are at points outside of the domain, of which the solution knows nothing: `nan`,
                with a warning; `extrapolate` takes what the network says there; `raise` refuses such points.
            coordinates: all of them, by name.

        Raises:
            InputError: a coordinate is missing or unknown, or points lie outside and are to be refused.

        Warns:
            UserWarning: points lie outside, and the fields are NaN there.
        """
        if outside not in get_args(Outside):
            raise InputError(f"outside must be one of {', '.join(get_args(Outside))}; it was given {outside!r}.")
        names = self.problem.coordinates
        if set(coordinates) != set(names):
            raise InputError(
                f"the coordinates are {', '.join(names)}; it was given {', '.join(coordinates) or 'none'}."
            )
        like = next(self.model.parameters())
        given = [torch.as_tensor(coordinates[name], dtype=like.dtype, device=like.device) for name in names]
        home = next((value.device for value in coordinates.values() if isinstance(value, Tensor)), torch.device("cpu"))
        values = torch.broadcast_tensors(*given)
        shape = values[0].shape
        flat = [value.reshape(-1) for value in values]
        with torch.set_grad_enabled(torch.is_grad_enabled() and any(value.requires_grad for value in given)):
            blocks = [
                self.model.fields(dict(zip(names, parts, strict=True)))
                for parts in zip(*(value.split(POINTS_AT_ONCE) for value in flat), strict=True)
            ]
            fields = {name: torch.cat([block[name] for block in blocks]) for name in self.problem.fields}
            if outside != "extrapolate":
                fields = self._inside(dict(zip(names, flat, strict=True)), fields, refuse=outside == "raise")
            return {name: values.reshape(shape).to(home) for name, values in fields.items()}

    def _inside(self, points: Points, fields: Points, *, refuse: bool) -> Points:
        """Return the fields, NaN at points outside of the domain, of which there is one warning; or refuse those."""
        domain = self.problem.domain
        inside = domain.contains(points)
        if inside.all():
            return fields
        first = int((~inside).nonzero()[0])
        at = ", ".join(f"{name}={values[first].item():.6g}" for name, values in points.items())
        said = f"{int((~inside).sum())} of {len(inside)} points lie outside of {domain}, the first at {at}"
        if refuse:
            raise InputError(f"{said}; the solution knows nothing of them.")
        warnings.warn(f"{said}; the fields are NaN there. Say outside='extrapolate' to have them.", stacklevel=3)
        return {name: torch.where(inside, values, torch.nan) for name, values in fields.items()}

    def evaluate(self, grid: int | Mapping[str, int]) -> Evaluation:
        """Return fields, reference, errors and residuals on a mesh grid with so many nodes a coordinate.

        With more than three coordinates, at grid² scattered points, see `evaluation_points`.
        """
        like = next(self.model.parameters())
        return evaluate(self.model, evaluation_points(self.problem.domain, grid, like.dtype, like.device))

    def save(self, path: str | Path) -> None:
        """Write one file that `pinn.load` reads."""
        state = self.model.state_dict()
        content = {"recipe": self.recipe, "state": state, "metrics": self.metrics, "history": self.history}
        checkpoint.save(Path(path), content)


def load(
    path: str | Path,
    problem: Problem | None = None,
    network: Callable[..., nn.Module] | None = None,
    trust: Sequence[str] = (),
) -> Solution:
    """Read a solution from a file that `Solution.save` wrote, or from the folder of a run.

    Nothing in the file is executed. The classes of problem and network that it names are used only if they belong to
    pinn or torch, or to a module in `trust`.

    Args:
        path: the file or the folder.
        problem: used instead of building the one that the file names.
        network: likewise; called with the numbers of inputs and outputs.
        trust: modules whose classes may be built, your own for example.

    Raises:
        InputError: the file cannot be read, or names a class that is not trusted.
    """
    path = Path(path)
    file = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    return restore(checkpoint.read(file, needs=("recipe", "state")), file, problem, network, trust)


def restore(
    content: Mapping[str, Any],
    file: Path,
    problem: Problem | None = None,
    network: Callable[..., nn.Module] | None = None,
    trust: Sequence[str] = (),
) -> Solution:
    """Return the solution in the content of a checkpoint; see `load`.

    Args:
        content: of the checkpoint.
        file: that it was read from, for messages.
        problem: used instead of building the one that the content names.
        network: likewise.
        trust: modules whose classes may be built.
    """
    with about(file):
        found = {"metrics": {}, "history": [], **content}
        examples = {"recipe": RECIPE, "state": {str: Tensor}, "metrics": {str: Plain}, "history": HISTORY}
        require({name: found[name] for name in examples}, examples)
        recipe, state = found["recipe"], found["state"]
        with nullcontext() if network else NoMoreThan(state.values(), recipe["network"]):
            model = build_model(
                problem or rebuild(recipe["problem"], PROBLEM, trust),
                network or rebuild(recipe["network"], NETWORK, trust),
                DTYPES[recipe["dtype"]],
                [Condition(**condition) for condition in recipe["hard"]],
            )
        require(state, dict(model.state_dict()), "state")
        model.load_state_dict(state)
        require_finite(dict(model.named_parameters()), "state")
    return Solution(model, recipe, found["metrics"], found["history"])


RECIPE = {
    "problem": (None, {str: Plain}),
    "network": (None, {str: Plain}),
    "dtype": tuple(DTYPES),
    "hard": [{"row": str, "kind": get_args(Kind), "name": str, "factor": float}],
}
"""What `write_recipe` returns, as `pinn.shapes.require` wants it."""


def build_model(
    problem: Problem, network: Callable[..., nn.Module], dtype: torch.dtype, conditions: Sequence[Condition] = ()
) -> Model:
    """Put a problem and a network together, inputs scaled to the domain.

    Args:
        problem: the problem.
        network: called with the numbers of inputs and outputs.
        dtype: of parameters and buffers.
        conditions: what is built into the fields.
    """
    hard = HardConditions(problem, conditions)
    periodic = [problem.coordinates.index(name) for name in hard.periodic]
    given: dict[str, Any] = {
        "inputs": PeriodicInputs.seen(len(problem.coordinates), periodic),
        "outputs": len(problem.fields),
    }
    if (network.func if isinstance(network, partial) else network) is Marched:
        time = time_of(problem)
        if time is None:
            raise InputError(
                f"{type(problem).__name__} cannot be marched through: that needs conditions where a coordinate t, or "
                f"the only one, starts, and none later. Choose another network than Marched."
            )
        # It has functions of its own for what is periodic.
        given |= {"inputs": len(problem.coordinates), "periodic": periodic, "time": time}
    with in_their_code("the network cannot be made"):
        inside = network(**given)
    if not isinstance(inside, nn.Module):
        raise InputError(f"the network must be a torch.nn.Module; it was given a {type(inside).__name__}.")
    if isinstance(inside, InSlabs):
        if not all(condition.kind == "periodic" and inside.grows for condition in conditions):
            raise InputError(
                "conditions are built into one network, not into slabs of time, of which only the first starts where "
                "the problem does; choose hard=false or slabs=1."
            )
        return Marching(problem, inside, hard).to(dtype)
    return scaled(problem, PeriodicInputs(inside, periodic) if periodic else inside, hard).to(dtype)


def write_recipe(
    problem: Problem, network: Callable[..., nn.Module], dtype: torch.dtype, conditions: Sequence[Condition] = ()
) -> dict[str, Any]:
    """Return plain values from which `load` builds the same model."""
    return {
        "problem": describe(partial(type(problem), **problem.arguments)),
        "network": describe(network),
        "dtype": str(dtype).removeprefix("torch."),
        "hard": [asdict(condition) for condition in conditions],
    }
