"""One slab of time: Radau's collocation in time, least squares in space, Newton's method for both."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor

from pinn.domains import Patch, Periodic, Points, Region
from pinn.errors import InputError, NotFinite
from pinn.marching import Marching
from pinn.networks import Marched
from pinn.networks.marched import resized
from pinn.objective import Objective
from pinn.optimizers.least_squares import solve
from pinn.optimizers.optimizer import Stop, jacobian_work, require_time
from pinn.optimizers.radau import Radau, derivatives, powers
from pinn.problems.linearity import field_scales
from pinn.weighting import Fixed, Weighting

OVERSAMPLING = 1.25
"""Points for each function of a coordinate of space."""
SIDES = 10.0
"""How much more a condition on a side counts than an equation: what a slab misses there the next one starts with."""
NEWTON_STEPS, JACOBIANS, HALVINGS = 60, 4, 8
"""Of a slab, at most."""
CONVERGED, ROUND_OFF = 1e-2, 10.0
"""Size of a step in units of the tolerance, below which it is the last one, and below which one is that is hardly
smaller than the one before it."""
SLOW = 0.3
"""The size of a step relative to the one before it, above which it is hardly smaller."""
DEPTH = 8
"""Steps that Anderson's acceleration looks back at."""
HIGHEST = 1 / 6
"""Of the functions of a coordinate: their part in a field tells whether there are enough of them."""
SMALLEST = 1e-3
"""Of the size that conditions and sources ask of a field: what is smaller is not resolved relative to itself."""
LITTLE = 0.03
"""What may be left out of a slab, in units of the tolerance."""
MARGIN = 1.1
"""Functions, in units of those that are needed."""
MOST_ORDERS, FEW_FUNCTIONS, NAMED = 3, 5, 1e-9
"""Conditions at the start may name derivatives in time up to the second. Which ones they do is tried on fields of five
functions of each coordinate of space: a response that is so much smaller than another is round-off."""
START_STEPS, SAME = 12, 1e-12
"""Of Newton's method for the initial values, at most, and a relative step after which there is no other one."""


class Enough(NamedTuple):
    """Whether a coordinate has functions enough.

    Attributes:
        tail: the part of the highest functions in a field, the largest of all fields.
        needed: how many functions there should be.
    """

    tail: float
    needed: int


