"""What a file may cost that is not trusted: a few words in it could ask for a network of any size."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pinn.errors import InputError, is_out_of_memory

FREE_BYTES, FREE_TENSORS, FREE_SIZE = 2**30, 100_000, 1_000_000
"""What may be made from any file, and the largest whole number that a network may be given."""
TOO_LARGE = "its problem and its network are far larger than what the file holds."
TIMES = 100
"""How many times as much as a file holds may be made from it: drawing random features takes a dozen."""


class NoMoreThan(TorchDispatchMode):
    """Ends what makes far more tensors, or larger ones, than a file holds, before their memory is touched.

    Args:
        held: the tensors of the file.
        recipe: of the network, whose sizes can be no larger than the number of numbers that the file holds.

    Raises:
        InputError: at once, or while it is active.
    """

    def __init__(self, held: Iterable[Tensor], recipe: Any) -> None:
        super().__init__()
        tensors = list(held)
        self.bytes = FREE_BYTES + TIMES * sum(tensor.nbytes for tensor in tensors)
        self.tensors = FREE_TENSORS + TIMES * len(tensors)
        self._require_sizes(recipe, max(FREE_SIZE, sum(tensor.numel() for tensor in tensors)))

    def _require_sizes(self, value: Any, most: int) -> None:
        if isinstance(value, int) and value > most:
            raise InputError(f"its network has a size of {value}, far more than the file holds.")
        if isinstance(value, Mapping | list | tuple):
            for item in value.values() if isinstance(value, Mapping) else value:
                self._require_sizes(item, most)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        try:
            result = function(*args, **(kwargs or {}))
        except RuntimeError as error:
            # One tensor alone may be more than this machine has.
            if is_out_of_memory(error):
                raise InputError(TOO_LARGE) from error
            raise
        if isinstance(result, Tensor):
            self.bytes -= result.nbytes
            self.tensors -= 1
        if self.bytes < 0 or self.tensors < 0:
            raise InputError(TOO_LARGE)
        return result
