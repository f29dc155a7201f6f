"""What would be silently wrong in a training is found before it begins.

Everything rests on one promise: a residual at a point depends on that point alone. Then the gradient of a sum over
points is the sum of gradients, rows can be taken in blocks, and every draw of points asks for the same thing.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pinn.checks.company import Look, find_fault, parameters_of, scatter, spread
from pinn.checks.exactness import check_jacobian
from pinn.derivatives.taylor import Reverse
from pinn.derivatives.taylor.inputs import Coordinates, Network
from pinn.domains import Points
from pinn.errors import InputError
from pinn.model import Model, call_with

POINTS = 16
"""Of each constraint."""


def check(model: Model, points: Mapping[str, Points]) -> None:
    """Raise InputError for what would be silently wrong later.

    That is a residual of the wrong shape, one that does not depend on the network, is not finite, is random, or couples
    points; a network that is random, couples points or hides a parameter; a field on which no residual depends; an
    unknown coefficient that is not used element by element.

    Args:
        model: the problem and the network.
        points: some of every constraint, by its name.
    """
    title = type(model.problem).__name__
    unused = set(model.problem.fields)
    for constraint, quantities in points.items():
        few = spread(model, quantities, POINTS)
        _check_fields(model, few)
        unused -= _check_rows(model, constraint, few)
        _check_exchange(model, constraint, few)
        fault = find_fault(_look_at_rows(model, constraint, few), model, few)
        if fault and fault.random:
            raise InputError(
                f"{title}: residual {fault.name!r} is random: at the same points it {fault.how} the second time. Draw "
                f"numbers once, in the constructor."
            )
        if fault:
            raise InputError(
                f"{title}: residual {fault.name or constraint!r} couples points: without some of them it {fault.how} "
                f"at the others. Leave out means, sums, maxima, shifts and sorts over points, and their number; an "
                f"integral is the end value of a field whose derivative is the integrand."
            )
    if unused:
        raise InputError(
            f"{title}: no residual depends on {', '.join(sorted(unused))}; name it in a constraint, or take it out of "
            f"fields."
        )
    check_jacobian(model, points)


def _check_rows(model: Model, constraint: str, points: Points) -> set[str]:
    """Check each residual of a constraint by itself, and return the fields that it depends on."""
    title, problem = type(model.problem).__name__, model.problem
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    marking = _Marking(len(problem.fields))
    with torch.enable_grad():
        rows = model(constraint, points, marking)
    used: set[str] = set()
    for name, row in rows.items():
        found = row.requires_grad and torch.autograd.grad(
            row, [*marking.marks, *parameters], torch.ones_like(row), retain_graph=True, allow_unused=True
        )
        if not found or all(gradient is None for gradient in found[len(marking.marks) :]):
            raise InputError(
                f"{title}: residual {name!r} does not depend on the network; compute it from the fields "
                f"{', '.join(problem.fields)} without detach(), item() or numpy()."
            )
        if not torch.isfinite(row).all():
            raise InputError(
                f"{title}: residual {name!r} is not finite at the start of training; look for a division by "
                f"zero, a logarithm or a root of a negative number in the equation or its coefficients."
            )
        used |= {field for field, gradient in zip(problem.fields, found, strict=False) if gradient is not None}
    return used


class _Marking:
    """Adds zero times a smooth function of the coordinates to every field: who depends on a field depends on its zero.

    Args:
        fields: how many there are.
    """

    def __init__(self, fields: int) -> None:
        self.marks = [torch.zeros((), requires_grad=True) for _ in range(fields)]

    def __call__(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """The outputs; see `Engine`."""
        wave = torch.sin(torch.stack(list(coordinates)).sum(dim=0))
        outputs = Reverse()(network, coordinates)
        return tuple(output + mark.to(wave) * wave for output, mark in zip(outputs, self.marks, strict=True))


def _check_exchange(model: Model, constraint: str, points: Points) -> None:
    """Raise InputError if a parameter is used that others have been put in the place of."""
    with torch.enable_grad():
        rows: Points = call_with(model, parameters_of(model), lambda given: given(constraint, points, Reverse()))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for row in rows.values():
        gradients = torch.autograd.grad(row.sum(), list(trained.values()), retain_graph=True, allow_unused=True)
        for name, gradient in zip(trained, gradients, strict=True):
            if gradient is not None:
                raise InputError(
                    f"the parameter {name!r} is also kept where it cannot be exchanged, as in a plain list; use it by "
                    f"the name under which it is registered, or keep parameters in an nn.ParameterList."
                )


def _inputs(model: Model, points: Points) -> Tensor:
    return torch.stack([points[name].detach() for name in model.problem.coordinates], dim=1)


def _check_fields(model: Model, points: Points) -> None:
    """Raise InputError for fields that are random or couple points, and name who makes them so."""
    fault = find_fault(_look_at_fields(model, points), model, points)
    if not fault:
        return
    who, cure = "the network", "Take out layers such as BatchNorm; LayerNorm works."
    if not find_fault(_look_at_network(model, points), model, points):
        who, cure = f"the ansatz of {type(model.problem).__name__}", "Compute it from each point by itself."
    if fault.random:
        cure = "Take out layers such as Dropout, or switch them off by eval()."
        raise InputError(f"{who} is random: at the same points it {fault.how} the second time. {cure}")
    raise InputError(
        f"{who} couples the points of a batch: without some of them it {fault.how} at the others, so its derivatives "
        f"would be wrong. {cure}"
    )


def _look_at_network(model: Model, points: Points) -> Look:
    x = _inputs(model, points)

    def look(parameters: Points, some: Tensor) -> Points:
        return {"": call_with(model, parameters, lambda given: given.network(x[some])).detach()}

    return look


def _look_at_fields(model: Model, points: Points) -> Look:
    def look(parameters: Points, some: Tensor) -> Points:
        at = {name: values[some] for name, values in points.items()}
        fields: Points = call_with(model, parameters, lambda given: given.fields(at))
        return {name: field.detach().unsqueeze(1) for name, field in fields.items()}

    return look


def _look_at_rows(model: Model, constraint: str, points: Points) -> Look:
    """Look at residuals r_n, and at the derivatives of Σ v_n r_n by the coordinates of point n.

    Who hides a mean over points behind a large constant does not change by much, but its derivatives do: that of the
    sum by one point has the v of all points in it.
    """
    coordinates = model.problem.coordinates
    like = points[coordinates[0]]
    v = scatter(like, seed=1)

    def look(parameters: Points, some: Tensor) -> Points:
        at = {name: values[some].detach().requires_grad_(name in coordinates) for name, values in points.items()}
        with torch.enable_grad():
            rows: Points = call_with(model, parameters, lambda given: given(constraint, at, Reverse()))
        found = {}
        for name, row in rows.items():
            leaves = [at[coordinate] for coordinate in coordinates]
            slopes: tuple[Tensor, ...] = ()
            if row.requires_grad:
                slopes = torch.autograd.grad(row, leaves, v[some], retain_graph=True, materialize_grads=True)
            found[name] = torch.stack([row.detach(), *slopes], dim=1)
        return found

    return look
