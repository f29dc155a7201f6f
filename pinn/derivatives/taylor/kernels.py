"""The chain rule and its backward pass on plain tensors, slot by slot: each is read and written while in cache."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn.derivatives.taylor.indices import ChainRule


def polynomials_of(derivatives: Tensor, chain: ChainRule) -> list[Tensor]:
    """P_{α,k} with k ≥ 2 for all rules of the chain rule, of the shape of one of the derivatives ∂^α z."""
    found: list[Tensor | None] = [None] * len(chain.rules)
    for given, terms in zip(derivatives, chain.terms, strict=True):
        for number, (multiplicity, (*factors, _)) in terms:
            found[number] = add_product(found[number], product(derivatives, factors), given, multiplicity)
    return [polynomial for polynomial in found if polynomial is not None]


def push_forward(
    slopes: Sequence[Tensor], derivatives: Tensor, polynomials: Sequence[Tensor], chain: ChainRule
) -> Tensor:
    """∂^α f(z) = Σ_k f⁽ᵏ⁾(z) P_{α,k}.

    Args:
        slopes: f'(z), f''(z), ... up to the order of the chain rule, of shape (points, ...).
        derivatives: ∂^α z, of shape (slots, points or 1, ...).
        polynomials: P_{α,k} with k ≥ 2, one for each rule.
        chain: the chain rule for these slots.

    Returns:
        The wanted derivatives, of shape (wanted, points, ...).
    """
    result = slopes[0].new_empty(len(chain.wanted), *slopes[0].shape)
    for slot, out in zip(chain.wanted, result, strict=True):
        torch.mul(slopes[0], derivatives[slot], out=out)
    for (row, order), polynomial in zip(chain.rules, polynomials, strict=True):
        result[row].addcmul_(slopes[order - 1], polynomial)
    return result


def pull_back(
    slopes: Sequence[Tensor],
    derivatives: Tensor,
    polynomials: Sequence[Tensor],
    gradient: Tensor | None,
    gradients: Tensor,
    chain: ChainRule,
) -> tuple[Tensor, Tensor]:
    """The gradients by z and by its derivatives.

    Args:
        slopes: of f, one order further than in the forward pass.
        derivatives: as in the forward pass.
        polynomials: as in the forward pass.
        gradient: by f(z), if there is one.
        gradients: by the wanted derivatives of f(z), of shape (wanted, points, ...).
        chain: the chain rule for these slots.
    """
    # What f⁽ᵏ⁾ was multiplied by, for k from 1: by the chain rule it passes f⁽ᵏ⁺¹⁾ × that on to z.
    by_slopes: list[Tensor | None] = [None] * chain.order
    weights = []
    for (row, order), polynomial in zip(chain.rules, polynomials, strict=True):
        by_slopes[order - 1] = add_product(by_slopes[order - 1], gradients[row], polynomial)
        weights.append(slopes[order - 1] * gradients[row])
    to_derivatives = torch.empty_like(derivatives)
    by_slot = dict(zip(chain.wanted, gradients, strict=True))
    for slot, (given, out) in enumerate(zip(derivatives, to_derivatives, strict=True)):
        weight = by_slot.get(slot)
        if weight is not None:
            by_slopes[0] = add_product(by_slopes[0], weight, given)
        gather(out, slopes[0], weight, chain, slot, weights, derivatives)
    to_value = torch.zeros_like(slopes[0]) if gradient is None else slopes[0] * gradient
    for slope, by_slope in zip(slopes[1:], by_slopes, strict=True):
        if by_slope is not None:
            to_value.addcmul_(slope, by_slope)
    return to_value, to_derivatives


def gather(
    out: Tensor,
    slope: Tensor,
    gradient: Tensor | None,
    chain: ChainRule,
    slot: int,
    weights: Sequence[Tensor],
    derivatives: Tensor,
) -> None:
    """Write slope × gradient + Σ weight × ∂P/∂z over all polynomials P to `out`, summed over points that share one z.

    Without a gradient, as for a slot that was not wanted, the polynomials are all there is.
    """
    total = None if gradient is None else torch.mul(slope, gradient, out=room(out, slope))
    for number, (multiplicity, factors) in chain.partials[slot]:
        factor = product(derivatives, factors)
        if total is None:
            nothing = slope.new_zeros(())
            total = torch.addcmul(nothing, weights[number], factor, value=multiplicity, out=room(out, slope))
        else:
            total.addcmul_(weights[number], factor, value=multiplicity)
    if total is None:
        out.zero_()
    else:
        settle(out, total)


def room(out: Tensor, like: Tensor) -> Tensor | None:
    """`out`, if it has room for one derivative at each point; None if all points share one."""
    return out if out.shape == like.shape else None


def settle(out: Tensor, total: Tensor) -> None:
    """Write to `out` what is not there yet: the sum over points that share one z."""
    if out.shape != total.shape:
        out.copy_(total.sum_to_size(out.shape))


def product(derivatives: Tensor, factors: Sequence[int]) -> Tensor:
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
