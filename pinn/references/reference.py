"""What a computed solution is compared with."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from pinn.domains import Box, Points
from pinn.theirs import in_their_code

Solution = Callable[..., dict[str, Tensor]]


def relative_errors(fields: Points, exact: Points) -> Points:
    """Return ‖u - u_ref‖₂ / ‖u_ref‖₂ for each field that has a reference, of shape () each.

    A field whose reference is zero is measured against all fields together. Where all of them are zero, the error is
    the root of its mean square. Points at which the reference of a field is not finite are left out of that field.

    Args:
        fields: by name, of equal shape.
        exact: references of some of them.
    """
    if not exact:
        return {}
    norm = torch.linalg.vector_norm
    known = {name: torch.isfinite(values) for name, values in exact.items()}
    sizes = {name: norm(torch.where(known[name], values, 0)) for name, values in exact.items()}
    together = norm(torch.stack(list(sizes.values())))
    errors: Points = {}
    for name, size in sizes.items():
        difference = norm(torch.where(known[name], fields[name] - exact[name], 0))
        count = known[name].sum().to(size.dtype)
        # A reference may be zero to round-off only, as sin πx is at whole x.
        is_zero = size <= torch.finfo(size.dtype).eps * together
        whole = torch.where(together > 0, together, count.sqrt())
        errors[name] = difference / torch.where(is_zero, whole, size)
    return errors


class Reference(ABC):
    """A solution that can be evaluated at any points, with a bound on its own relative L2 error.

    No error of a network is claimed below `error`.
    """

    kind: str
    """`exact` or the name of the classical method that computed it."""

    @property
    @abstractmethod
    def error(self) -> float:
        """Relative L2 error of the reference itself, in its worst field."""

    @abstractmethod
    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Return every field at the points whose coordinates, each (points,), are given by name."""


class Exact(Reference):
    """A closed form or a quadrature, evaluated in torch so that it can be differentiated.

    Args:
        solution: takes the coordinates by name and returns the fields by name.
        error: its relative L2 error; the default is the round-off of float64 arithmetic.
    """

    kind = "exact"

    def __init__(self, solution: Solution, error: float = 1e-15) -> None:
        self.solution, self._error = solution, error

    @property
    def error(self) -> float:
        """What the constructor was given."""
        return self._error

    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Evaluate the solution."""
        with in_their_code("the exact solution cannot be evaluated"):
            return self.solution(**coordinates)


class Computed(Reference):
    """What a classical method finds at two resolutions: the fine one is the solution, their difference its error.

    That is rather the error of the coarse one, hence too large for the fine one. Each is computed when it is first
    needed, on the CPU and in float64.

    Args:
        kind: name of the method.
        solve: takes a resolution and returns the solution as `Exact` has it, for all fields or some.
        fine: the resolution of the solution.
        coarse: another one, about half as costly; no choice of the method may be common to both by design.
        box: where the two are compared, at 2,000 scattered points.
    """

    def __init__(self, kind: str, solve: Callable[[int], Solution], fine: int, coarse: int, box: Box) -> None:
        self.kind, self.solve, self.fine, self.coarse, self.box = kind, solve, fine, coarse, box

    @cached_property
    def solution(self) -> Solution:
        """The solution at the fine resolution."""
        return self.solve(self.fine)

    @cached_property
    def error(self) -> float:
        """‖u_coarse - u_fine‖₂ / ‖u_fine‖₂ of the worst field."""
        unit = SobolEngine(len(self.box.coordinates), scramble=True, seed=0).draw(2000, dtype=torch.float64)
        with torch.no_grad():
            points = self.box.interior.points(unit)
            fine, coarse = self.solution(**points), self.solve(self.coarse)(**points)
        return max(error.item() for error in relative_errors(coarse, fine).values())

    def __call__(self, **coordinates: Tensor) -> dict[str, Tensor]:
        """Evaluate the solution, in the precision and on the device of the coordinates."""
        like = next(iter(coordinates.values()))
        fields = self.solution(**{name: values.to("cpu", torch.float64) for name, values in coordinates.items()})
        return {name: values.to(like) for name, values in fields.items()}
