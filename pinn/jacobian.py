"""The derivative of every residual with respect to every parameter, one row a point.

Summing a residual over its points and differentiating gives the sum of the rows, not the rows. But a network meets its
weights in matrix products y = x Wᵀ alone, and the row of a point is the sum of (∂r/∂y) xᵀ over all the products in
which that point took part, also those that differentiating by the coordinates has added to the graph. So the residual
is evaluated once with products that can be listened to (`_Product`), differentiated once, and the pairs (∂r/∂y, x) that
pass by are contracted to rows: the cost is that of one gradient, plus writing the matrix.

A network that uses its weights in any other way gets one copy of them for each point instead, which is slower and as
exact.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from pinn.derivatives.taylor import Engine, Reverse, Taylor
from pinn.derivatives.taylor.inputs import Coordinates, Network
from pinn.domains import Points
from pinn.errors import InputError
from pinn.model import Model

Blocks = dict[str, Tensor]
"""By name of a parameter: the derivatives by its entries, (points, entries); one that does not matter is absent."""
Rows = dict[str, tuple[Tensor, Blocks]]
"""By name of a residual: its values, (points,), and its derivatives."""


def residual_jacobian(model: Model, constraint: str, points: Points, engine: Engine | None = None) -> Rows:
    """Return every residual of one constraint, (points,), and its Jacobian J_np = ∂r_n/∂θ_p.

    Args:
        model: the problem and the network.
        constraint: its name.
        points: of its region, (points,) each; coordinates require grad.
        engine: evaluates the network; by default the model's own for this constraint.

    Raises:
        InputError: an unknown coefficient of the problem that is no scalar.
    """
    count = len(next(iter(points.values())))
    weights = {name: p.detach() for name, p in model.network.named_parameters()}
    unknowns = {f"problem.{name}": _copy_per_point(name, p, count) for name, p in model.problem.named_parameters()}
    parameters = unknowns | {f"network.{name}": weight for name, weight in weights.items()}
    trained = {name: weights[name] for name, p in model.network.named_parameters() if p.requires_grad}

    chosen = engine or model.engines.get(constraint) or Reverse()
    if isinstance(chosen, Taylor):
        chosen = Taylor(chosen.needs, chosen.directions, each_point=True)
    listener = _Listener(trained, count)

    def listening(network: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        with listener:
            return chosen(network, coordinates)

    rows = _residuals(model, constraint, points, parameters, listening)
    if listener.complete:
        return {name: (row.detach(), listener.differentiate(row, unknowns)) for name, row in rows.items()}

    copies = {name: weight.expand(count, *weight.shape).requires_grad_() for name, weight in trained.items()}
    for_each_point = vmap(lambda copy, x: functional_call(model.network, copy, (x.unsqueeze(0),)).squeeze(0))

    def copied(_: Network, coordinates: Coordinates) -> tuple[Tensor, ...]:
        # Jets have no rule for weights that differ from point to point.
        return Reverse()(lambda x: for_each_point(copies, x), coordinates)

    rows = _residuals(model, constraint, points, parameters, copied)
    inputs = {f"network.{name}": copy for name, copy in copies.items()} | unknowns
    result = {}
    for name, row in rows.items():
        gradients = torch.autograd.grad(
            row, list(inputs.values()), torch.ones_like(row), retain_graph=True, materialize_grads=True
        )
        result[name] = row.detach(), {key: g.reshape(count, -1) for key, g in zip(inputs, gradients, strict=True)}
    return result


def _residuals(model: Model, constraint: str, points: Points, parameters: Points, engine: Engine) -> Points:
    with torch.enable_grad():
        return functional_call(model, parameters, (constraint, points, engine))


def _copy_per_point(name: str, parameter: Tensor, count: int) -> Tensor:
    if parameter.ndim:
        raise InputError(
            f"the unknown coefficient {name!r} has shape {tuple(parameter.shape)}; make it one nn.Parameter of shape "
            f"() for each number."
        )
    return parameter.detach().expand(count).clone().requires_grad_()


class _Listener(TorchFunctionMode):
    """While active, makes the products x Wᵀ + b with the network's own weights ones that can be listened to."""

    def __init__(self, parameters: dict[str, Tensor], count: int) -> None:
        super().__init__()
        self.names = {id(parameter): name for name, parameter in parameters.items()}
        self.count = count
        self.complete = True
        self.listening = False
        # Every product depends on the token, so asking for its gradient makes the backward pass visit them all.
        self.token = next(iter(parameters.values())).new_zeros(()).requires_grad_()
        self.pairs: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self.sums: dict[str, list[Tensor]] = defaultdict(list)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.nn.functional.linear:
            x, weight, bias = _linear_arguments(*args, **kwargs)
            if id(weight) in self.names and (bias is None or id(bias) in self.names) and self._by_point(x):
                return _Product.apply(self, x, weight.detach(), self.token, self._name(weight), self._name(bias), bias)
        result = function(*args, **kwargs)
        if isinstance(result, Tensor) and any(id(argument) in self.names for argument in _tensors(args, kwargs)):
            self.complete = False
        return result

    def _name(self, parameter: Tensor | None) -> str | None:
        return None if parameter is None else self.names[id(parameter)]

    def _by_point(self, x: Tensor) -> bool:
        """Rows must run over the points fastest: (points, …) or any number of such blocks one after another."""
        return x.ndim >= 2 and (x.numel() // x.shape[-1]) % self.count == 0 if x.numel() else x.ndim == 2

    def differentiate(self, row: Tensor, unknowns: Points) -> Blocks:
        """Return ∂r_n/∂θ by parameter."""
        self.pairs.clear()
        self.sums.clear()
        self.listening = True
        try:
            inputs = [self.token, *unknowns.values()]
            gradients = torch.autograd.grad(row, inputs, torch.ones_like(row), retain_graph=True, allow_unused=True)
        finally:
            self.listening = False
        blocks = {}
        for name, pairs in self.pairs.items():
            after = torch.cat([g.reshape(-1, self.count, g.shape[-1]) for g, _ in pairs])
            before = torch.cat([x.reshape(-1, self.count, x.shape[-1]) for _, x in pairs])
            product = torch.bmm(after.permute(1, 2, 0), before.transpose(0, 1))
            blocks[f"network.{name}"] = product.reshape(self.count, -1)
        for name, sums in self.sums.items():
            blocks[f"network.{name}"] = torch.cat([g.reshape(-1, self.count, g.shape[-1]) for g in sums]).sum(dim=0)
        for name, gradient in zip(unknowns, gradients[1:], strict=True):
            if gradient is not None:
                blocks[name] = gradient.unsqueeze(1)
        return blocks


class _Product(torch.autograd.Function):
    """y = x Wᵀ + b, or y = x W: each is the derivative of the other, so the pair is closed under differentiation."""

    @staticmethod
    def forward(
        ctx: Any,
        listener: _Listener,
        x: Tensor,
        weight: Tensor,
        token: Tensor,
        name: str,
        bias_name: str | None,
        bias: Any,
    ) -> Tensor:
        ctx.listener, ctx.name, ctx.bias_name = listener, name, bias_name
        ctx.save_for_backward(x, weight, token)
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, token = ctx.saved_tensors
        listener: _Listener = ctx.listener
        if not listener.listening:
            return None, _Transposed.apply(listener, gradient, weight, token, ctx.name), None, None, None, None, None
        listener.pairs[ctx.name].append((gradient, x.detach()))
        if ctx.bias_name is not None:
            listener.sums[ctx.bias_name].append(gradient)
        return None, gradient @ weight, None, torch.zeros_like(token), None, None, None


class _Transposed(torch.autograd.Function):
    """y = x W, with W of shape (out, in): the derivative of `_Product`."""

    @staticmethod
    def forward(ctx: Any, listener: _Listener, x: Tensor, weight: Tensor, token: Tensor, name: str) -> Tensor:
        ctx.listener, ctx.name = listener, name
        ctx.save_for_backward(x, weight, token)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, token = ctx.saved_tensors
        listener: _Listener = ctx.listener
        if not listener.listening:
            return None, _Product.apply(listener, gradient, weight, token, ctx.name, None, None), None, None, None
        listener.pairs[ctx.name].append((x.detach(), gradient))
        return None, gradient @ weight.T, None, torch.zeros_like(token), None


def _linear_arguments(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    return x, weight, bias


def _tensors(args: Any, kwargs: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for argument in [*args, *kwargs.values()]:
        if isinstance(argument, Tensor):
            found.append(argument)
        elif isinstance(argument, list | tuple):
            found += [item for item in argument if isinstance(item, Tensor)]
    return found
