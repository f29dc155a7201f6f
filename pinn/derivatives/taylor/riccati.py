"""The chain rule to second order for functions such as tanh, y' = a(y) = c + b y + q y², with fewer operations.

There f'' = a r with r = b + 2 q y, so that every derivative of y is a × (∂^α z + r P) with P quadratic in the first
ones. And since ∂a/∂z = r a and ∂r/∂z = 2 q a, the gradient of such a derivative by z is r × itself + 2 q a × a P:
neither f''' occurs in it nor z.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from pinn.derivatives.taylor.indices import ChainRule
from pinn.derivatives.taylor.kernels import add_product, gather, multiply


class Riccati(NamedTuple):
    """y' = c + b y + q y² with q ≠ 0."""

    c: float
    b: float
    q: float

    def slope(self, y: Tensor) -> Tensor:
        """y'."""
        return torch.addcmul(y.new_full((), self.c), y, y + self.b / self.q if self.b else y, value=self.q)

    def derivatives(self, y: Tensor) -> Iterator[Tensor]:
        """y', y'', ...; by the product rule y⁽ᵏ⁺¹⁾ = b y⁽ᵏ⁾ + q Σ_j binom(k, j) y⁽ʲ⁾ y⁽ᵏ⁻ʲ⁾."""
        known = [y, self.slope(y)]
        yield known[1]
        for k in count(1):
            following = self.b * known[k] if self.b else y.new_zeros(())
            for j in range(k // 2 + 1):
                weight = self.q * comb(k, j) * (1 if 2 * j == k else 2)
                following = torch.addcmul(following, known[j], known[k - j], value=weight)
            known.append(following)
            yield following

    def push_forward(
        self, y: Tensor, derivatives: Sequence[Tensor], polynomials: Sequence[Tensor], chain: ChainRule
    ) -> Tensor:
        """The derivatives of y, as `kernels.push_forward` gives them, for a chain rule of order 2."""
        a, half_r = self.slope(y), self._half_r(y)
        result = y.new_empty(len(chain.wanted), *y.shape)
        rows = result.unbind(0)
        inner = [derivatives[slot] for slot in chain.wanted]
        # Memory that is written for the first time costs more than arithmetic: what can be, is computed in place.
        for (at, _), polynomial in zip(chain.rules, polynomials, strict=True):
            inner[at] = torch.addcmul(inner[at], half_r, polynomial, value=2 * self.q, out=rows[at])
        for factor, row in zip(inner, rows, strict=True):
            torch.mul(a, factor, out=row)
        return result

    def pull_back(
        self,
        y: Tensor,
        results: Sequence[Tensor],
        derivatives: Sequence[Tensor],
        polynomials: Sequence[Tensor],
        gradient: Tensor | None,
        gradients: Sequence[Tensor],
        chain: ChainRule,
        to_derivatives: Sequence[Tensor],
    ) -> Tensor:
        """The gradients by z and by its derivatives, as `kernels.pull_back` gives them, for a chain rule of order 2.

        Args:
            y: f(z).
            results: the derivatives of y that `push_forward` returned.
            derivatives: as in `kernels.pull_back`, and so are the others.
        """
        a, half_r, scale = self.slope(y), self._half_r(y), 2 * self.q
        by_slot = dict(zip(chain.wanted, gradients, strict=True))
        to_value = torch.zeros_like(y) if gradient is None else gradient
        weights = []
        for (row, _), polynomial in zip(chain.rules, polynomials, strict=True):
            # A derivative of second order is in no polynomial of such a chain rule: its gradient is complete.
            slot = chain.wanted[row]
            by_factor = multiply(a, by_slot.pop(slot), to_derivatives[slot])
            weights.append((half_r * by_factor).sum_to_size(to_derivatives[slot].shape))
            to_value = torch.addcmul(to_value, by_factor, polynomial, value=scale)
        to_value = to_value.mul_(a) if weights else a * to_value
        for slot, out in enumerate(to_derivatives):
            if slot in by_slot or slot not in chain.wanted:
                gather(out, a, by_slot.get(slot), chain.partials[slot], weights, derivatives, scale)
        # The derivatives of y are a × (...), and ∂a/∂z = r a: through a they add r × themselves.
        through_a = None
        for given, result in zip(gradients, results, strict=True):
            through_a = add_product(through_a, given, result)
        return to_value if through_a is None else to_value.addcmul_(through_a, half_r, value=scale)

    def _half_r(self, y: Tensor) -> Tensor:
        """r / 2q = y + b / 2q, which is y itself for tanh: its factor 2q rides along with products."""
        return y + self.b / (2 * self.q) if self.b else y
