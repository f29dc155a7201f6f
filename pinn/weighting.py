"""How residuals are scaled into one least-squares objective."""

from collections.abc import Mapping

from pinn.errors import InputError


class Fixed:
    """Constant weights: a residual with weight w at N points gives rows √(w/N) r_i, so that ½‖rows‖² = ½ w mean(r²).

    Args:
        weights: a weight for a constraint (`walls`) or for one residual of a system (`equation.continuity`); what is
            not named has weight 1, and the closer name wins.

    Raises:
        InputError: a weight that is not a positive number.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.weights = dict(weights or {})
        for name, weight in self.weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
                raise InputError(f"the weight of {name!r} must be a positive number; it was given {weight!r}.")

    def check(self, rows: list[str]) -> None:
        """Raise InputError for a weight whose name is neither a constraint nor a residual among `rows`."""
        known = {*rows, *(row.split(".")[0] for row in rows)}
        if unknown := set(self.weights) - known:
            raise InputError(f"weights name {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")

    def scale(self, row: str, count: int) -> float:
        """Return √(w/N) for a residual at `count` points."""
        weight = self.weights.get(row, self.weights.get(row.split(".")[0], 1.0))
        return (weight / count) ** 0.5
