"""A residual and where it must vanish."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from pinn.domains import Region
from pinn.errors import InputError

Residual = Callable[..., Tensor | Mapping[str, Tensor]]


@dataclass(frozen=True)
class Constraint:
    """A residual that must vanish on a region.

    The arguments of `residual` are bound by their names to coordinates, fields, components of the outward normal
    (`n_x`) and, on periodic regions, fields at the image point (`u_image`); `**x` takes all the coordinates that are
    not named, however many there are. It returns one tensor of shape (points,), or a dict of several by name.
    """

    region: Region
    residual: Residual

    def check(self, name: str) -> None:
        """Raise InputError, under this name, unless there is a region and a function whose arguments can be bound."""
        if not isinstance(self.region, Region):
            raise InputError(
                f"{name} needs a region first, as self.domain.interior or self.domain.boundary(); it was given "
                f"{self.region!r}."
            )
        if not callable(self.residual):
            raise InputError(f"{name} needs a function that returns its residual; it was given {self.residual!r}.")
        try:
            inspect.signature(self.residual)
        except ValueError as error:
            raise InputError(
                f"{name}: {self.residual!r} names no arguments; write a function or a lambda of fields and coordinates."
            ) from error
