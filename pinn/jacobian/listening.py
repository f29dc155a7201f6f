"""Products with weights that say what each point contributed to them.

Of y = x Wᵀ + b the row of a point is Σ (∂r/∂y) xᵀ over those rows of x that belong to the point. Which ones do is never
guessed from a shape. Under `torch.func.vmap` a network sees one point, and vmap knows the axis of the others; the rules
of jets name it (`pinn.derivatives.taylor.product`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pinn.derivatives.taylor import product
from pinn.derivatives.taylor.inputs import Network
from pinn.jacobian.places import QUESTIONS, Places, look_up


class NotFollowedError(Exception):
    """The network uses a parameter where what each point contributes cannot be followed."""


class Listener(TorchFunctionMode):
    """While active, listens to the products x Wᵀ + b with weights of the network, and notes any other use of a weight.

    Args:
        weights: of the network by name, which all points share.
        hidden: the parameters for which they stand; who meets one of these keeps it where it cannot be exchanged.
        points: anything of the dtype and on the device of the points, (points,).
    """

    def __init__(self, weights: Mapping[str, Tensor], hidden: Iterable[Tensor], points: Tensor) -> None:
        super().__init__()
        self.weights = weights
        # Every product depends on the token, so asking for its gradient makes the backward pass visit them all.
        self.token = points.new_zeros(()).requires_grad_()
        self.marks = torch.zeros_like(points)
        """What has the axis of the points under vmap, whatever else has it."""
        self.used_otherwise: set[str] = set()
        """Names of weights that the network has used elsewhere than in products."""
        self.hearing: dict[str, list[tuple[Tensor, Tensor]]] | None = None
        """In a backward pass whose rows are wanted: by name of a weight the pairs (∂r/∂y, x), (parts, points, …)."""
        self.heard_sums: dict[str, list[Tensor]] = {}
        """By name of a bias the ∂r/∂y."""
        self._places: Places | None = None
        self._mark: Tensor | None = None
        self._names = {id(weight): name for name, weight in weights.items()}
        self._watched: dict[int, str | None] = {id(parameter): None for parameter in hidden} | self._names

    def by_place(self, network: Network, x: Tensor) -> Tensor:
        """Evaluate a network, (points, inputs) to (points, outputs), as long as it leaves the points in their places.

        Raises:
            DisplacedError: it does something to them that is not known to do so.
        """
        self._places = Places(x)
        try:
            with self:
                return network(x)
        finally:
            self._places = None

    def by_vmap(self, network: Network, x: Tensor, mark: Tensor) -> Tensor:
        """Evaluate a network for one point, (inputs,) to (outputs,), within a vmap over the points and the marks."""
        self._mark = mark
        try:
            with self:
                return network(x.unsqueeze(0)).squeeze(0)
        finally:
            self._mark = None

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Listen to a product; call anything else as it is."""
        kwargs = kwargs or {}
        if function in (product, functional.linear):
            x, weight, bias, axis = _arguments(*args, **kwargs)
            known = function is product or self._mark is not None or (self._places is not None and x in self._places)
            if known and id(weight) in self._names and id(x) not in self._names:
                return self._product(x, weight, bias, axis)
        result = function(*args, **kwargs)
        if function.__name__ in QUESTIONS and not isinstance(result, Tensor):
            return result
        for name in look_up(self._watched, args, kwargs):
            if name is None:
                raise NotFollowedError("it keeps a parameter where that cannot be exchanged, as in a list")
            self.used_otherwise.add(name)
        if self._places is not None:
            self._places.follow(function.__name__, args, kwargs, result)
        return result

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor | None, axis: int) -> Tensor:
        bias_name = self._names.get(id(bias))
        inside = bias if bias_name else None
        source = _Source(self, self._names[id(weight)], bias_name, axis)
        if self._mark is None:
            y = _Product.apply(x, weight, inside, self.token, source)
        else:
            y = _OfOnePoint.apply(x, weight, inside, self._mark, source)
        if bias is not inside and bias is not None:
            y = y + bias.expand_as(y)
        if self._places is not None:
            self._places.take(y)
        return y

    @torch.no_grad()
    def differentiate(self, row: Tensor, others: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ∂r/∂θ by name of θ, (points, entries); one that does not matter is absent.

        Args:
            row: the residual r, (points,).
            others: by name the parameters of which every point has its own, (points, …).
        """
        self.hearing, self.heard_sums = defaultdict(list), defaultdict(list)
        try:
            inputs = [self.token, *others.values()]
            gradients = torch.autograd.grad(row, inputs, torch.ones_like(row), retain_graph=True, allow_unused=True)
            blocks = {name: _contract(pairs) for name, pairs in self.hearing.items()}
            blocks |= {name: torch.cat(sums).sum(dim=0) for name, sums in self.heard_sums.items()}
        finally:
            self.hearing, self.heard_sums = None, {}
        for name, gradient in zip(others, gradients[1:], strict=True):
            if gradient is not None:
                rows = gradient.reshape(len(gradient), -1)
                blocks[name] = blocks[name] + rows if name in blocks else rows
        return blocks


def _contract(pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return Σ (∂r/∂y) xᵀ over the parts of each point, (points, entries of W)."""
    after, before = (torch.cat(rows) for rows in zip(*pairs, strict=True))
    return torch.bmm(after.permute(1, 2, 0), before.transpose(0, 1)).flatten(1)


def _arguments(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *, axis: int = 0
) -> tuple[Tensor, Tensor, Tensor | None, int]:
    return input, weight, bias, axis


@dataclass(frozen=True)
class _Source:
    """Who listens to a product, the names of its weight and bias, and the axis of x along which the points lie."""

    listener: Listener
    weight: str
    bias: str | None
    axis: int

    def by_point(self, rows: Tensor) -> Tensor:
        """Return what belongs to each point, (parts, points, features)."""
        if self.axis:
            return rows if rows.ndim == 3 else rows.flatten(2, -2).transpose(1, 2).flatten(0, 1)
        return rows.unsqueeze(0) if rows.ndim == 2 else rows.flatten(1, -2).transpose(0, 1)

    def hear_pair(self, after: Tensor, before: Tensor) -> None:
        """Take ∂r/∂y and x."""
        if self.listener.hearing is not None:
            self.listener.hearing[self.weight].append((self.by_point(after), self.by_point(before)))

    def hear_sum(self, after: Tensor) -> None:
        """Take ∂r/∂y for the bias."""
        if self.bias is not None:
            self.listener.heard_sums[self.bias].append(self.by_point(after))


class _Product(torch.autograd.Function):
    """y = x Wᵀ + b, or y = x W: each is the derivative of the other, so the pair is closed under differentiation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, token: Tensor, source: _Source) -> Tensor:
        ctx.source = source
        ctx.save_for_backward(x, weight, token)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, token = ctx.saved_tensors
        source: _Source = ctx.source
        if source.listener.hearing is None:
            return _Transposed.apply(gradient, weight, token, source), None, None, None, None
        source.hear_pair(gradient, x)
        source.hear_sum(gradient)
        return gradient @ weight, None, None, torch.zeros_like(token), None


class _Transposed(torch.autograd.Function):
    """y = x W, with W of shape (out, in): the derivative of `_Product`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, token: Tensor, source: _Source) -> Tensor:
        ctx.source = source
        ctx.save_for_backward(x, weight, token)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, token = ctx.saved_tensors
        source: _Source = ctx.source
        if source.listener.hearing is None:
            return _Product.apply(gradient, weight, None, token, replace(source, bias=None)), None, None, None
        source.hear_pair(x, gradient)
        return gradient @ weight.T, None, torch.zeros_like(token), None


class _OfOnePoint(torch.autograd.Function):
    """y = x Wᵀ + b for the one point that a network sees under vmap: for all of them it is `_Product`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, mark: Tensor, source: _Source) -> Tensor:
        return functional.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, axes: Any, x: Tensor, weight: Tensor, bias: Tensor | None, mark: Tensor, source: _Source
    ) -> tuple[Tensor, int]:
        x = x.expand(info.batch_size, *x.shape) if axes[0] is None else x.movedim(axes[0], 0)
        if axes[3] is None:
            # A vmap of the network's own, within the one over the points.
            return _OfOnePoint.apply(x, weight, bias, mark, source), 0
        return _Product.apply(x, weight, bias, source.listener.token, source), 0
