"""A model that is trained slab by slab in time."""

from typing import cast

from pinn.derivatives.taylor import Engine, Reverse
from pinn.domains import Patch, Periodic, Points, Union
from pinn.errors import InputError
from pinn.hard_conditions import HardConditions
from pinn.model import Model
from pinn.networks import InSlabs, Scaled
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
    """Return which coordinate is time: `t`, or the only one, if conditions hold where it starts and nowhere later."""
    name = problem.coordinates[0] if len(problem.coordinates) == 1 else "t"
    if name not in problem.coordinates:
        return None
    start, _ = problem.domain.intervals[name]
    return problem.coordinates.index(name) if set().union(*instants(problem, name).values()) == {start} else None


def can_be_marched(problem: Problem) -> bool:
    """Tell whether fields follow from their start and from what holds on sides: no data later, and nothing unknown."""
    regions = [constraint.region for constraint in problem.constraints().values()]
    return (
        time_of(problem) is not None
        and all(isinstance(region, Patch | Union | Periodic) for region in regions)
        and not any(parameter.requires_grad for parameter in problem.parameters())
    )


def is_initial_value_problem(problem: Problem) -> bool:
    """Tell whether fields of time alone follow from their start."""
    return len(problem.coordinates) == 1 and can_be_marched(problem)


class Marching(Model):
    """The fields of networks in slabs of time, and the residuals that a slab leaves when it is trained.

    While slab k is trained, points of the whole time are moved into it, and an initial condition r(u) = 0 becomes
    r(u_k) - r(u_{k-1}) = 0 at the start of the slab: value, velocity or whatever it asks for goes on from the slab
    before. With no slab chosen it is a `Model` like any other.

    Raises:
        InputError: a condition that names the end of time, for it cannot be met by going forward, or an unknown
            coefficient beside slabs that are found one after another.
    """

    def __init__(self, problem: Problem, slabs: InSlabs, hard: HardConditions | None = None) -> None:
        super().__init__(problem, Scaled(slabs, problem.domain.lower, problem.domain.upper), hard)
        self.time = problem.coordinates[slabs.time]
        start, end = problem.domain.intervals[self.time]
        self.start, self.length = start, end - start
        held_at = instants(problem, self.time)
        for name, fixed in held_at.items():
            if later := fixed - {start}:
                raise InputError(
                    f"{name!r} holds at {self.time} = {max(later):g}; marching in slabs of {self.time} "
                    f"needs conditions at the start, {start:g}, or at all times. Choose slabs=1 or another network "
                    f"than {type(slabs).__name__}."
                )
        self.initial = set(held_at)
        unknown = [name for name, parameter in problem.named_parameters() if parameter.requires_grad]
        if unknown and slabs.grows:
            raise InputError(
                f"a march finds fields, and no unknown coefficients such as {unknown[0]}, which all slabs have in "
                f"common; choose another network than {type(slabs).__name__}."
            )

    @property
    def slabs(self) -> InSlabs:
        """The networks of all slabs."""
        return cast(InSlabs, cast(Scaled, self.network).network)

    def size(self) -> int:
        """Return how many numbers are found in a training."""
        return self.slabs.size() if self.slabs.grows else super().size()

    @property
    def can_be_captured(self) -> bool:
        """Not where slabs are added within a stage."""
        return not self.slabs.grows

    @property
    def is_whole(self) -> bool:
        """Whether what is looked at reaches to the end of time."""
        return self.slabs.is_whole

    def reached(self) -> str:
        """Return up to which time a march has come."""
        if not self.slabs.grows:
            return ""
        known = self.start + self.length * (self.slabs.reached + 1) / 2
        return f"{self.time} = {known:.4g} of {self.start + self.length:.4g}"

    def select(self, part: str | None, slab: int | None = None) -> None:
        """Choose the slab and the part of its network that are trained; None and None for all together."""
        self.slabs.train_part(part, slab)

    def interval(self, slab: int) -> tuple[float, float]:
        """Return the times at which a slab begins and ends."""
        start, end = (self.start + self.length * (edge + 1) / 2 for edge in self.slabs.interval(slab))
        return start, end

    def place(self, points: Points) -> Points:
        """Move points of the whole time into the slab that is trained."""
        slab = self.slabs.active
        if slab is None:
            return points
        t = points[self.time]
        start, end = self.interval(slab)
        moved = start + (end - start) * (t.detach() - self.start) / self.length
        return {**points, self.time: moved.requires_grad_(t.requires_grad)}

    def forward(self, constraint: str, points: Points, engine: Engine | None = None) -> Points:
        """Return the residuals of one constraint by name, (points,) each, in the slab that is trained."""
        slab = self.slabs.active
        if not self.slabs.has_jets(slab):
            engine = engine or Reverse()
        if slab is None:
            return super().forward(constraint, points, engine)
        placed = self.place(points)
        rows = super().forward(constraint, placed, engine)
        if slab == 0 or constraint not in self.initial:
            return rows
        with self.slabs.evaluating(slab - 1):
            known = self.problem.residuals(constraint, placed, self.fields)
        return {name: row - known[name].detach() for name, row in rows.items()}
