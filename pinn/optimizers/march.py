"""A march through slabs of time whose lengths and resolution are controlled, as an integrator controls its steps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pinn.domains import Points, Region
from pinn.errors import InputError, OutOfTime
from pinn.marching import Marching
from pinn.networks import Marched
from pinn.objective import Objective
from pinn.optimizers.optimizer import Optimizer, Progress, Stop, Unlimited
from pinn.optimizers.slab_solver import LITTLE, Enough, SlabSolver, enough
from pinn.problems.linearity import field_scales
from pinn.relative import relative_residuals
from pinn.weighting import Weighting

SAFETY, LEAST, MOST = 0.8, 0.2, 2.0
"""The residual of a slab is taken to grow as its length to the power of the stages, and the next one is as long as the
tolerance allows then, times a safety; by these factors shorter or longer at most."""
SHORTEST = 1e-12
"""Of all time. So short a slab adds less than the tolerance where a source jumps in it."""
FEWEST, MORE, MUCH_MORE = 9, 1.4, 3.0
"""Functions of a coordinate of space, at least, and by which factors they become more, at least and at most."""
FEWER = 0.85
"""Functions that are needed, in units of those that there are, above which there are not made fewer."""
TOO_MUCH = 0.3
"""What the highest functions may contribute, in units of the tolerance."""
BLAMED = 0.1
"""What they contribute, in units of the residual, where a slab that is refused lacks functions and not steps."""
COARSEST = 1e-3
"""The relative residual up to which a slab is kept that has all the functions that there may be."""
FRESH_POINTS = 60
"""At which the residuals of a slab are looked at, times the square of the number of coordinates: others than those of
its solve."""
SMALLEST = 1e-9
"""Of the size that conditions and sources ask of a field. What is smaller is not resolved relative to itself."""
FINEST = 1e3
"""Round-offs, relative, that no tolerance is below."""
ROUND_OFF = 1e-16
"""Of a residual; there is no less."""


class March(Optimizer):
    """Solves a `pinn.marching.Marching` model over `pinn.networks.Marched`, slab after slab, to a tolerance.

    A slab is solved by `pinn.optimizers.slab_solver.SlabSolver`. It is kept where the residuals at fresh points,
    relative to their answers to changes of the fields within the slab, are at most the tolerance. Else it is tried
    again: with more functions of space, if the highest of them are not small, or shorter. How far the residuals are
    below the tolerance says how long the next slab is, and what its highest functions contribute says how many it has.
    An iteration is one trial of a slab.

    Nothing here depends on a clock: a slow machine finds the same slabs later.

    Args:
        parameters: those of the slab in progress.
        tolerance: the largest relative residual of a slab; where it is less, a thousand round-offs of the precision.
        functions: of space, of all fields together, that a slab may have at most.

    Raises:
        InputError: a tolerance that is not between 0 and 1.
    """

    needs: ClassVar[Literal["gradient", "jacobian"]] = "jacobian"
    keeps_last = True

    def __init__(self, parameters: Iterable[Tensor], tolerance: float = 1e-9, functions: int = 2000) -> None:
        super().__init__(parameters)
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
            raise InputError(f"March: tolerance must be a number between 0 and 1; it was given {tolerance!r}.")
        if isinstance(functions, bool) or not isinstance(functions, int) or functions < 1:
            raise InputError(f"March: functions must be a whole number of at least 1; it was given {functions!r}.")
        self.tolerance, self.functions = tolerance, functions
        self._kept = tolerance
        self._march: _March | None = None

    @torch.no_grad()
    def run(self, objective: Objective, steps: int, stop: Stop = Unlimited()) -> Progress:  # noqa: B008
        """Try at most `steps` slabs."""
        if self._march is None or self._march.model is not objective.model:
            self._march = _March(objective.model, objective.weighting, self.tolerance, self._kept, self.functions)
        march = self._march
        march.begin()
        taken, reason = 0, march.why_it_ends()
        while taken < steps and reason is None and not stop():
            try:
                reason = march.try_slab(stop)
            except OutOfTime:
                break
            taken += 1
        # What the objective says is that of the last slab that is known.
        march.slabs.active = max(0, len(march.slabs) - 1)
        objective.loss()
        return Progress(taken, reason)

    def work(self, rows: int) -> float:
        """Return the operations of the least that an iteration needs: it is more where there are more functions."""
        return float(sum(parameter.numel() for parameter in self.parameters))

    def state_dict(self) -> dict[str, Any]:
        """Return the tolerance that could be kept: slabs, their lengths and resolution are buffers of the network."""
        return {"kept": self._march.tolerance if self._march else self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it up."""
        self._march, self._kept = None, state["kept"]