class SlabSolver:
    """Solves r(u) = 0 in a slab of time for the fields of `pinn.networks.Marched`.

    In time it is Radau's method of many stages, in space least squares on the products of Gauss's nodes. The initial
    values are built in. Newton's method takes the equations as they are at one instant, so that the stages come apart
    (Hairer and Wanner 1996, IV.8): for each eigenvalue μ of the integration by the nodes there is one least-squares
    problem Σ_k μ^{q-k} ∂r/∂u⁽ᵏ⁾ for all functions of space, instead of one for all stages together. What that misses is
    made up for by more steps, which Anderson's acceleration (1965) shortens.

    Args:
        model: over `pinn.networks.Marched`.
        slabs: its network.
        weighting: of the rows; adapted to each slab.

    Raises:
        InputError: a region that consists of no faces, edges or the interior of a box.
    """

    def __init__(self, model: Marching, slabs: Marched, weighting: Weighting) -> None:
        self.model, self.slabs, self.weighting = model, slabs, weighting
        regions = {
            name: constraint.region
            for name, constraint in model.problem.constraints().items()
            # Conditions that are built in leave no rows.
            if not (isinstance(constraint.region, Periodic) and constraint.region.coordinate in model.hard.periodic)
        }
        self.regions = {name: region for name, region in regions.items() if name not in model.initial}
        self.initial = {name: region for name, region in regions.items() if name in model.initial}
        self.like = slabs.weights.detach()
        self.orders = self._find_orders()
        """By field: how many derivatives in time, from the 0th on, conditions at the start are about."""
        self.most = max(1, *self.orders)
        self.radau = Radau(slabs.degree, slabs.degree)
        again = torch.linalg.matrix_power
        self.series_of_stages = torch.stack(
            [
                self.radau.integration @ again(self.radau.integral, order - 1) if order else self.radau.interpolation
                for order in self.orders
            ]
        ).to(self.like)
        scales = field_scales(model.problem.copied())
        self.smallest = self.like.new_tensor([SMALLEST * max(scales[name]) for name in model.problem.fields])
        self.responses: tuple[Tensor, ...] = ()
        """∂r/∂u⁽ᵏ⁾ of all rows at one instant, k = 0, 1, …, each (rows, fields × functions)."""
        self.steps = 0

    def _find_orders(self) -> list[int]:
        """Find the derivatives that the initial conditions are about, of fields that are drawn at random."""
        shape = (self.slabs.outputs, *[FEW_FUNCTIONS] * len(self.slabs.space), MOST_ORDERS)
        values = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(self.like)
        if not self.initial:
            return [0] * self.slabs.outputs
        blocks, _, _ = self._respond(self.initial, values, (-1.0, 1.0), at_start=True)
        sizes = torch.stack([block.square().unflatten(1, (self.slabs.outputs, -1)).sum((0, 2)) for block in blocks])
        named = sizes > NAMED**2 * sizes.max()
        return [int(field.nonzero().max()) + 1 if field.any() else 0 for field in named.T]

    def initial_values(self, sizes: Sequence[int]) -> Tensor:
        """Return u, u', … at the start of time, (outputs, φ …, orders), by Newton's method.

        The derivatives are those of a slab that is as long as all of time. What no condition is about is zero.

        Args:
            sizes: how many functions of each coordinate of space there are.
        """
        values = self.like.new_zeros(self.slabs.outputs, *sizes, self.most)
        if not self.initial:
            return values
        given = torch.stack([torch.arange(self.most) < order for order in self.orders]).to(self.like.device)
        given = given.view(self.slabs.outputs, *[1] * len(sizes), self.most).expand_as(values)
        for _ in range(START_STEPS):
            # A derivative more than is given, so that there is a polynomial at least.
            padded = torch.cat([values, torch.zeros_like(values[..., :1])], dim=-1)
            blocks, rows, _ = self._respond(self.initial, padded, (-1.0, 1.0), at_start=True)
            columns = torch.stack(blocks[: self.most], dim=2).flatten(1)[:, given.flatten()]
            step = _shortest(columns, -rows)
            values[given] += step
            if torch.linalg.vector_norm(step) <= SAME * torch.linalg.vector_norm(values):
                break
        return values

    def end_values(self, slab: int) -> Tensor:
        """Return u, u', … at the end of a slab, (outputs, φ …, orders), with zeros for what the next one is to find."""
        values = self.slabs.coefficients(slab) @ derivatives(self.slabs.degree, 1.0, self.most).to(self.like).T
        for field, order in enumerate(self.orders):
            # A field without any initial condition goes on from its value as a first guess.
            values[field, ..., max(1, order) :] = 0
        return values

    def begin(self, values: Tensor, length: float, before: float, sizes: Sequence[int]) -> None:
        """Begin a slab with values and derivatives.

        Args:
            values: u, u', … at its start, (outputs, φ …, orders).
            length: of the slab, in the time that runs from -1 to 1.
            before: length of the slab to which the derivatives belong.
            sizes: how many functions of each coordinate of space there are.
        """
        ratio = min(length, 1.0 - self.slabs.reached) / before
        scaled = values * self.like.new_tensor([ratio**k for k in range(self.most)])
        series = scaled @ powers(self.slabs.degree, self.most).to(self.like).T
        self.slabs.begin(length, resized(series, [*sizes, self.slabs.degree + 1]))
        self.model.select("slab", None)

    def solve(self, tolerance: float, stop: Stop, guess: Tensor | None = None, share: float = 0.0) -> bool:
        """Solve the slab in progress, which has begun; False where that is impossible.

        Args:
            tolerance: of residuals, relative to their terms. The last step changes them by a hundredth of it.
            stop: asked before each step.
            guess: what is added to the fields to begin with; nothing at z = -1.
            share: of the way from the first fields, which the last step may be as well.

        Raises:
            OutOfTime: there was no time for it.
        """
        weights = self.slabs.weights.data
        start = weights @ derivatives(self.slabs.degree, -1.0, self.most).to(self.like).T
        if guess is not None:
            weights += guess
        first = weights.clone()
        objective = Objective(self.model, self.points(self.regions, self.radau.nodes), self.weighting)
        inverse: _Inverse | None = None
        step = torch.zeros_like(weights)
        before, jacobians, halvings, self.steps = math.inf, 0, 0, 0
        while self.steps < NEWTON_STEPS:
            try:
                if inverse is None:
                    if jacobians == JACOBIANS:
                        return False
                    require_time(stop, self.work())
                    inverse, acceleration, before = self._linearise(0.0 if jacobians else -1.0), _Anderson(), math.inf
                    jacobians += 1
                require_time(stop)
                rows = self._residuals(objective, start)
            except NotFinite:
                return False
            if not torch.isfinite(rows).all():
                # A root or a logarithm of what a step has made negative: half of that step.
                if halvings == HALVINGS:
                    return False
                step, halvings, acceleration = step / 2, halvings + 1, _Anderson()
                weights -= step
                continue
            step = inverse.solve(-rows).unflatten(0, (self.slabs.outputs, -1)) @ self.series_of_stages.mT
            step = acceleration(weights, step.flatten(0, 1))
            weights += step
            self.steps += 1
            size, whole = self.size(step), self.size(weights)
            if not math.isfinite(size):
                return False
            if size <= max(CONVERGED * tolerance * whole, share * self.size(weights - first)):
                return True
            if size > SLOW * before and size <= ROUND_OFF * tolerance * whole:
                return True
            if size > before:
                inverse = None
            before = size
        return False

    def _residuals(self, objective: Objective, start: Tensor) -> Tensor:
        """Return the residuals at all nodes of time, (rows, stages).

        Args:
            objective: over the points.
            start: u, u', … at z = -1, (fields × functions, orders).
        """
        self.slabs.rates = self._rates(start) if self.most > 1 else ()
        try:
            with self.slabs.being_fixed():
                return objective.vector().view(-1, self.radau.stages) * self.radau.stages**0.5
        finally:
            self.slabs.rates = ()

    def _rates(self, start: Tensor) -> tuple[Tensor, ...]:
        """Return the series of u', u″, … that the method integrates, each as `Marched.coefficients`."""
        weights = self.slabs.weights
        rates = []
        nodes = weights @ self.radau.slopes.to(self.like).T
        inverse = torch.linalg.inv(self.radau.integral).to(self.like)
        integration, interpolation = self.radau.integration.to(self.like), self.radau.interpolation.to(self.like)
        orders = self.like.new_tensor(self.orders).repeat_interleave(len(weights) // self.slabs.outputs)
        for k in range(1, self.most + 1):
            at_start = start[:, k : k + 1] if k < self.most else torch.zeros_like(start[:, :1])
            slopes = (nodes - at_start) @ inverse.T
            integrated = slopes @ integration.T
            integrated[:, 0] += at_start[:, 0]
            # Above its order a field has the derivatives of the polynomial that goes through the nodes.
            through_nodes = nodes @ interpolation.T
            rates.append(torch.where((orders > k)[:, None], integrated, through_nodes))
            nodes = torch.where((orders > k)[:, None], slopes, rates[-1] @ self.radau.slopes.to(self.like).T)
        return tuple(self.slabs.as_coefficients(rate) for rate in rates)

    def work(self) -> float:
        """Return the operations of a Jacobian and of its decompositions."""
        columns = len(self.slabs.weights)
        rows = OVERSAMPLING ** len(self.slabs.space) * columns
        pairs = (self.radau.stages + 1) // 2
        # A product of complex numbers is four of real ones.
        return 4 * pairs * (2 * rows * columns**2 + columns**3 / 3) + jacobian_work(int(rows), 3 * columns)

    def _linearise(self, z: float) -> "_Inverse":
        """Take the equations as they are at an instant of the slab in progress, and the weights that suit them."""
        slab = self.slabs.in_progress
        values = self.slabs.coefficients(slab) @ derivatives(self.slabs.degree, z, self.most + 1).to(self.like).T
        start, end = self.slabs.interval(slab)
        instant = start + (z + 1) / 2 * (end - start)
        half = (end - start) / 2
        blocks, _, spans = self._respond(self.regions, values, (instant - half, instant + half))
        functions = len(self.slabs.weights) // self.slabs.outputs
        exponents = torch.tensor(self.orders, device=self.like.device).repeat_interleave(functions).unsqueeze(0)
        mean = self.radau.modes[0].abs().mean().item()
        whole = torch.stack([block.abs() * mean ** (exponents - k) for k, block in enumerate(blocks)]).sum(dim=0)
        self.weighting.adapt(
            lambda: {name: whole[span.start : span.stop] * len(span) ** 0.5 for name, span in spans.items()}
        )
        factors, lift = (torch.ones(len(whole), 1).to(whole) for _ in range(2))
        for name, span in spans.items():
            factors[span.start : span.stop] = self.weighting.scale(name, 1)
            region = self.regions[name.split(".")[0]]
            if region.dimension < len(region.coordinates):
                lift[span.start : span.stop] = SIDES
        self.responses = tuple(block * factors for block in blocks)
        return _Inverse([block * lift for block in self.responses], exponents, lift, self.radau)

    def _respond(
        self,
        regions: Mapping[str, Region],
        values: Tensor,
        interval: tuple[float, float],
        *,
        at_start: bool = False,
    ) -> tuple[tuple[Tensor, ...], Tensor, dict[str, range]]:
        """Return ∂r/∂u⁽ᵏ⁾ at one instant, each (rows, fields × functions), the rows r, and which rows are which.

        A row is a residual over the root of the number of its points.

        Args:
            regions: of the constraints, by name.
            values: u, u', … by z at this instant, (outputs, φ …, derivatives).
            interval: of the slab whose z that is, in the time that runs from -1 to 1.
            at_start: the instant is the start of that slab, not its middle.
        """
        count = values.shape[-1]
        to_series = powers(count - 1, count) if at_start else torch.linalg.inv(derivatives(count - 1, 0.0, count))
        to_series = to_series.to(self.like)
        slabs = self.slabs
        periodic = [index for index, wraps in zip(slabs.space, slabs.periodic, strict=True) if wraps]
        local = Marched(len(slabs.space) + 1, slabs.outputs, count - 1, slabs.time, periodic, slabs=1).to(self.like)
        local.begin(2.0, values @ to_series.T)
        local.edges[:2] = local.edges.new_tensor(interval)
        model = Marching(self.model.problem, local, self.model.hard).to(self.like)
        model.engines = self.model.engines
        model.select("slab", None)
        objective = Objective(model, self.points(regions, torch.zeros(1), values.shape[1:-1]), Fixed())
        jacobian, rows = objective.jacobian()
        return (jacobian.unflatten(1, (-1, count)) @ to_series).unbind(2), rows, objective.spans()

    def points(
        self, regions: Mapping[str, Region], instants: Tensor, sizes: Sequence[int] | None = None
    ) -> dict[str, Points]:
        """Return products of nodes of space and instants of a slab, which run fastest, for some constraints.

        Args:
            regions: of the constraints, by name.
            instants: from -1 to 1.
            sizes: how many functions of each coordinate of space there are; those of the slab in progress by default.
        """
        sizes = self.slabs.functions(self.slabs.in_progress) if sizes is None else sizes
        names = self.model.problem.coordinates
        nodes = {names[self.slabs.time]: (instants.double() + 1) / 2}
        for index, size, wraps in zip(self.slabs.space, sizes, self.slabs.periodic, strict=True):
            count = math.ceil(OVERSAMPLING * size)
            places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
            nodes[names[index]] = places if wraps else (1 - torch.cos(math.pi * places)) / 2
        placed = {}
        for name, region in regions.items():
            units = [_products(nodes, patch.free, names[self.slabs.time]) for patch in patches(region)]
            found = region.points(units[0]) if isinstance(region, Periodic) else region.place(units)
            placed[name] = {key: values.to(self.like) for key, values in found.items()}
        return placed

    def contributions(self, weights: Tensor) -> Tensor:
        """Return how much each function of space of some fields changes the residuals, (fields × functions,)."""
        found = torch.zeros_like(weights[:, 0])
        ends = [derivatives(self.slabs.degree, z, len(self.responses)) for z in (-1.0, 0.0, 1.0)]
        for k, response in enumerate(self.responses):
            values = weights @ torch.stack([each[k] for each in ends], dim=1).to(weights)
            found += torch.linalg.vector_norm(response, dim=0) * values.square().mean(dim=1).sqrt()
        return found

    def size(self, weights: Tensor) -> float:
        """Return how much some fields change the residuals."""
        return torch.linalg.vector_norm(self.contributions(weights)).item()

    def resolution(self, tolerance: float) -> list[Enough]:
        """Tell for each coordinate of space, and then for time, whether the slab in progress is resolved."""
        return enough(self.slabs.coefficients(self.slabs.in_progress), self.smallest, tolerance)


def enough(coefficients: Tensor, smallest: Tensor, tolerance: float) -> list[Enough]:
    """Tell for each axis of a series whether it has functions enough.

    Where it has not, the decay of their coefficients is continued.

    Args:
        coefficients: (outputs, functions of each axis …).
        smallest: size of each field that matters, (outputs,).
        tolerance: relative.
    """
    sizes = torch.linalg.vector_norm(coefficients.flatten(1), dim=1).clamp(min=smallest)
    relative = coefficients / sizes.view(-1, *[1] * (coefficients.ndim - 1))
    found = []
    for axis in range(1, coefficients.ndim):
        parts = torch.linalg.vector_norm(relative.movedim(axis, 0).flatten(1), dim=1)
        count = len(parts)
        top = parts[-max(2, int(HIGHEST * count)) :].max().item()
        large = parts > LITTLE * tolerance
        needed = float(large.nonzero().max()) + 1 if large.any() else 1.0
        middle = parts[count // 2 - count // 8 : count // 2 + count // 8 + 1].max().item()
        if needed > (1 - HIGHEST / 2) * count and middle > top:
            decay = math.log(middle / top) / (count * (1 - HIGHEST) / 2)
            needed = count + math.log(max(top / (LITTLE * tolerance), 1.0)) / decay
        found.append(Enough(top, 2 * math.ceil(MARGIN * needed / 2) + 1))
    return found


def patches(region: Region) -> Sequence[Patch]:
    """Return the patches on which the points of a region are placed.

    Raises:
        InputError: there are none.
    """
    found = (region.face,) if isinstance(region, Periodic) else region.parts
    if not all(isinstance(patch, Patch) for patch in found):
        raise InputError(
            f"a march needs regions that are faces, edges or the interior of a box; it was given {region}."
        )
    return cast(Sequence[Patch], found)


def _products(nodes: Mapping[str, Tensor], names: Sequence[str], last: str) -> Tensor:
    """Return the products of nodes of some coordinates, (points, coordinates), where those of the last run fastest."""
    if not names:
        return torch.zeros(1, 0, dtype=torch.float64)
    ordered = sorted(names, key=lambda name: name == last)
    columns = dict(zip(ordered, torch.meshgrid(*(nodes[name] for name in ordered), indexing="ij"), strict=True))
    return torch.stack([columns[name].flatten() for name in names], dim=1)


def _shortest(matrix: Tensor, right: Tensor) -> Tensor:
    """Return the least-squares solution, the shortest one where there are several."""
    if len(matrix) < matrix.shape[1]:
        return torch.linalg.pinv(matrix) @ right
    return solve(matrix, right)


class _Inverse:
    """From residuals at all nodes of time to the w that take them away, for equations as they are at one instant.

    Args:
        responses: ∂r/∂u⁽ᵏ⁾, each (rows, fields × functions).
        exponents: q of each column, (1, fields × functions).
        lift: what counts how much, (rows, 1), with which the responses are multiplied.
        radau: the method.
    """

    def __init__(self, responses: Sequence[Tensor], exponents: Tensor, lift: Tensor, radau: Radau) -> None:
        self.lift = lift
        self.eigenvalues, self.vectors, self.inverse = (part.to(lift.device) for part in radau.modes)
        complex_type = torch.complex(lift, lift).dtype
        self.vectors, self.inverse = self.vectors.to(complex_type), self.inverse.to(complex_type)
        mu = self.eigenvalues.to(complex_type)[:, None, None]
        terms = [response.unsqueeze(0) * mu ** (exponents - k).unsqueeze(0) for k, response in enumerate(responses)]
        matrices = torch.stack(terms).sum(dim=0)
        size = torch.linalg.vector_norm(matrices, dim=1, keepdim=True)
        self.columns = torch.where(size > 0, size, 1.0)
        self.matrices = matrices / self.columns
        self.factors, failed = torch.linalg.cholesky_ex(self.matrices.mH @ self.matrices)
        self.pseudo = torch.linalg.pinv(self.matrices) if failed.any() else None

    def solve(self, right: Tensor) -> Tensor:
        """Return w, (fields × functions, stages), for residuals at the nodes, (rows, stages)."""
        turned = ((right * self.lift).to(self.inverse) @ self.inverse.T).T.unsqueeze(2)
        if self.pseudo is None:
            found = torch.cholesky_solve(self.matrices.mH @ turned, self.factors)
        else:
            found = self.pseudo @ turned
        return ((found / self.columns.mT).squeeze(2).T @ self.vectors.T).real


class _Anderson:
    """Anderson's acceleration (1965) of a fixed-point iteration x ← x + f(x)."""

    def __init__(self) -> None:
        self.known: list[tuple[Tensor, Tensor]] = []

    def __call__(self, x: Tensor, step: Tensor) -> Tensor:
        """Return the step to take at x, where f is `step`."""
        self.known = [*self.known[-DEPTH:], (x.clone().flatten(), step.flatten())]
        if len(self.known) == 1:
            return step
        moves, changes = (torch.stack([b[i] - a[i] for a, b in pairwise(self.known)], dim=1) for i in (0, 1))
        shares = torch.linalg.lstsq(changes.cpu(), step.flatten(0).unsqueeze(1).cpu(), driver="gelsd").solution
        return step - ((moves + changes) @ shares.to(step)).view_as(step)
