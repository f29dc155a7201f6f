"""Coefficients and sources that jump inside the domain, where an equation says nothing of how its two sides join."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial

import torch
from torch import Tensor

from pinn.domains import Points
from pinn.problems import Problem
from pinn.problems.probing import Field, Probe, random_field

SEGMENTS, SAMPLES = 24, 129
"""Straight lines through the domain along which residuals are looked at, and places on each."""
FEWER_SEGMENTS, FEWER_SAMPLES = 8, 33
"""With more than three coordinates, where a residual is costly."""
HALVINGS = 36
"""Of the piece of a line with the largest change: what is left of it then is a jump, however steep a slope is."""
LEFT = 0.5
"""Of the change that has to be left."""
ORDERS = range(5)
"""Of derivatives whose coefficients are looked at."""
ROUND_OFF = 1e-7
"""Of a residual, relative: a smaller jump is none."""
TINY = 1e-10
"""Relative: the size of a lower derivative where a polynomial begins to grow, a piece of a line away from its zero."""


@dataclass(frozen=True)
class Jump:
    """A discontinuity of a residual as a function of the place, its fields being smooth.

    Attributes:
        row: name of the residual.
        place: where it jumps: the coordinates that all jumps have in common or, where there are none, one point.
        order: of the highest derivative whose coefficient jumps; None where only the source does.
        leading: whether the equation has no higher derivative. Then its two sides are not joined by it.
    """

    row: str
    place: dict[str, float]
    order: int | None
    leading: bool

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.place.items())
        what = "the source" if self.order is None else f"the coefficient of derivatives of order {self.order}"
        return f"{what if self.order != 0 else 'the coefficient of a field'} in {self.row} jumps at {at}"


def find_jumps(problem: Problem) -> list[Jump]:
    """Look for jumps of each residual of the interior; return one of a residual at most.

    The residual of smooth fields is followed along straight lines. Where it changes most, the line is halved again and
    again: the change of a continuous function goes to zero, that of a jump stays. Polynomials ξ^m / m!, ξ being zero at
    the jump, tell of which derivatives the coefficients jump.

    Args:
        problem: on the CPU, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    jumps: list[Jump] = []
    for name, constraint in problem.constraints().items():
        if constraint.region.dimension == len(problem.coordinates):
            lines = _Lines(problem, name, generator)
            jumps += [jump for row in lines.rows() if (jump := lines.jump_of(row))]
    return jumps


class _Lines:
    """The residuals of one constraint along straight lines through the domain."""

    def __init__(self, problem: Problem, name: str, generator: torch.Generator) -> None:
        many = len(problem.coordinates) > 3
        self.count, samples = (FEWER_SEGMENTS, FEWER_SAMPLES) if many else (SEGMENTS, SAMPLES)
        self.problem, self.name, self.generator = problem, name, generator
        region = problem.constraints()[name].region
        self.begin, self.end = (self._matrix(region.scattered(self.count, generator)) for _ in range(2))
        self.smooth = {field: random_field(problem, generator) for field in problem.fields}
        self.steps = torch.linspace(0, 1, samples, dtype=torch.float64).expand(self.count, samples)
        self.values = self.at(self.steps, self.smooth)

    def _matrix(self, points: Points) -> Tensor:
        return torch.stack([points[name] for name in self.problem.coordinates], dim=1)

    def rows(self) -> list[str]:
        """Return the names of the residuals."""
        return list(self.values)

    def at(self, steps: Tensor, fields: Mapping[str, Field]) -> Points:
        """Return the residuals by name, (lines, steps) each, at begin + step (end - begin)."""
        places = self.begin.unsqueeze(1) + steps.unsqueeze(2) * (self.end - self.begin).unsqueeze(1)
        columns = (column.clone() for column in places.flatten(0, 1).unbind(dim=1))
        probe = Probe(self.problem, self.name, dict(zip(self.problem.coordinates, columns, strict=True)))
        return {row: values.detach().reshape(steps.shape) for row, values in probe.rows(fields).items()}

    def jump_of(self, row: str) -> Jump | None:
        """Return where a residual jumps, and what does it; None where it is continuous."""
        values = self.values[row]
        change = values.diff(dim=1)
        # A piece whose change is another than those beside it, by what may be a jump.
        jump, index = (change[:, 1:-1] - (change[:, :-2] + change[:, 2:]) / 2).abs().max(dim=1)
        # Comparisons are false where a residual is not finite; whoever trains it is told of that.
        jumps = jump > ROUND_OFF * values.abs().max()
        ends = [self.steps.gather(1, (index + 1 + end).unsqueeze(1)) for end in (0, 1)]
        piece = torch.cat(ends, dim=1)
        for _ in range(HALVINGS):
            three = torch.stack([piece[:, 0], piece.mean(dim=1), piece[:, 1]], dim=1)
            changes = self.at(three, self.smooth)[row].diff(dim=1).abs()
            piece = torch.where(changes[:, :1] >= changes[:, 1:], three[:, :2], three[:, 1:])
            jumps &= changes.amax(dim=1) > LEFT * jump
            if not jumps.any():
                return None
        places = self.begin + piece.mean(dim=1, keepdim=True) * (self.end - self.begin)
        sizes = torch.stack([self._coefficients(row, piece, places, order)[jumps] for order in ORDERS])
        # What terms of lower order leave at so small a distance from the jump.
        sizes = torch.where(sizes.abs() > TINY * sizes.abs().max(), sizes, 0)
        source = self.at(piece, {})[row][jumps]
        orders = [order for order in ORDERS if _differ(sizes[order])]
        if not orders and not _differ(source):
            # The residual jumps with its fields: a switch, and none of the place.
            return None
        highest = max((order for order in ORDERS if sizes[order].abs().max() > 0), default=0)
        order = max(orders, default=None)
        return Jump(row, self._common(places[jumps]), order, leading=order == highest and highest > 0)

    def _coefficients(self, row: str, piece: Tensor, places: Tensor, order: int) -> Tensor:
        """Return the change of a residual, (lines, 2), by fields ξ^order / order! at both ends of a piece of a line."""
        weights = torch.rand(len(self.problem.coordinates), generator=self.generator, dtype=torch.float64) + 0.5
        zeros = places.repeat_interleave(2, dim=0)

        def power(at: Points) -> Tensor:
            terms = []
            for index, (name, (lower, upper)) in enumerate(self.problem.domain.intervals.items()):
                terms.append(weights[index] * (at[name] - zeros[:, index]) / (upper - lower))
            return torch.stack(terms).sum(dim=0) ** order / factorial(order)

        fields = dict.fromkeys(self.problem.fields, power)
        return self.at(piece, fields)[row] - self.at(piece, {})[row]

    def _common(self, places: Tensor) -> dict[str, float]:
        """Return the coordinates that all places have in common, or all of those of the first place."""
        first = dict(zip(self.problem.coordinates, places[0].tolist(), strict=True))
        shared = {}
        for index, (name, (lower, upper)) in enumerate(self.problem.domain.intervals.items()):
            if places[:, index].max() - places[:, index].min() <= 1e-6 * (upper - lower) and len(places) > 1:
                shared[name] = first[name]
        return shared or first


def _differ(values: Tensor) -> bool:
    """Tell whether numbers on two sides of jumps, (jumps, 2), are not the same."""
    return bool((values.diff(dim=1).abs().squeeze(1) > 1e-6 * values.abs().amax(dim=1)).any())
