"""What coefficients of a problem may be."""

from pinn.errors import InputError


def whole(**values: int) -> None:
    """Raise InputError unless each named value is a whole number of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} must be a whole number of at least 1; it was given {value!r}.")
