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
from pinn.optimizers.slab_solver import SMALLEST as SMALLEST_IN_SPACE
from pinn.optimizers.slab_solver import Enough, SlabSolver, enough
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
"""The part of the highest functions in a field, in units of the tolerance."""
BLAMED = 0.1
"""The same of space, in units of that of time, where a slab lacks functions of space and is not too long."""
COARSEST = 3e-2
"""The relative residual up to which a slab is kept whose fields are resolved, and the coarsest tolerance there is."""
FAR = 3
"""Where so many times as many functions are needed as there may be, the last ones gain little, and as much fewer do."""
FRESH_POINTS = 60
"""At which the residuals of a slab are looked at, times the square of the number of coordinates: others than those of
its solve."""
AT_START = 10
"""So many of them are at the start of the slab, where a jump would else be missed."""
SMALLEST = 1e-9
"""Of the size that conditions and sources ask of a field of time alone. What is smaller is not resolved by itself."""
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

    def __init__(self, parameters: Iterable[Tensor], tolerance: float = 1e-9, functions: int = 1200) -> None:
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

    @property
    def kept(self) -> float:
        """The tolerance that could be kept so far."""
        return self._march.tolerance if self._march else self._kept

    def state_dict(self) -> dict[str, Any]:
        """Return the tolerance that could be kept: slabs, their lengths and resolution are buffers of the network."""
        return {"kept": self.kept}

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
        smallest = SMALLEST_IN_SPACE if self.slabs.space else SMALLEST
        self.smallest = {name: smallest * max(found) for name, found in scales.items()}
        self._initial: Tensor | None = None

    def _scattered(self, regions: Mapping[str, Region]) -> dict[str, Points]:
        """Return points of constraints; of time alone some are at the start of a slab, which no node is near to."""
        generator = torch.Generator().manual_seed(0)
        count = FRESH_POINTS * len(self.model.problem.coordinates) ** 2
        found = {}
        for name, region in regions.items():
            found[name] = {
                key: values.to(self.slabs.weights) for key, values in region.scattered(count, generator).items()
            }
            if not self.slabs.space:
                found[name][self.model.time][:: count // AT_START] = self.model.start
        return found

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
            wanted = self._more(sizes, enough(values, self.solver.smallest, self.tolerance)[:-1])
            if wanted == sizes and (left := self._left(fresh)) > self.tolerance:
                more = [_odd(MORE * size) for size in sizes]
                wanted = self._affordable(sizes, more, left, self.functions // FAR)
            if wanted == sizes:
                break
            sizes = wanted
        self._initial = values
        return values

    def _more(self, sizes: list[int], found: list[Enough]) -> list[int]:
        """Return how many functions of each coordinate of space there should be, where some have too few.

        Where that is more than there may be, the tolerance becomes what can be kept.
        """
        worst = max((each.tail for each in found), default=0.0)
        if worst <= TOO_MUCH * self.tolerance:
            return sizes
        wanted = [
            _odd(min(max(each.needed, MORE * size), MUCH_MORE * size))
            if each.tail > TOO_MUCH * self.tolerance
            else size
            for size, each in zip(sizes, found, strict=True)
        ]
        needed = self.slabs.outputs * math.prod(each.needed for each in found)
        most = self.functions if needed <= FAR * self.functions else self.functions // FAR
        return self._affordable(sizes, wanted, worst / TOO_MUCH, most)

    def _affordable(self, sizes: list[int], wanted: list[int], left: float, most: int) -> list[int]:
        """Return what is wanted, or as much as there may be; where that is no gain, the tolerance gives way."""
        count = self.slabs.outputs * math.prod(wanted)
        if count <= most:
            return wanted
        shrunk = (most / count) ** (1 / len(wanted))
        fewer = [max(size, 2 * int(shrunk * want / 2) - 1) for size, want in zip(sizes, wanted, strict=True)]
        if math.prod(fewer) > MORE * math.prod(sizes):
            return fewer
        self.tolerance = max(self.tolerance, 1.01 * left)
        if self.tolerance > COARSEST:
            self.lacks = f"more than the {self.functions} functions of space that there may be are needed"
        return sizes

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
        found = self.solver.resolution(self.tolerance) if solved else []
        wanted = self._more(sizes, found[:-1]) if solved and self._lacks_functions(found) else sizes
        if self.lacks:
            return self.lacks
        growth, kept = self._judge(left, found)
        length = (end - start) * growth
        if kept:
            self.slabs.accept()
            if self.slabs.is_whole:
                return self.why_it_ends()
            if wanted == sizes:
                pairs = zip(sizes, found[:-1], strict=True)
                wanted = [max(FEWEST, each.needed) if each.needed < FEWER * size else size for size, each in pairs]
        self._begin_after(length, wanted)
        if length < 2 * SHORTEST:
            return f"no slab is so short that it leaves less than {self.tolerance:g}"
        return self.why_it_ends()

    def _lacks_functions(self, found: list[Enough]) -> bool:
        """Tell whether functions of space are what a slab lacks; if not, it is too long."""
        *space, time = found
        return max((each.tail for each in space), default=0.0) > max(TOO_MUCH * self.tolerance, BLAMED * time.tail)

    def _judge(self, left: float, found: list[Enough]) -> tuple[float, bool]:
        """Return by which factor the next slab is longer than the one in progress, and whether that is kept.

        Of time alone, residuals decide. Where there is space, they may be large for the sake of waves that are so small
        and so fast that they do not matter: then the fields have to be resolved.
        """
        order = 1 / self.solver.radau.stages
        growth, kept = SAFETY * (self.tolerance / left) ** order, left <= self.tolerance
        if self.slabs.space and found:
            fine = TOO_MUCH * self.tolerance
            if left <= COARSEST:
                kept = kept or all(each.tail <= fine for each in found)
                growth = max(growth, SAFETY * (fine / max(found[-1].tail, ROUND_OFF)) ** order)
            if not kept and self._lacks_functions(found) and found[-1].tail <= fine:
                growth = 1.0
        return min(max(growth, LEAST), MOST), kept

    def _begin_after(self, length: float, sizes: list[int]) -> None:
        """Begin a slab after the last one that is known, or the first one."""
        last = len(self.slabs) - 1
        if last < 0:
            self.solver.begin(self._initial_values(), length, 2.0, sizes)
        else:
            start, end = self.slabs.interval(last)
            self.solver.begin(self.solver.end_values(last), length, end - start, sizes)

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


def _odd(number: float) -> int:
    """Return the next odd number above: waves come in pairs, beside a constant."""
    return 2 * math.ceil(number / 2) + 1
