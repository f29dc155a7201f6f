"""The chain rule and its backward pass on plain tensors, slot by slot: each is read and written while in cache."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.taylor.indices import ChainRule, Term


def polynomials_of(derivatives: Sequence[Tensor], chain: ChainRule) -> list[Tensor]:
    """P_{α,k} with k ≥ 2 for all rules of the chain rule, of the shape of one of the derivatives ∂^α z."""
    found: list[Tensor | None] = [None] * len(chain.rules)
    for given, terms in zip(derivatives, chain.terms, strict=True):
        for number, (multiplicity, (*factors, _)) in terms:
            found[number] = add_product(found[number], product(derivatives, factors), given, multiplicity)
    return [polynomial for polynomial in found if polynomial is not None]


def push_forward(
    slopes: Sequence[Tensor], derivatives: Sequence[Tensor], polynomials: Sequence[Tensor], chain: ChainRule
) -> Tensor:
    """∂^α f(z) = Σ_k f⁽ᵏ⁾(z) P_{α,k}.

    Args:
        slopes: f'(z), f''(z), ... up to the order of the chain rule, of shape (points, ...).
        derivatives: ∂^α z for every slot, of shape (points or 1, ...).
        polynomials: P_{α,k} with k ≥ 2, one for each rule.
        chain: the chain rule for these slots.

    Returns:
        The wanted derivatives, of shape (wanted, points, ...).
    """
    result = slopes[0].new_empty(len(chain.wanted), *slopes[0].shape)
    rows = result.unbind(0)
    for slot, row in zip(chain.wanted, rows, strict=True):
        torch.mul(slopes[0], derivatives[slot], out=row)
    for (at, order), polynomial in zip(chain.rules, polynomials, strict=True):
        rows[at].addcmul_(slopes[order - 1], polynomial)
    return result


def pull_back(
    slopes: Sequence[Tensor],
    derivatives: Sequence[Tensor],
    polynomials: Sequence[Tensor],
    gradient: Tensor | None,
    gradients: Sequence[Tensor],
    chain: ChainRule,
    to_derivatives: Sequence[Tensor],
) -> Tensor:
    """The gradients by z and by its derivatives.

    Args:
        slopes: of f, one order further than in the forward pass.
        derivatives: as in the forward pass.
        polynomials: as in the forward pass.
        gradient: by f(z), if there is one.
        gradients: by the wanted derivatives of f(z), of shape (points, ...).
        chain: the chain rule for these slots.
        to_derivatives: where to write the gradients by the derivatives, each of the shape of one.

    Returns:
        The gradient by z, of shape (points, ...).
    """
    # What f⁽ᵏ⁾ was multiplied by, for k from 1: by the chain rule it passes f⁽ᵏ⁺¹⁾ × that on to z.
    by_slopes: list[Tensor | None] = [None] * chain.order
    weights = []
    for (row, order), polynomial in zip(chain.rules, polynomials, strict=True):
        by_slopes[order - 1] = add_product(by_slopes[order - 1], gradients[row], polynomial)
        weights.append((slopes[order - 1] * gradients[row]).sum_to_size(to_derivatives[0].shape))
    by_slot = dict(zip(chain.wanted, gradients, strict=True))
    for slot, (given, out) in enumerate(zip(derivatives, to_derivatives, strict=True)):
        weight = by_slot.get(slot)
        if weight is not None:
            by_slopes[0] = add_product(by_slopes[0], weight, given)
        gather(out, slopes[0], weight, chain.partials[slot], weights, derivatives)
    to_value = torch.zeros_like(slopes[0]) if gradient is None else slopes[0] * gradient
    for slope, by_slope in zip(slopes[1:], by_slopes, strict=True):
        if by_slope is not None:
            to_value.addcmul_(slope, by_slope)
    return to_value


def gather(
    out: Tensor,
    slope: Tensor,
    gradient: Tensor | None,
    partials: Sequence[tuple[int, Term]],
    weights: Sequence[Tensor],
    derivatives: Sequence[Tensor],
    scale: float = 1.0,
) -> None:
    """Write slope × gradient + scale × Σ weight × ∂P/∂z over all polynomials P to `out`.

    Without a gradient, as for a slot that was not wanted, the polynomials are all there is. Points that share one z
    are summed over, in the weights beforehand.
    """
    if gradient is not None:
        multiply(slope, gradient, out)
    elif not partials:
        out.zero_()
    total = out.new_zeros(()) if gradient is None else out
    for number, (multiplicity, factors) in partials:
        factor = product(derivatives, factors)
        total = torch.addcmul(total, weights[number], factor, value=scale * multiplicity, out=out)


def multiply(one: Tensor, other: Tensor, out: Tensor) -> Tensor:
    """one × other; written to `out` as well, and there summed over points that share one z."""
    if out.shape == one.shape:
        return torch.mul(one, other, out=out)
    result = one * other
    out.copy_(result.sum_to_size(out.shape))
    return result


def product(derivatives: Sequence[Tensor], factors: Sequence[int]) -> Tensor:
    """The product of the coefficients at some positions."""
    result = derivatives[factors[0]]
    for factor in factors[1:]:
        result = result * derivatives[factor]
    return result


def add_product(total: Tensor | None, one: Tensor, other: Tensor, multiplicity: float = 1) -> Tensor:
    """total + multiplicity × one × other, in place where there is a total."""
    if total is not None:
        return total.addcmul_(one, other, value=multiplicity)
    return one * other if multiplicity == 1 else (one * other).mul_(multiplicity)