class _March:
    """What a run works on: a model, its slabs, and what solves one of them."""

    def __init__(self, model: Any, weighting: Weighting, asked: float, kept: float, functions: int) -> None:
        if not (isinstance(model, Marching) and isinstance(model.slabs, Marched)):
            raise InputError("March marches through the slabs of pinn.networks.Marched; choose network=marched.")
        self.model, self.slabs, self.functions = model, model.slabs, functions
        finest = FINEST * torch.finfo(self.slabs.weights.dtype).eps
        self.asked, self.tolerance = max(asked, finest), max(kept, finest)
        self.lacks: str | None = None
        self.solver = SlabSolver(model, self.slabs, weighting)
        self.fresh = self._scattered(self.solver.regions)
        scales = field_scales(model.problem.copied())
        self.smallest = {name: SMALLEST * max(found) for name, found in scales.items()}
        self._initial: Tensor | None = None

    def _scattered(self, regions: Mapping[str, Region]) -> dict[str, Points]:
        generator = torch.Generator().manual_seed(0)
        count = FRESH_POINTS * len(self.model.problem.coordinates) ** 2
        return {
            name: {key: values.to(self.slabs.weights) for key, values in region.scattered(count, generator).items()}
            for name, region in regions.items()
        }

    def begin(self) -> None:
        """Begin the first slab, if that has not been done."""
        if not self.slabs.has_begun:
            values = self._initial_values()
            self.solver.begin(values, 2.0, 2.0, values.shape[1:-1])

    def _initial_values(self) -> Tensor:
        """Return the values at the start of time, with as many functions of space as they need, or as there may be."""
        if self._initial is not None:
            return self._initial
        sizes = [FEWEST] * len(self.slabs.space)
        fresh = self._scattered(self.solver.initial)
        while True:
            values = self.solver.initial_values(sizes)
            self.solver.begin(values, 2.0, 2.0, sizes)
            found = enough(values.abs().amax(dim=-1), self.tolerance)
            wanted = [
                _more(n, each) if each.tail > LITTLE * self.tolerance else n
                for n, each in zip(sizes, found, strict=True)
            ]
            if wanted == sizes and self._left(fresh) > self.tolerance:
                wanted = [_odd(MORE * size) for size in sizes]
            if wanted == sizes:
                break
            if self._are_too_many(wanted):
                self.lacks = f"the initial values need more than the {self.functions} functions that there may be"
                break
            sizes = wanted
        self._initial = values
        return values

    def _are_too_many(self, sizes: list[int]) -> bool:
        return self.slabs.outputs * math.prod(sizes) > self.functions

    def why_it_ends(self) -> str | None:
        """Return why there is no further slab to try; None if there is one."""
        if self.slabs.is_whole:
            coarse = f", but to {self.tolerance:.0e} only with {self.functions} functions of space"
            return f"the end of time is reached{coarse if self.tolerance > self.asked else ''}"
        return f"{len(self.slabs)} slabs are all that there may be" if self.slabs.is_full else self.lacks

    def try_slab(self, stop: Stop) -> str | None:
        """Solve the slab in progress, keep it or begin another one, and return why it ends, if it does.

        Raises:
            OutOfTime: there was no time for it; everything is as before.
        """
        self.model.select("slab", None)
        slab = len(self.slabs)
        begun = self.slabs.weights.clone()
        start, end = self.slabs.interval(slab)
        sizes = self.slabs.functions(slab)
        try:
            solved = self.solver.solve(self.tolerance, stop)
        except OutOfTime:
            self.slabs.weights.copy_(begun)
            raise
        left = self._left(self.fresh) if solved else math.inf
        growth = SAFETY * (self.tolerance / left) ** (1 / self.solver.radau.stages)
        length = (end - start) * min(max(growth, LEAST), MOST)
        kept = left <= self.tolerance
        wanted = self._wanted(sizes, left) if solved else sizes
        lacks_functions = not kept and wanted != sizes
        if self._are_too_many(wanted):
            if lacks_functions and left > COARSEST:
                return f"a slab needs more than the {self.functions} functions of space that there may be"
            if lacks_functions:
                self.tolerance, kept = left, True
            wanted = sizes
        if kept:
            self.slabs.accept()
            if self.slabs.is_whole:
                return self.why_it_ends()
        elif lacks_functions:
            length = end - start
        self._begin_after(length, wanted)
        if length < 2 * SHORTEST:
            return f"no slab is so short that it leaves less than {self.tolerance:g}"
        return self.why_it_ends()

    def _begin_after(self, length: float, sizes: list[int]) -> None:
        """Begin a slab after the last one that is known, or the first one."""
        last = len(self.slabs) - 1
        if last < 0:
            self.solver.begin(self._initial_values(), length, 2.0, sizes)
        else:
            start, end = self.slabs.interval(last)
            self.solver.begin(self.solver.end_values(last), length, end - start, sizes)

    def _wanted(self, sizes: list[int], left: float) -> list[int]:
        """Return how many functions of each coordinate of space the next trial should have."""
        kept = left <= self.tolerance
        most = TOO_MUCH * self.tolerance if kept else max(BLAMED * left, TOO_MUCH * self.tolerance)
        return [
            _more(size, found)
            if found.tail > most
            else max(FEWEST, found.needed)
            if kept and found.needed < FEWER * size
            else size
            for size, found in zip(sizes, self.solver.resolution(self.tolerance), strict=True)
        ]

    def _left(self, fresh: Mapping[str, Points]) -> float:
        """Return the largest relative residual of the slab in progress at fresh points of its constraints."""
        points = {name: self.model.place(group) for name, group in fresh.items()}
        together = {
            name: torch.cat([group[name] for group in points.values()]) for name in self.model.problem.coordinates
        }
        within = {self.model.time: self.model.interval(self.slabs.in_progress)}
        with self.slabs.being_fixed():
            sizes = {
                name: max(values.square().mean().sqrt().item(), self.smallest[name])
                for name, values in self.model.fields(together).items()
            }
            left = relative_residuals(self.model, points, sizes, within).values()
        found = [max(each.relative, ROUND_OFF) for each in left]
        return max((math.inf if math.isnan(value) else value for value in found), default=ROUND_OFF)


def _more(size: int, found: Enough) -> int:
    """Return how many functions there should be, of a coordinate that has too few."""
    return _odd(min(max(found.needed, MORE * size), MUCH_MORE * size))


def _odd(number: float) -> int:
    """Return the next odd number above: waves come in pairs, beside a constant."""
    return 2 * math.ceil(number / 2) + 1
