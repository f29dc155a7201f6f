"""The chain rule on jets as one differentiable function."""

from itertools import islice
from typing import Any

import torch
from torch import Tensor

from pinn.derivatives.linked import Slot
from pinn.derivatives.taylor.elementwise import Basis, Elementwise
from pinn.derivatives.taylor.indices import ChainRule, chain_rule
from pinn.derivatives.taylor.kernels import polynomials_of, product, pull_back, push_forward


def compose(
    f: Elementwise, value: Tensor, derivatives: Tensor, slots: tuple[Slot, ...], positions: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """f(z) and ∂^α f(z) = Σ_k f⁽ᵏ⁾(z) P_{α,k}(∂z), all coefficients at once.

    Args:
        f: an elementwise function.
        value: z, of shape (points, ...).
        derivatives: ∂^α z, of shape (slots, points, ...), or (slots, 1, ...) where they are the same at all points.
        slots: which derivatives these are.
        positions: of the slots that are wanted.

    Returns:
        f(z) of the shape of `value`, and its derivatives in the wanted slots, (positions, points, ...).
    """
    return _Composition.apply(value, derivatives, f, chain_rule(slots, positions))


class _Composition(torch.autograd.Function):
    """Autograd would keep every factor of every term. This keeps what it needs to compute them again."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, derivatives: Tensor, f: Elementwise, chain: ChainRule) -> Any:
        basis, known = f.basis(value), derivatives.unbind(0)
        polynomials = polynomials_of(known, chain)
        kept = None
        if f.riccati is not None and chain.order <= 2:
            result = kept = f.riccati.push_forward(basis[0], known, polynomials, chain)
        else:
            result = push_forward(list(islice(f.derivatives(value, basis), chain.order)), known, polynomials, chain)
        # The derivatives of a function with such an equation are functions of its value.
        ctx.save_for_backward(value if f.riccati is None else None, derivatives, kept, *basis, *polynomials)
        ctx.set_materialize_grads(False)
        ctx.f, ctx.chain, ctx.size = f, chain, len(basis)
        return basis[0], result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, gradients: Tensor | None) -> Any:
        f: Elementwise = ctx.f
        chain: ChainRule = ctx.chain
        value, derivatives, kept, *rest = ctx.saved_tensors
        basis, polynomials = tuple(rest[: ctx.size]), rest[ctx.size :]
        if torch.is_grad_enabled():
            return *_recorded(f, value, basis, derivatives, gradient, gradients, chain), None, None
        if gradients is None:
            return None if gradient is None else gradient * next(f.derivatives(value, basis)), None, None, None
        to_derivatives = torch.empty_like(derivatives)
        known, rows, outs = derivatives.unbind(0), gradients.unbind(0), to_derivatives.unbind(0)
        if f.riccati is not None and chain.order <= 2:
            results = kept.unbind(0)
            to_value = f.riccati.pull_back(basis[0], results, known, polynomials, gradient, rows, chain, outs)
        else:
            slopes = list(islice(f.derivatives(value, basis), chain.order + 1))
            to_value = pull_back(slopes, known, polynomials, gradient, rows, chain, outs)
        return to_value, to_derivatives, None, None


def _recorded(
    f: Elementwise,
    value: Tensor | None,
    basis: Basis,
    derivatives: Tensor,
    gradient: Tensor | None,
    gradients: Tensor | None,
    chain: ChainRule,
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients with a graph of their own: autograd of the formula as it stands, in f(z) where z was not kept."""
    # f(z) leads back to all that it was computed from; by another name autograd stops here.
    argument, derivatives = (tensor.view_as(tensor) for tensor in (basis[0] if value is None else value, derivatives))
    basis = (argument,) if value is None else f.basis(argument)
    slopes = list(islice(f.derivatives(argument, basis), chain.order))
    known = derivatives.unbind(0)
    rows = [slopes[0] * known[slot] for slot in chain.wanted]
    for terms in chain.terms:
        for number, (multiplicity, factors) in terms:
            row, order = chain.rules[number]
            rows[row] = rows[row] + multiplicity * slopes[order - 1] * product(known, factors)
    outputs = [(out, by) for out, by in ((basis[0], gradient), (torch.stack(rows), gradients)) if by is not None]
    inputs = [tensor for tensor in (argument, derivatives) if tensor.requires_grad]
    found = torch.autograd.grad(
        [out for out, _ in outputs], inputs, [by for _, by in outputs], create_graph=True, allow_unused=True
    )
    by_input = dict(zip(map(id, inputs), found, strict=True))
    to_value = by_input.get(id(argument))
    if value is None and to_value is not None:
        to_value = slopes[0] * to_value
    return to_value, by_input.get(id(derivatives))
