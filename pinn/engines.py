"""Which engine evaluates the network for the residuals of each constraint: counted once, before a training begins."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, cast, get_args

from pinn.derivatives.taylor import Engine, choose
from pinn.derivatives.taylor.choice import EngineName
from pinn.domains import Points
from pinn.errors import InputError
from pinn.jacobian import residual_jacobian
from pinn.model import Model

ENGINES = get_args(EngineName)
"""What can be asked for; `auto` counts the operations of both others."""

POINTS = 64
"""Of each constraint: the work of a step is in proportion to the points, so that few tell which engine does less."""


class Engines(NamedTuple):
    """The engine of each constraint, and in one line why."""

    by_constraint: dict[str, Engine]
    reason: str


def choose_engines(name: str, model: Model, points: Mapping[str, Points], *, jacobian: bool = False) -> Engines:
    """Choose how the network is evaluated for each constraint of a problem; the numbers are the same to round-off.

    Args:
        name: `reverse`, `taylor`, or `auto` for the one with fewer operations in residuals and their gradient.
        model: the problem and the network.
        points: some of every constraint, by its name.
        jacobian: count the Jacobian of the residuals instead, which is what the optimizer takes.

    Raises:
        InputError: there is no engine of that name, or a Jacobian is to be counted that cannot be taken.

    Warns:
        UserWarning: the network uses an operation for which taylor has no rule; the choice is reverse.
    """
    if name not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}; it was given {name!r}.")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    engines: dict[str, Engine] = {}
    reasons: dict[str, list[str]] = {}
    for constraint, quantities in points.items():
        few = {
            key: values[:POINTS].detach().requires_grad_(key in model.problem.coordinates)
            for key, values in quantities.items()
        }
        work = partial(residual_jacobian, model, constraint, few) if jacobian else None
        choice = choose(cast(EngineName, name), partial(model, constraint, few), parameters, work)
        engines[constraint] = choice.engine
        reasons.setdefault(f"by {choice.name} ({choice.reason})", []).append(constraint)
    return Engines(engines, "; ".join(f"{', '.join(names)} {reason}" for reason, names in reasons.items()))
