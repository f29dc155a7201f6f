"""The combinatorics of the chain and product rules for slots; see `pinn.derivatives.linked` for what these are."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pinn.derivatives.linked import Index, Slot


class Term(NamedTuple):
    """multiplicity × the product of the coefficients in the slots at the positions `factors`."""

    multiplicity: int
    factors: tuple[int, ...]


class Rule(NamedTuple):
    """One summand f⁽ᵏ⁾(z) P(∂z) of the chain rule: the row of the result that it belongs to, and k."""

    row: int
    order: int


class ChainRule(NamedTuple):
    """∂^α f(z) = f'(z) ∂^α z + Σ f⁽ᵏ⁾(z) P(∂z), the sum being over the rules whose row is that of α.

    Attributes:
        wanted: for each row of the result, the position of its slot.
        order: the highest derivative of f that occurs.
        rules: the summands with k ≥ 2.
        terms: for every slot, the terms of polynomials P in which it is the last: number of the rule, and term.
        partials: for every slot, the terms of the derivatives of polynomials by its coefficient, in the same form.
    """

    wanted: tuple[int, ...]
    order: int
    rules: tuple[Rule, ...]
    terms: tuple[tuple[tuple[int, Term], ...], ...]
    partials: tuple[tuple[tuple[int, Term], ...], ...]


def downward_closed(indices: Iterable[Index]) -> frozenset[Index]:
    """All non-empty multi-indices below the given ones: what the chain rule needs in order to find these."""
    found: set[Index] = set()
    pending = list(indices)
    while pending:
        index = pending.pop()
        if index and index not in found:
            found.add(index)
            pending += [index[:i] + index[i + 1 :] for i in range(len(index))]
    return frozenset(found)


@lru_cache(maxsize=64)
def chain_rule(slots: tuple[Slot, ...], wanted: tuple[int, ...]) -> ChainRule:
    """Faà di Bruno: ∂^α f(z) = Σ_k f⁽ᵏ⁾(z) P_{α,k}, where P_{α,k} sums ∏ ∂^B z over the partitions of α into k blocks
    B.

    Args:
        slots: the derivatives of z that are known.
        wanted: the positions of those that are wanted of f(z).

    Source: Constantine and Savits, A multivariate Faà di Bruno formula with applications (1996).
    """
    position = _positions(slots)
    rules: list[Rule] = []
    terms: list[list[tuple[int, Term]]] = [[] for _ in slots]
    partials: list[list[tuple[int, Term]]] = [[] for _ in slots]
    for row, at in enumerate(wanted):
        counts: Counter[tuple[int, ...]] = Counter()
        for index in slots[at]:
            counts.update(
                tuple(sorted(position[b] for b in blocks)) for blocks in _partitions(index) if len(blocks) > 1
            )
        number = {order: len(rules) + n for n, order in enumerate(sorted({len(factors) for factors in counts}))}
        rules += [Rule(row, order) for order in number]
        for factors, multiplicity in counts.items():
            terms[factors[-1]].append((number[len(factors)], Term(multiplicity, factors)))
            for variable, power in Counter(factors).items():
                others = list(factors)
                others.remove(variable)
                partials[variable].append((number[len(factors)], Term(multiplicity * power, tuple(others))))
    order = max((rule.order for rule in rules), default=1)
    return ChainRule(wanted, order, tuple(rules), tuple(map(tuple, terms)), tuple(map(tuple, partials)))


@lru_cache(maxsize=64)
def product_rule(slots: tuple[Slot, ...]) -> tuple[tuple[int, Term], ...]:
    """Leibniz: ∂^α(ab) = a ∂^α b + b ∂^α a + Σ ∂^β a ∂^{α-β} b over the proper splittings of α.

    Returns:
        The terms of that last sum, each with the position of its slot; its factors are the positions of ∂^β a and
        ∂^{α-β} b.
    """
    position = _positions(slots)
    rules: list[tuple[int, Term]] = []
    for at, slot in enumerate(slots):
        counts: Counter[tuple[int, ...]] = Counter()
        for index in slot:
            counts.update((position[a], position[b]) for a, b in _splittings(index) if a and b)
        rules += [(at, Term(n, factors)) for factors, n in counts.items()]
    return tuple(rules)


def _positions(slots: tuple[Slot, ...]) -> dict[Index, int]:
    return {slot[0]: position for position, slot in enumerate(slots) if len(slot) == 1}


def _partitions(index: Index) -> Iterator[list[Index]]:
    """All partitions of the entries of an index, told apart by position, into blocks."""
    if not index:
        yield []
        return
    for chosen, others in _splittings(index[1:]):
        for blocks in _partitions(others):
            yield [index[:1] + chosen, *blocks]


def _splittings(index: Index) -> Iterator[tuple[Index, Index]]:
    """All ways to deal the entries of an index, told apart by position, to two."""
    if not index:
        yield (), ()
        return
    for left, right in _splittings(index[1:]):
        yield index[:1] + left, right
        yield left, index[:1] + right
