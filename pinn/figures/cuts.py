"""Which lines and planes of a mesh grid are drawn: paper has two dimensions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from pinn.figures.style import Array, array, label

TIME = "t"


@dataclass(frozen=True)
class Cut:
    """The part of a mesh grid on which some coordinates are held at one node each.

    Called with a tensor on the whole grid, it returns the array on the cut. Coordinates are cut like fields, so every
    value stays with its own coordinates and no order of axes has to be remembered.
    """

    axes: Mapping[str, Array]
    """The free coordinates on the cut, the horizontal one first."""
    held: Mapping[str, float]
    """The values of the held coordinates."""
    index: tuple[int | slice, ...]
    """For each coordinate of the grid the held node, or all nodes."""

    def __call__(self, values: Tensor) -> Array:
        """Return the values on the cut, one axis for each free coordinate, in the order of the grid."""
        return array(values[self.index])

    def caption(self, *what: str) -> str:
        """Typeset what is drawn and where: `u` becomes `u, t = 0.5, z = 0`."""
        return ", ".join([*what, *(f"{label(name)} = {value:.3g}" for name, value in self.held.items())])


def cuts(coordinates: Mapping[str, Tensor]) -> list[Cut]:
    """Choose what to draw of fields on a mesh grid of d coordinates, each of shape (n₁, …, n_d).

    One or two coordinates: all of it, with time on the horizontal axis. More: the plane of the first two space
    coordinates through the middle node of every other one; if time is among these, at its start, middle and end.
    """
    names = tuple(coordinates)
    if len(names) < 3:
        return [cut(coordinates, sorted(names, key=lambda name: name != TIME), {})]
    plane = [name for name in names if name != TIME][:2]
    sizes = dict(zip(names, coordinates[names[0]].shape, strict=True))
    middle = {name: size // 2 for name, size in sizes.items() if name not in plane}
    if TIME not in middle:
        return [cut(coordinates, plane, middle)]
    return [cut(coordinates, plane, {**middle, TIME: node}) for node in (0, middle[TIME], sizes[TIME] - 1)]


def cut(coordinates: Mapping[str, Tensor], axes: Sequence[str], nodes: Mapping[str, int]) -> Cut:
    """Hold the coordinates of `nodes` at these nodes; those named by `axes`, horizontal first, stay free."""
    index = tuple(nodes.get(name, slice(None)) for name in coordinates)
    free = {name: array(coordinates[name][index]) for name in axes}
    return Cut(free, {name: float(coordinates[name][index].flatten()[0]) for name in nodes}, index)
