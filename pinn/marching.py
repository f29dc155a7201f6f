"""A model that is trained slab by slab in time."""

from typing import cast

from pinn.derivatives.taylor import Engine, Reverse
from pinn.domains import Patch, Points
from pinn.errors import InputError
from pinn.model import Model
from pinn.networks import Scaled, Slabs
from pinn.problems import Problem


def instants(problem: Problem, time: str) -> dict[str, set[float]]:
    """Return the values at which conditions hold a coordinate fixed, by constraint, where there are any."""
    fixed = {
        name: {
            patch.fixed[time]
            for patch in getattr(constraint.region, "parts", (constraint.region,))
            if isinstance(patch, Patch) and time in patch.fixed
        }
        for name, constraint in problem.constraints().items()
    }
    return {name: values for name, values in fixed.items() if values}


def time_of(problem: Problem) -> int | None:
    """Return which coordinate is time: `t`, if a condition holds where it starts and none where it ends."""
    if "t" not in problem.coordinates:
        return None
    start, _ = problem.domain.intervals["t"]
    return problem.coordinates.index("t") if set().union(*instants(problem, "t").values()) == {start} else None


class Marching(Model):
    """The fields of `pinn.networks.Slabs`, and the residuals that a slab leaves when it is trained.

    While slab k is trained, points t of the whole time are moved to t₀ + (k T + t - t₀) / K of the slab, and an initial
    condition r(u) = 0 becomes r(u_k) - r(u_{k-1}) = 0 at the start of the slab: value, velocity or whatever it asks for
    goes on from the slab before. With no slab chosen it is a `Model` like any other.

    Raises:
        InputError: a condition that names the end of time, for it cannot be met by going forward.
    """

    def __init__(self, problem: Problem, slabs: Slabs) -> None:
        super().__init__(problem, Scaled(slabs, problem.domain.lower, problem.domain.upper))
        self.time = problem.coordinates[slabs.time]
        start, end = problem.domain.intervals[self.time]
        self.start, self.length = start, end - start
        held_at = instants(problem, self.time)
        for name, fixed in held_at.items():
            if later := fixed - {start}:
                raise InputError(
                    f"{name!r} holds at {self.time} = {max(later):g}; marching in slabs of {self.time} "
                    f"needs conditions at the start, {start:g}, or at all times. Choose slabs=1 or another network "
                    f"than Slabs."
                )
        self.initial = set(held_at)

    @property
    def slabs(self) -> Slabs:
        """The networks of all slabs."""
        return cast(Slabs, cast(Scaled, self.network).network)

    def select(self, part: str | None, slab: int | None = None) -> None:
        """Choose the slab and the part of its network that are trained; None and None for all together."""
        if (part is None) != (slab is None) or (slab is not None and not 0 <= slab < len(self.slabs)):
            raise InputError(
                f"a stage over slabs names its part and its slab, 0 to {len(self.slabs) - 1}; this one has part "
                f"{part!r} and slab {slab!r}."
            )
        self.slabs.select(slab, part)

    def place(self, points: Points) -> Points:
        """Move points of the whole time into the slab that is trained."""
        slab = self.slabs.active
        if slab is None:
            return points
        t = points[self.time]
        moved = self.start + (slab * self.length + (t.detach() - self.start)) / len(self.slabs)
        return {**points, self.time: moved.requires_grad_(t.requires_grad)}

    def forward(self, constraint: str, points: Points, engine: Engine | None = None) -> Points:
        """Return the residuals of one constraint by name, (points,) each, in the slab that is trained."""
        slab = self.slabs.active
        if slab is None:
            # All slabs together choose among their values, for which jets have no rule.
            return super().forward(constraint, points, engine or Reverse())
        placed = self.place(points)
        rows = super().forward(constraint, placed, engine)
        if slab == 0 or constraint not in self.initial:
            return rows
        with self.slabs.evaluating(slab - 1):
            known = self.problem.residuals(constraint, placed, self.fields)
        return {name: row - known[name].detach() for name, row in rows.items()}
