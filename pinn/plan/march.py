"""The network and the stage of a march in time."""

from collections.abc import Callable
from functools import partial

from torch import nn

from pinn.networks import Marched
from pinn.optimizers import March
from pinn.optimizers.march import ROWS_PER_UNKNOWN
from pinn.training import Stage

MOST_SINES = 60
"""Of a slab. With 40 there are a third more slabs, and with 80 a tenth fewer, which take as long."""
MARCH = Stage(March, steps=5000, resample=0, block=5, part="slab")
"""A step is a trial of a slab."""


def marched(rows: int) -> Callable[..., nn.Module]:
    """Return what makes a network for so many rows of each field: as many sines as these determine."""
    return partial(Marched, features=min(max(1, rows // ROWS_PER_UNKNOWN - 2), MOST_SINES))
