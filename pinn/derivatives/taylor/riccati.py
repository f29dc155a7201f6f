"""The chain rule to second order for functions such as tanh, y' = a(y) = c + b y + q y², with fewer operations.

There f'' = a r with r = b + 2 q y, so that every derivative is a × (∂^α z + r P) with P quadratic in the first ones.
And since a and r are functions of y, with ∂a/∂y = r and ∂r/∂y = 2 q, the gradient by z is a × the gradient by y: f'''
does not occur.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from pinn.derivatives.taylor.indices import ChainRule
from pinn.derivatives.taylor.kernels import add_product, gather, room, settle


class Riccati(NamedTuple):
    """y' = c + b y + q y² with q ≠ 0."""

    c: float
    b: float
    q: float

    def derivatives(self, y: Tensor) -> Iterator[Tensor]:
        """y', y'', ...; by the product rule y⁽ᵏ⁺¹⁾ = b y⁽ᵏ⁾ + q Σ_j binom(k, j) y⁽ʲ⁾ y⁽ᵏ⁻ʲ⁾."""
        known = [y]
        for k in count():
            following = self.b * known[k] if self.b else y.new_full((), 0.0 if k else self.c)
            for j in range(k // 2 + 1):
                weight = self.q * comb(k, j) * (1 if 2 * j == k else 2)
                following = torch.addcmul(following, known[j], known[k - j], value=weight)
            known.append(following)
            yield following

    def push_forward(self, y: Tensor, derivatives: Tensor, polynomials: Sequence[Tensor], chain: ChainRule) -> Tensor:
        """The derivatives of y, as `kernels.push_forward` gives them, for a chain rule of order 2."""
        a, half_r = next(self.derivatives(y)), self._half_r(y)
        result = y.new_empty(len(chain.wanted), *y.shape)
        inner = [derivatives[slot] for slot in chain.wanted]
        # Memory that is written for the first time costs more than arithmetic: what can be, is computed in place.
        for (row, _), polynomial in zip(chain.rules, polynomials, strict=True):
            inner[row] = torch.addcmul(inner[row], half_r, polynomial, value=2 * self.q, out=result[row])
        for given, out in zip(inner, result, strict=True):
            torch.mul(a, given, out=out)
        return result

    def pull_back(
        self,
        y: Tensor,
        derivatives: Tensor,
        polynomials: Sequence[Tensor],
        gradient: Tensor | None,
        gradients: Tensor,
        chain: ChainRule,
    ) -> tuple[Tensor, Tensor]:
        """The gradients by z and by its derivatives, as `kernels.pull_back` gives them, for a chain rule of order 2."""
        a, half_r, scale = next(self.derivatives(y)), self._half_r(y), 2 * self.q
        to_derivatives = torch.empty_like(derivatives)
        by_y, by_a, weights = gradient, None, []
        nothing = y.new_zeros(())
        for (row, _), polynomial in zip(chain.rules, polynomials, strict=True):
            slot = chain.wanted[row]
            # A derivative of second order is in no polynomial of such a chain rule.
            by_factor = torch.mul(a, gradients[row], out=room(to_derivatives[slot], a))
            settle(to_derivatives[slot], by_factor)
            inner = torch.addcmul(derivatives[slot], half_r, polynomial, value=scale).mul_(gradients[row])
            by_a = inner if by_a is None else by_a.add_(inner)
            by_y = torch.addcmul(nothing if by_y is None else by_y, by_factor, polynomial, value=scale)
            weights.append(torch.addcmul(nothing, half_r, by_factor, value=scale))
        by_slot = dict(zip(chain.wanted, gradients, strict=True))
        done = {chain.wanted[row] for row, _ in chain.rules}
        for slot, (given, out) in enumerate(zip(derivatives, to_derivatives, strict=True)):
            if slot not in done:
                weight = by_slot.get(slot)
                if weight is not None:
                    by_a = add_product(by_a, weight, given)
                gather(out, a, weight, chain, slot, weights, derivatives)
        if by_a is None:
            return torch.zeros_like(y) if by_y is None else by_y * a, to_derivatives
        by_y = nothing if by_y is None else by_y
        return torch.addcmul(by_y, by_a, half_r, value=scale).mul_(a), to_derivatives

    def _half_r(self, y: Tensor) -> Tensor:
        """r / 2q = y + b / 2q, which is y itself for tanh: its factor 2q rides along with products."""
        return y + self.b / (2 * self.q) if self.b else y
