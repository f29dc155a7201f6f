"""Marching in time: one network for each slab, trained one after another, evaluated as one."""

from typing import cast

import torch
from torch import Tensor, nn

from pinn.errors import InputError
from pinn.networks.in_slabs import InSlabs
from pinn.networks.refined import Refined


class Slabs(InSlabs):
    """u(x, t) = u_k(x, t) for t in the k-th of K equal slabs of time, each u_k a `Refined` network of its own.

    Over a long time everything has to be right at the start before anything can be right at the end; a slab is short,
    and what it starts from is known. A slab begins as the continuation of the one before: the same weights, with time
    shifted by one slab.

    Args:
        inputs: size of a point, each coordinate scaled to [-1, 1].
        outputs: number of fields.
        slabs: K.
        time: which input is time.
        width, depth, features, scale, activation: of every `Refined` network.

    Shape: (points, inputs) to (points, outputs).

    Raises:
        InputError: fewer than one slab, an input that does not exist, or what `Refined` refuses.
    """

    grows = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        slabs: int,
        time: int,
        width: int = 14,
        depth: int = 4,
        features: int = 1500,
        scale: float = 1.0,
        activation: str = "tanh",
    ) -> None:
        # The arguments of `Refined` are spelled out so that a configuration which misspells one is told what there is.
        super().__init__()
        if isinstance(slabs, bool) or not isinstance(slabs, int) or slabs < 1:
            raise InputError(f"Slabs: slabs must be a whole number of at least 1; it was given {slabs!r}.")
        if isinstance(time, bool) or not isinstance(time, int) or not 0 <= time < inputs:
            raise InputError(f"Slabs: time must be the number of an input, 0 to {inputs - 1}; it was given {time!r}.")
        self.time = time
        self.networks = nn.ModuleList(
            Refined(inputs, outputs, width, depth, features, scale, activation) for _ in range(slabs)
        )
        self.stretch: Tensor
        self.shifts: Tensor
        is_time = torch.nn.functional.one_hot(torch.tensor(time), inputs).double()
        self.register_buffer("stretch", 1 + (slabs - 1) * is_time)
        self.register_buffer("shifts", torch.stack([(slabs - 1 - 2 * slab) * is_time for slab in range(slabs)]))

    def __len__(self) -> int:
        return len(self.networks)

    def interval(self, slab: int) -> tuple[float, float]:
        """Return where a slab begins and ends, in the time that runs from -1 to 1."""
        return 2 * slab / len(self) - 1, 2 * (slab + 1) / len(self) - 1

    @property
    def is_whole(self) -> bool:
        """Whether the slab that is looked at is the last one."""
        return self.active in (None, len(self) - 1)

    def train_part(self, part: str | None, slab: int | None) -> None:
        """Choose the slab that is trained and evaluated alone, and its part; None for all of them together."""
        if (part is None) != (slab is None) or (slab is not None and not 0 <= slab < len(self)):
            raise InputError(
                f"a stage over slabs names its part and its slab, 0 to {len(self) - 1}; this one has part {part!r} and "
                f"slab {slab!r}."
            )
        self.active = slab
        for index, network in enumerate(self._refined()):
            network.select(part if index == slab else None)
            if slab is not None and index != slab:
                network.requires_grad_(False)

    def _refined(self) -> list[Refined]:
        return [cast(Refined, network) for network in self.networks]

    @torch.no_grad()
    def continue_into(self, slab: int) -> None:
        """Let the trunk of a slab begin as that of the slab before, t' → t' + 2: an interval of length 2 ahead."""
        before, after = self._refined()[slab - 1 : slab + 1]
        after.trunk.load_state_dict(before.trunk.state_dict())
        first = cast(nn.Linear, after.trunk.layers[0])
        first.bias.add_(2 * first.weight[:, self.time])

    def evaluate(self, slab: int, x: Tensor) -> Tensor:
        """Evaluate the network of one slab, also outside of it."""
        fields: Tensor = self.networks[slab](x * self.stretch + self.shifts[slab])
        return fields

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the fields; an instant between two slabs belongs to the later one."""
        if self.active is not None:
            return self.evaluate(self.active, x)
        ends = torch.arange(1, len(self), dtype=x.dtype, device=x.device) * (2 / len(self)) - 1
        slab_of = torch.bucketize(x[:, self.time].contiguous(), ends, right=True)
        places = [torch.nonzero(slab_of == slab).squeeze(1) for slab in range(len(self))]
        fields = torch.cat([self.evaluate(slab, x[place]) for slab, place in enumerate(places)])
        return fields[torch.argsort(torch.cat(places))]
