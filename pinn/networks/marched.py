"""Polynomials of time and functions of space, slab after slab of time, sized on the way."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pinn.errors import InputError
from pinn.networks.in_slabs import InSlabs
from pinn.networks.series import Piece, chebyshev, piecewise_series, waves


class Marched(InSlabs):
    """u(x, t) = Σ_mp c_kmp φ_m(x) T_p(z) in the k-th slab of time, where z runs from -1 to 1.

    T_p are Chebyshev's polynomials. φ_m is a product over the coordinates of space, each of which runs from -1 to 1: of
    waves 1, cos πx, sin πx, cos 2πx, … where it is periodic, of T_0(x), T_1(x), … where it is not. Of time alone φ = 1.

    Slabs are found one after another. Where one ends and how many φ_m it has is known when it is found. The parameter
    `weights` holds c of the slab in progress. What is found goes into the buffers `known`, `edges` and `sizes`, so that
    a checkpoint has all of it. Behind the last slab that is known the fields stay as the one in progress has them.

    Args:
        inputs: size of a point, each coordinate scaled to [-1, 1].
        outputs: number of fields.
        degree: the largest p.
        time: which input is time.
        periodic: inputs that are periodic.
        slabs: how many there may be, at most.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: a degree or a number of slabs below 1, or an input that does not exist.
    """

    grows = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        degree: int = 16,
        time: int = 0,
        periodic: Collection[int] = (),
        slabs: int = 5000,
    ) -> None:
        super().__init__()
        for name, value, least in (("degree", degree, 1), ("slabs", slabs, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"Marched: {name} must be a whole number of at least {least}; it was given {value!r}.")
        for index in (time, *periodic):
            if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < inputs:
                raise InputError(f"Marched: the inputs are 0 to {inputs - 1}; it was given {index!r}.")
        self.outputs, self.degree, self.time = outputs, degree, time
        self.space = [index for index in range(inputs) if index != time]
        self.periodic = [index in periodic for index in self.space]
        """Whether each coordinate of space is."""
        self.known: Tensor
        self.edges: Tensor
        self.sizes: Tensor
        self.count: Tensor
        self.register_buffer("known", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("edges", torch.tensor([-1.0, *[1.0] * (slabs + 1)], dtype=torch.float64))
        self.register_buffer("sizes", torch.ones(slabs + 1, len(self.space), dtype=torch.long))
        self.register_buffer("count", torch.tensor(-1))
        self.weights = nn.Parameter(torch.zeros(outputs, degree + 1, dtype=torch.float64))
        """(outputs × φ, degree + 1)."""
        self.rates: tuple[Tensor, ...] = ()
        """Coefficients of ∂u/∂z, ∂²u/∂z², … of the slab in progress, where a method defines them itself."""

    def __len__(self) -> int:
        """Return how many slabs are known."""
        return max(0, int(self.count))

    @property
    def has_begun(self) -> bool:
        """Whether the first slab, at least, is in progress."""
        return int(self.count) >= 0

    @property
    def is_whole(self) -> bool:
        """Whether the slabs that are known reach the end of time."""
        return self.reached == 1.0

    @property
    def reached(self) -> float:
        """Up to where slabs are known, in the time that runs from -1 to 1."""
        return self.edges[len(self)].item()

    def size(self) -> int:
        """Return how many numbers there are in what is known."""
        return self.known.numel()

    @property
    def in_progress(self) -> int:
        """Which slab is being found; the last one, where all are known."""
        return len(self) - self.is_whole

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another slab."""
        return len(self) == len(self.sizes) - 1

    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""
        return self.edges[slab].item(), self.edges[slab + 1].item()

    def functions(self, slab: int) -> list[int]:
        """Return how many functions of each coordinate of space a slab has."""
        sizes: list[int] = self.sizes[slab].tolist()
        return sizes

    def train_part(self, part: str | None, slab: int | None) -> None:
        """Choose the slab in progress, which is the part `slab`; None for all together."""
        if slab is not None or part not in (None, "slab"):
            raise InputError(f"a stage over pinn.networks.Marched has the part `slab`; it was given {part!r}.")
        self.active = self.in_progress if part else None

    def coefficients(self, slab: int) -> Tensor:
        """Return c of a slab, (outputs, φ of each coordinate of space …, degree + 1), in the memory where they are."""
        found: Tensor = self.weights
        if slab < len(self):
            numbers = self.outputs * self.sizes[: slab + 1].prod(dim=1) * (self.degree + 1)
            found = self.known[numbers[:slab].sum() : numbers.sum()]
        return found.view(self.outputs, *self.functions(slab), self.degree + 1)

    def as_coefficients(self, weights: Tensor) -> Tensor:
        """Return what has the shape of `weights` in that of `coefficients`."""
        return weights.view(self.outputs, *self.functions(len(self)), self.degree + 1)

    def has_jets(self, slab: int | None) -> bool:
        """Whether jets go through the slab in progress while it is trained."""
        return not (slab is None or self.fixed or slab < len(self))

    @torch.no_grad()
    def begin(self, length: float, coefficients: Tensor) -> None:
        """Begin a slab, in the place of the one in progress.

        Args:
            length: in the time that runs from -1 to 1; what is beyond the end is cut off.
            coefficients: c, (outputs, φ of each coordinate of space …, degree + 1).
        """
        self.count.clamp_(min=0)
        self.edges[len(self) + 1 :] = 1.0
        self.edges[len(self) + 1].copy_(torch.clamp(self.edges[len(self)] + length, max=1.0))
        self.sizes[len(self)] = self.sizes.new_tensor(coefficients.shape[1:-1])
        self.weights.data = coefficients.flatten(0, -2).to(self.weights)

    @torch.no_grad()
    def accept(self) -> None:
        """Keep what was found for the slab in progress."""
        self.known = torch.cat([self.known, self.weights.flatten()])
        self.count += 1

    def evaluate(self, slab: int, x: Tensor) -> Tensor:
        """Evaluate the fields of one slab, also outside of it."""
        columns = [x[:, index : index + 1] for index in (*self.space, self.time)]
        if self.fixed or slab < len(self):
            return piecewise_series(torch.cat(columns, dim=1), [self._piece(slab)], [*self.periodic, False])
        start, end = self.interval(slab)
        z = (columns.pop() - (start + end) / 2) * (2 / (end - start))
        fields = nn.functional.linear(chebyshev(z, self.degree + 1), self.weights)
        for column, size, wraps in zip(columns, self.functions(slab), self.periodic, strict=True):
            functions = waves(column, size) if wraps else chebyshev(column, size)
            terms = fields.unflatten(1, (self.outputs, size, -1)) * functions[:, None, :, None]
            fields = terms.sum(dim=2).flatten(1)
        return fields

    def _piece(self, slab: int) -> Piece:
        rates = self.rates if slab == len(self) else ()
        return Piece(*self.interval(slab), self.coefficients(slab), rates)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields; an instant between two slabs belongs to the later one."""
        if self.active is not None:
            return self.evaluate(self.active, x)
        x = torch.cat([x[:, index : index + 1] for index in (*self.space, self.time)], dim=1)
        return piecewise_series(x, [self._piece(slab) for slab in range(self.in_progress + 1)], [*self.periodic, False])

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Take up slabs of whatever sizes."""
        for name in ("known", "weights"):
            if f"{prefix}{name}" in state_dict:
                mine = getattr(self, name)
                mine.data = mine.new_empty(state_dict[f"{prefix}{name}"].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def resized(coefficients: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the same fields with other numbers of functions of space, and in time: higher ones are left out or zero.

    Args:
        coefficients: (outputs, φ of each coordinate of space …, polynomials of time).
        sizes: how many of each are wanted.
    """
    found = coefficients.new_zeros(len(coefficients), *sizes)
    common = tuple(slice(min(have, want)) for have, want in zip(coefficients.shape[1:], sizes, strict=True))
    found[(slice(None), *common)] = coefficients[(slice(None), *common)]
    return found
