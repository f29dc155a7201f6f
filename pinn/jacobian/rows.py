"""The derivative of every residual with respect to every parameter, one row a point.

Summing a residual over its points and differentiating gives the sum of the rows, not the rows. Three ways keep them
apart, the first one that is possible is taken:

* **Listening.** Most weights are met in products y = x Wᵀ alone. The pairs (∂r/∂y, x) that pass by in one backward
  pass, also those that differentiating by the coordinates has put into the graph, are contracted to rows. That costs as
  much as a gradient, plus writing the matrix.
* **Copies.** A weight that is used otherwise becomes one for each point, and the gradient by the copies is the rows.
* **Row by row**, the definition, for networks that cannot be evaluated for one point by itself.

All three are exact where a residual at a point depends on that point alone; `pinn.checks` sees to that.
"""

import warnings
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from pinn.derivatives.taylor import Engine, Reverse, Taylor
from pinn.derivatives.taylor.inputs import Coordinates, Network
from pinn.domains import Points
from pinn.errors import InputError
from pinn.jacobian.listening import Listener, NotFollowedError
from pinn.jacobian.places import DisplacedError
from pinn.model import Model

Blocks = dict[str, Tensor]
"""By name of a parameter: the derivatives by its entries, (points, entries); one that does not matter is absent."""
Rows = dict[str, tuple[Tensor, Blocks]]
"""By name of a residual: its values, (points,), and its derivatives."""

NETWORK, PROBLEM = "network.", "problem."
"""What the names of parameters begin with."""

POINTS_AT_A_TIME = 16
"""Of a Jacobian that is computed row by row: each row costs a backward pass over so many points."""


def residual_jacobian(model: Model, constraint: str, points: Points, engine: Engine | None = None) -> Rows:
    """Return every residual of one constraint, (points,), and its Jacobian J_np = ∂r_n/∂θ_p.

    Args:
        model: the problem and the network.
        constraint: its name.
        points: of its region, (points,) each; coordinates require grad.
        engine: evaluates the network; by default the model's own for this constraint.

    Raises:
        InputError: an unknown coefficient of the problem that is no scalar.

    Warns:
        UserWarning: the network cannot be evaluated for one point by itself, so that this takes long.
    """
    unknowns = {name: p for name, p in model.problem.named_parameters() if p.requires_grad}
    for name, parameter in unknowns.items():
        if parameter.ndim:
            raise InputError(
                f"the unknown coefficient {name!r} has shape {tuple(parameter.shape)}; make it one nn.Parameter of "
                f"shape () for each number."
            )
    try:
        return _point_by_point(model, constraint, points, engine or model.engines.get(constraint) or Reverse())
    except NotFollowedError as error:
        warnings.warn(
            f"the Jacobian is computed row by row, which takes long, for the network cannot be followed: {error}",
            stacklevel=2,
        )
        return _row_by_row(model, constraint, points)


def _point_by_point(model: Model, constraint: str, points: Points, engine: Engine) -> Rows:
    """Listen to the network, and give every point its own copy of what cannot be listened to."""
    like = points[model.problem.coordinates[0]].detach()
    following = _Following(model, engine, like)
    unknowns = {
        f"{PROBLEM}{name}": _copies(parameter, len(like))
        for name, parameter in model.problem.named_parameters()
        if parameter.requires_grad
    }
    parameters = {**following.listener.weights, **unknowns}
    with torch.enable_grad():
        rows: Points = functional_call(model, parameters, (constraint, points, following))
    others = following.copies | unknowns
    return {name: (row.detach(), following.listener.differentiate(row, others)) for name, row in rows.items()}


class _Following:
    """An engine that follows what each point contributes to the products with weights.

    Args:
        model: whose network it evaluates.
        engine: evaluates it, if that can be followed.
        like: a tensor of the dtype and on the device of the points, (points,).
    """

    def __init__(self, model: Model, engine: Engine, like: Tensor) -> None:
        self.network, self.engine = model.network, engine
        trained = {f"{NETWORK}{name}": p for name, p in model.network.named_parameters() if p.requires_grad}
        weights = {name: p.detach() for name, p in trained.items()}
        self.listener = Listener(weights, trained.values(), like)
        self.copies: Points = {}

    def __call__(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """The outputs; see `Engine`."""
        # Jets, and networks that are evaluated for all points, know nothing of weights that differ between these.
        if not self.copies:
            try:
                outputs = self._together(network, coordinates)
                if not self.listener.used_otherwise:
                    return outputs
            except DisplacedError:
                pass
        return Reverse()(self._apart, coordinates)

    def _together(self, network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        """Evaluate the network for all points."""
        if isinstance(self.engine, Taylor) and self.engine.needs:
            with self.listener:
                return Taylor(self.engine.needs, self.engine.directions, each_point=True)(network, coordinates)
        return Reverse()(lambda x: self.listener.by_place(network, x), coordinates)

    def _apart(self, x: Tensor) -> Tensor:
        """Evaluate the network for each point by itself, (points, inputs) to (points, outputs)."""
        while True:
            self.listener.used_otherwise.clear()
            try:
                outputs: Tensor = vmap(self._one)(x, self.listener.marks, self.copies)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                # Whatever vmap has no rule for. An error of the network's own comes again without vmap.
                raise NotFollowedError(str(error).split("\n")[0]) from error
            new = self.listener.used_otherwise - self.copies.keys()
            if not new:
                return outputs
            self.copies |= {name: _copies(self.listener.weights[name], len(x)) for name in sorted(new)}

    def _one(self, x: Tensor, mark: Tensor, copies: Points) -> Tensor:
        own = {name.removeprefix(NETWORK): copy for name, copy in copies.items()}
        return self.listener.by_vmap(lambda at: functional_call(self.network, own, (at,)), x, mark)


def _copies(parameter: Tensor, count: int) -> Tensor:
    """Return one copy of a parameter for each point, (points, …)."""
    return parameter.detach().expand(count, *parameter.shape).clone().requires_grad_()


def _row_by_row(model: Model, constraint: str, points: Points) -> Rows:
    """Differentiate one row after another."""
    if get_proxy_mode() is not None:
        raise NotImplementedError("one row after another makes too long a graph")
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    values: dict[str, list[Tensor]] = defaultdict(list)
    gradients: dict[str, list[tuple[Tensor, ...]]] = defaultdict(list)
    parts = {name: quantity.detach().split(POINTS_AT_A_TIME) for name, quantity in points.items()}
    with torch.enable_grad():
        for part in zip(*parts.values(), strict=True):
            few = {
                name: quantity.requires_grad_(points[name].requires_grad)
                for name, quantity in zip(parts, part, strict=True)
            }
            for name, row in model(constraint, few, Reverse()).items():
                values[name].append(row.detach())
                gradients[name] += [_gradient(residual, parameters) for residual in row]
    return {
        name: (
            torch.cat(values[name]),
            {
                key: torch.stack(rows).reshape(len(rows), -1)
                for key, rows in zip(parameters, zip(*gradients[name], strict=True), strict=True)
            },
        )
        for name in values
    }


def _gradient(residual: Tensor, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(residual, list(parameters.values()), retain_graph=True, materialize_grads=True)
