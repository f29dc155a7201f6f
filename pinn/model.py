"""A problem and a network together: fields by name, residuals by name."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn
from torch.func import functional_call

from pinn.derivatives.taylor import Engine, Reverse
from pinn.domains import Points
from pinn.errors import InputError
from pinn.hard_conditions import HardConditions
from pinn.networks import Refined, Scaled
from pinn.problems import Problem

T = TypeVar("T")


def scaled(problem: Problem, network: nn.Module, hard: HardConditions | None = None) -> "Model":
    """Put a problem and a network together, inputs scaled to the domain."""
    return Model(problem, Scaled(network, problem.domain.lower, problem.domain.upper), hard)


class Model(nn.Module):
    """The fields that a network gives to a problem, and the residuals that they leave.

    Its parameters are the network's weights and the problem's unknown coefficients, under the names `network.…` and
    `problem.…`.

    Attributes:
        hard: the conditions that are built into the fields; their residuals are left out.
        engines: how the network is evaluated for the residuals of a constraint, by its name; nested reverse mode where
            nothing is said. See `pinn.engines`.
    """

    def __init__(self, problem: Problem, network: nn.Module, hard: HardConditions | None = None) -> None:
        super().__init__()
        self.problem, self.network, self.hard = problem, network, hard or HardConditions(problem)
        self.engines: Mapping[str, Engine] = {}

    def fields(self, points: Points, engine: Engine | None = None) -> Points:
        """Return every field, (points,) each, at points given by coordinate.

        Args:
            points: at least the coordinates, (points,) each.
            engine: evaluates the network; by default so that any derivative can be taken.
        """
        engine = engine or Reverse()
        outputs = engine(self._outputs, [points[name] for name in self.problem.coordinates])
        fields = self.hard.apply(points, dict(zip(self.problem.fields, outputs, strict=True)))
        return self.problem.apply_ansatz(points, fields)

    def _outputs(self, coordinates: Tensor) -> Tensor:
        outputs = self.network(coordinates)
        expected = (len(coordinates), len(self.problem.fields))
        if outputs.shape != expected:
            raise InputError(
                f"the network returned shape {tuple(outputs.shape)} for {len(coordinates)} points, expected "
                f"{expected}: one column for each of {', '.join(self.problem.fields)}."
            )
        return outputs

    def select(self, part: str | None, slab: int | None = None) -> None:
        """Choose the part of a `pinn.networks.Refined` network that is trained; None for all of it.

        Raises:
            InputError: a part or a slab of time that the network does not have.
        """
        refined = [module for module in self.network.modules() if isinstance(module, Refined)]
        if part is not None and not (refined and part in Refined.PARTS):
            raise InputError(
                f"a stage trains the part {part!r} of a network; only pinn.networks.Refined has parts, "
                f"{' and '.join(Refined.PARTS)}."
            )
        if slab is not None:
            raise InputError(f"a stage trains slab {slab!r}; only pinn.networks.Slabs has slabs.")
        for module in refined:
            module.select(part)

    def size(self) -> int:
        """Return how many numbers are found in a training."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def can_be_captured(self) -> bool:
        """Whether its operations are the same at each call, so that a graph of them may take their place."""
        return True

    @property
    def is_whole(self) -> bool:
        """Whether what is looked at reaches to the end of the domain; see `pinn.marching`."""
        return True

    def reached(self) -> str:
        """Return how far a model has come that is not trained everywhere at once; nothing here."""
        return ""

    def place(self, points: Points) -> Points:
        """Return the points at which the residuals are taken for these points: themselves."""
        return points

    def forward(self, constraint: str, points: Points, engine: Engine | None = None) -> Points:
        """Return the residuals of one constraint by name, (points,) each, but for those that are built in.

        Args:
            constraint: its name.
            points: of its region, (points,) each; coordinates require grad.
            engine: evaluates the network; by default the one that `engines` gives this constraint.
        """
        engine = engine or self.engines.get(constraint)
        rows = self.problem.residuals(constraint, points, lambda at: self.fields(at, engine))
        return {name: row for name, row in rows.items() if name not in self.hard.rows}


def call_with(model: Model, parameters: Points, function: Callable[[Model], T]) -> T:
    """Call a function of a model while some of its parameters, and buffers, are others: these, by their names."""
    result: T = functional_call(_Call(model), {f"model.{name}": value for name, value in parameters.items()}, function)
    return result


class _Call(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[Model], T]) -> T:
        return function(self.model)
