"""Which points a step sees. Points are a function of (seed, draw): nothing to store, exact to resume."""

import hashlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from pinn.domains import Points, Region
from pinn.errors import InputError
from pinn.problems import Problem


class Sampler(ABC):
    """A way to fill the unit cube [0, 1]^dimension: a fixed design, and what is fresh about each draw of it."""

    @abstractmethod
    def design(self, count: int, dimension: int) -> Tensor:
        """Return the fixed part of every draw, (points, dimension) in float64, made once."""

    def designs(self, counts: Sequence[int], dimension: int) -> list[Tensor]:
        """Return designs for several cubes: consecutive pieces of one, so that no two of them are alike."""
        return list(self.design(sum(counts), dimension).split(list(counts)))

    @abstractmethod
    def draw(self, design: Tensor, generator: torch.Generator) -> Tensor:
        """Return one draw, of the shape, dtype and device of `design`."""


class Sobol(Sampler):
    """The Sobol sequence, shifted by a random vector modulo 1 (Sobol 1967; Cranley and Patterson 1976).

    Its points leave smaller holes than independent ones, so that fewer of them see the whole residual. The sequence is
    made once; a draw costs one addition, on the device.
    """

    def design(self, count: int, dimension: int) -> Tensor:
        """Return the first `count` points of the sequence."""
        return SobolEngine(dimension).draw(count, dtype=torch.float64)

    def draw(self, design: Tensor, generator: torch.Generator) -> Tensor:
        """Shift all points by the same vector."""
        shift = torch.rand(design.shape[1], generator=generator, dtype=design.dtype, device=design.device)
        return torch.remainder(design + shift, 1)


class Uniform(Sampler):
    """Independent uniform points."""

    def design(self, count: int, dimension: int) -> Tensor:
        """Return only the shape: nothing is fixed."""
        return torch.zeros(count, dimension, dtype=torch.float64)

    def draw(self, design: Tensor, generator: torch.Generator) -> Tensor:
        """Draw every number anew."""
        return torch.rand(design.shape, generator=generator, dtype=design.dtype, device=design.device)


class Grid(Sampler):
    """The midpoints of a regular grid of n^dimension cells, n = ⌊count^(1/dimension)⌋; the same in every draw."""

    def design(self, count: int, dimension: int) -> Tensor:
        """Return at most `count` midpoints."""
        # The small number keeps 1000^(1/3) = 9.999… from being cut to 9.
        cells = max(1, int(count ** (1 / dimension) + 1e-9))
        midpoints = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
        axes = torch.meshgrid(*[midpoints] * dimension, indexing="ij")
        return torch.stack([axis.flatten() for axis in axes], dim=1)

    def designs(self, counts: Sequence[int], dimension: int) -> list[Tensor]:
        """Return a grid for each: a piece of one would lie in a part of its cube."""
        return [self.design(count, dimension) for count in counts]

    def draw(self, design: Tensor, generator: torch.Generator) -> Tensor:
        """Return the design itself."""
        return design


SURE = 1e9
"""How strongly a point is drawn where the residual is no number, beside 1 for the mean of the others."""


