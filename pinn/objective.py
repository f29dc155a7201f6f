"""What every optimizer sees: the residuals of a problem at some points, as one least-squares objective."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch.func import functional_call

from pinn.domains import Points
from pinn.finite import require_finite
from pinn.jacobian import residual_jacobian
from pinn.model import Model
from pinn.weighting import Weighting

POINTS_PER_BLOCK = 1024
"""How many points the Jacobian takes at a time: measured best for 20 to 50 units, where all of it stays in cache."""

T = TypeVar("T")


class Gradient(NamedTuple):
    """What a step of first order needs, without graphs."""

    loss: Tensor
    """L, of shape ()."""
    terms: Points
    """The weighted mean square of each residual, by its name; their sum is 2 L."""
    gradients: tuple[Tensor, ...]
    """∂L/∂θ, for each trained parameter in its shape."""


class Step(Protocol):
    """Another way to compute what an objective is asked for, as `pinn.compilation` has one."""

    def __call__(self, objective: "Objective", /) -> Gradient:
        """Return loss, terms and gradients."""

    def rows(self, function: Callable[[Model, str, Points], T], model: Model, constraint: str, points: Points) -> T:
        """Call a function with a model, the name of a constraint and its points."""


class Objective:
    """L(θ) = ½‖r(θ)‖² with rows r = √(w/N) × residual at each point, over all constraints.

    It works in any grad mode of the caller. Coordinates always get their graph; parameters only when the caller's mode
    is on, so that a trial step under `torch.no_grad()` pays for none. Called like a function it is the closure that
    torch's optimizers expect: it sets the gradients and returns the loss.

    Args:
        model: the problem and the network.
        points: of every constraint, by its name.
        weighting: the scale of every residual.
        step: computes gradients, rows and Jacobians in another way.
        chunk: how many points are evaluated at a time for gradients, and without gradients, so that memory is bounded;
            None takes all at once. The sums are the same to round-off.
        counts: N of every constraint, where `points` are only a part of them.
    """

    def __init__(
        self,
        model: Model,
        points: Mapping[str, Points],
        weighting: Weighting,
        step: Step | None = None,
        chunk: int | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self.model, self.weighting, self.step, self.chunk = model, weighting, step, chunk
        coordinates = model.problem.coordinates
        self.points = {
            name: {key: value.detach().requires_grad_(key in coordinates) for key, value in quantities.items()}
            for name, quantities in points.items()
        }
        self.counts = dict(counts or {name: len(next(iter(group.values()))) for name, group in self.points.items()})
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.terms: dict[str, Tensor] = {}
        self._spans: dict[str, range] = {}

    def residuals(self) -> Points:
        """Return every residual by name, unscaled, (points,) each."""
        if torch.is_grad_enabled():
            rows: Points = {}
            for name, points in self.points.items():
                rows |= self.model(name, points)
            return rows
        found: dict[str, list[Tensor]] = {}
        for part in self.parts():
            for constraint, points in part.points.items():
                for name, row in self._call(frozen_residuals, constraint, points).items():
                    found.setdefault(name, []).append(row)
        return {name: torch.cat(pieces) for name, pieces in found.items()}

    @property
    def count(self) -> int:
        """How many points there are, of all constraints together."""
        return sum(len(next(iter(group.values()))) for group in self.points.values())

    def parts(self) -> "list[Objective]":
        """Return objectives of at most `chunk` points or so, whose losses, terms and gradients add up to these."""
        if self.chunk is None or self.count <= self.chunk:
            return [self]
        # No more pieces than points of the largest constraint, so that none is empty.
        largest = max(len(next(iter(group.values()))) for group in self.points.values())
        pieces = min(math.ceil(self.count / self.chunk), largest)
        parts: list[dict[str, Points]] = [{} for _ in range(pieces)]
        for name, group in self.points.items():
            for piece, part in enumerate(parts):
                some = {key: value.detach().tensor_split(pieces)[piece] for key, value in group.items()}
                if len(next(iter(some.values()))):
                    part[name] = some
        return [Objective(self.model, part, self.weighting, counts=self.counts) for part in parts]

    def _call(self, function: Callable[[Model, str, Points], T], constraint: str, points: Points) -> T:
        if self.step:
            return self.step.rows(function, self.model, constraint, points)
        return function(self.model, constraint, points)

    def vector(self) -> Tensor:
        """Return all scaled rows, (rows,), so that L = ½‖vector‖²."""
        scaled = {name: row * self.scale(name) for name, row in self.residuals().items()}
        self._remember(scaled)
        return torch.cat(list(scaled.values()))

    def scale(self, row: str) -> float:
        """Return √(w/N) of a residual, which is named after its constraint: `equation` or `equation.momentum_x`."""
        return self.weighting.scale(row, self.counts[row.split(".")[0]])

    def loss(self) -> Tensor:
        """Return L, of shape ()."""
        vector = self.vector()
        return vector.dot(vector) / 2

    def jacobian(self, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the derivatives of all scaled rows by all parameters, (rows, parameters), and the rows, (rows,).

        Points are taken in blocks, so that the memory beyond the result is bounded.

        Args:
            out: where to write the matrix, if it has the right shape: making a large matrix anew costs more than
                filling it.
        """
        spans = self.spans()
        total = sum(len(span) for span in spans.values())
        columns = sum(parameter.numel() for parameter in self.parameters)
        example = self.parameters[0]
        if out is None or out.shape != (total, columns):
            out = example.new_empty(total, columns)
        rows = example.new_empty(total)
        for name, points in self.points.items():
            count = len(next(iter(points.values())))
            # Blocks of one size, so that one graph does for all; the last one overlaps the one before.
            size = math.ceil(count / math.ceil(count / POINTS_PER_BLOCK))
            for start in (min(start, count - size) for start in range(0, count, size)):
                block = {key: value[start : start + size].detach() for key, value in points.items()}
                for key in self.model.problem.coordinates:
                    block[key].requires_grad_()
                for row_name, (row, derivatives) in self._call(residual_jacobian, name, block).items():
                    at = spans[row_name].start + start
                    scale = self.weighting.scale(row_name, count)
                    rows[at : at + len(row)] = row * scale
                    self._place(out[at : at + len(row)], derivatives, scale)
        self._remember({name: rows[span.start : span.stop] for name, span in spans.items()})
        require_finite(self, out, rows)
        return out, rows

    def jacobian_by_residual(self, most: int = 64) -> dict[str, Tensor]:
        """Return the derivatives of each residual by name, unscaled, (points, parameters), at `most` of its points or
        so.

        Enough to know how strongly a residual answers to the parameters, and small for any network.
        """
        few = {
            name: {key: value[:: max(1, len(value) // most)] for key, value in points.items()}
            for name, points in self.points.items()
        }
        thin = Objective(self.model, few, self.weighting)
        matrix, _ = thin.jacobian()
        return {
            name: matrix[span.start : span.stop] / self.weighting.scale(name, len(span))
            for name, span in thin.spans().items()
        }

    def _place(self, out: Tensor, derivatives: Mapping[str, Tensor], scale: float) -> None:
        """Write the scaled blocks of all parameters side by side, zeros for those that a residual does not use."""
        at = 0
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                columns = out[:, at : at + parameter.numel()]
                if name in derivatives:
                    torch.mul(derivatives[name], scale, out=columns)
                else:
                    columns.zero_()
                at += parameter.numel()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(span) for span in self.spans().values())

    def spans(self) -> dict[str, range]:
        """Return which rows of the whole belong to each residual; one point of each constraint tells their names."""
        if self._spans:
            return self._spans
        spans, at = self._spans, 0
        for name, points in self.points.items():
            count = len(next(iter(points.values())))
            with torch.enable_grad():
                one = {key: value[:1].detach().requires_grad_(value.requires_grad) for key, value in points.items()}
                names = list(self.model(name, one))
            for row_name in names:
                spans[row_name] = range(at, at + count)
                at += count
        return spans

    def gradient(self) -> Gradient:
        """Return loss, terms and gradients, operation by operation."""
        loss = self.loss()
        gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        return Gradient(loss.detach(), self.terms, gradients)

    def __call__(self) -> Tensor:
        """Set the gradient of every parameter and return the loss, without its graph."""
        first, *others = self.parts()
        loss, self.terms, gradients = self._first_order(first)
        for part in others:
            more = self._first_order(part)
            loss = loss + more.loss
            gradients = tuple(one + other for one, other in zip(gradients, more.gradients, strict=True))
            for name, term in more.terms.items():
                self.terms[name] = self.terms[name] + term if name in self.terms else term
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        return loss

    def _first_order(self, part: "Objective") -> Gradient:
        return self.step(part) if self.step else part.gradient()

    def _remember(self, scaled: Points) -> None:
        """Keep the weighted mean square of each residual, on the device: reading it is the caller's synchronisation."""
        self.terms = {name: row.detach().square().sum() for name, row in scaled.items()}


def frozen_residuals(model: Model, constraint: str, points: Points) -> Points:
    """Return every residual of one constraint, (points,), at parameters that pay for no graph."""
    frozen = {name: parameter.detach() for name, parameter in model.named_parameters()}
    with torch.enable_grad():
        rows: Points = functional_call(model, frozen, (constraint, points))
    return {name: row.detach() for name, row in rows.items()}