class ResidualAdaptive(Sobol):
    """Sobol points of the interior, thinned so that more of them lie where the residual is large.

    From `pool` times as many candidates, each is taken with a probability in proportion to
    |r|^exponent / mean |r|^exponent + floor, without replacement (RAD: Wu, Zhu, Tan, Kartha and Lu 2023). On Burgers
    with its thin front 4,000 such points give an error two to four times smaller in the same time than 6,000 even ones.

    Args:
        pool: candidates for each point, at least 2.
        exponent: how strongly the residual draws points, above 0.
        floor: how many go anywhere, above 0.
    """

    def __init__(self, pool: int = 5, exponent: float = 1.0, floor: float = 1.0) -> None:
        if isinstance(pool, bool) or not isinstance(pool, int) or pool < 2 or not exponent > 0 or not floor > 0:
            raise InputError(
                f"ResidualAdaptive needs a whole pool of at least 2, exponent > 0 and floor > 0; it was given "
                f"{pool!r}, {exponent!r} and {floor!r}."
            )
        self.pool, self.exponent, self.floor = pool, exponent, floor

    def choose(self, residual: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Return the indices of `count` candidates, given the size of the residual at each of them.

        A candidate where it is infinite or no number is as good as sure to be taken: a training must see it.
        """
        pull = residual.abs() ** self.exponent
        finite = torch.isfinite(pull)
        known = torch.where(finite, pull, 0)
        mean = (known.sum() / finite.sum().clamp(min=1)).clamp(min=torch.finfo(pull.dtype).tiny)
        return torch.multinomial(torch.where(finite, known / mean + self.floor, SURE), count, generator=generator)


Residual = Callable[[str, Points], Tensor]
"""Size of the residual of a constraint, by its name, at points of its region: (points,)."""


class Collocation(nn.Module):
    """The collocation points of every constraint of a problem.

    Draw k of a run with seed s is a function of (s, k) alone, and for an adaptive sampler of the residual too, so a run
    resumed at any draw sees the points that it would have seen. Designs are buffers: they move with the module, and
    points are made where they are used.

    Args:
        problem: gives the regions.
        sampler: fills the unit cube.
        points: number of points of constraints on the interior.
        boundary_points: number of points of constraints on regions of lower dimension. Single points have one, and each
            part of a region, such as a face of a boundary, has one at least.
        counts: numbers for single constraints, by name, instead of these.
        seed: of all draws.

    Raises:
        InputError: a count below 1 or a name that is no constraint.

    Warns:
        UserWarning: a count is raised, as the region has more parts than that.
    """

    def __init__(
        self,
        problem: Problem,
        sampler: Sampler,
        points: int,
        boundary_points: int,
        counts: Mapping[str, int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.regions = {name: constraint.region for name, constraint in problem.constraints().items()}
        self.sampler, self.seed = sampler, seed
        self.sizes: dict[str, list[int]] = {}
        """How many points each part of a region has, by constraint."""
        counts = dict(counts or {})
        if unknown := set(counts) - set(self.regions):
            raise InputError(
                f"sampling.counts names {', '.join(sorted(unknown))}; the constraints are {', '.join(self.regions)}."
            )
        for name, region in self.regions.items():
            count = counts.get(name, points if region.dimension == len(region.coordinates) else boundary_points)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(f"{name} needs a whole number of points, at least 1; it was given {count!r}.")
            parts = len(region.parts)
            if not region.dimension:
                count = parts
            elif count < parts:
                warnings.warn(
                    f"{name} has {parts} parts and is given {count} points; it takes {parts}, one for each. "
                    f"Give more by boundary_points= or counts.",
                    stacklevel=2,
                )
                count = parts
            designs = (
                sampler.designs(region.shares(count), region.dimension)
                if region.dimension
                else [torch.zeros(1, 0, dtype=torch.float64) for _ in range(parts)]
            )
            self.sizes[name] = [len(design) for design in designs]
            self.register_buffer(f"design_{name}", torch.cat(designs), persistent=False)
            if isinstance(sampler, ResidualAdaptive) and region.dimension == len(region.coordinates):
                self.register_buffer(
                    f"pool_{name}", sampler.design(sampler.pool * count, region.dimension), persistent=False
                )

    def thinned(self, problem: Problem, share: float) -> "Collocation":
        """Return points of the same problem and seed, fewer by this factor, but some for each part of every region.

        They are drawn anew, not sliced: every second point of a Sobol sequence lies in one half of the box.
        """
        counts = {name: max(len(sizes), ceil(share * sum(sizes))) for name, sizes in self.sizes.items()}
        thin = Collocation(problem, self.sampler, 1, 1, counts, self.seed)
        thin.leave_out([name for name in counts if name not in self.regions])
        return thin.to(next(self.buffers()))

    def more_or_fewer(self, problem: Problem, factor: float, draw: int) -> dict[str, Points]:
        """Return a draw of about this factor times as many points, each constraint having its share."""
        return self.thinned(problem, factor)(draw) if factor < 1 else self(draw, sets=ceil(factor))

    def leave_out(self, names: Sequence[str]) -> None:
        """Draw no more points of these constraints."""
        self.regions = {name: region for name, region in self.regions.items() if name not in names}

    def forward(self, draw: int, residual: Residual | None = None, sets: int = 1) -> dict[str, Points]:
        """Return the points of draw number `draw` by constraint, (points,) each.

        Args:
            draw: any whole number.
            residual: what an adaptive sampler looks at; without it, its points are even.
            sets: how many times as many points as usual, each set of them drawn anew; single points stay single.
        """
        return {name: self._sets(name, region, draw, residual, sets) for name, region in self.regions.items()}

    def _sets(self, name: str, region: Region, draw: int, residual: Residual | None, sets: int) -> Points:
        if not region.dimension:
            sets = 1
        drawn = [self._points(name, region, (draw, part) if part else draw, residual) for part in range(sets)]
        return {key: torch.cat([points[key] for points in drawn]) for key in drawn[0]}

    def _points(self, name: str, region: Region, draw: object, residual: Residual | None) -> Points:
        design = self.get_buffer(f"design_{name}")
        if not region.dimension:
            return region.place(design.split(self.sizes[name]))
        generator = _generator(design.device, self.seed, draw, name)
        pool = dict(self.named_buffers()).get(f"pool_{name}")
        if residual is None or pool is None or not isinstance(self.sampler, ResidualAdaptive):
            return region.place(self.sampler.draw(design, generator).split(self.sizes[name]))
        candidates = region.points(self.sampler.draw(pool, generator))
        chosen = self.sampler.choose(residual(name, candidates), len(design), generator)
        return {key: value[chosen] for key, value in candidates.items()}


def _generator(device: torch.device, *key: object) -> torch.Generator:
    """Return a generator whose stream depends on every part of the key, and on nothing else."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    # Seeds are signed 64-bit integers.
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "big") >> 1)
