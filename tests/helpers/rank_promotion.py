"""Refuses the field's most common silent bug: (points, 1) with (points,) gives (points, points)."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class RankPromotionError(RuntimeError):
    """Operands of different rank were spread over each other."""


class RefuseRankPromotion(TorchDispatchMode):
    """While active, raises where an operation element by element repeats operands of different rank over each other.

    That is, where their ranks differ and the result has more entries than any of them: then every entry of one has met
    several of the other, which no residual ever wants. Numbers, 0-dimensional tensors, and what networks broadcast
    (a bias or a scale, spread over points) leave the largest operand as large as it was, and pass. Code that does want
    all pairs says so by operands of equal rank, (n, 1) with (1, m).
    """

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if torch.Tag.pointwise in function.tags and isinstance(result, Tensor):
            operands = [argument for argument in args if isinstance(argument, Tensor)]
            if len({operand.ndim for operand in operands}) > 1 and all(o.numel() < result.numel() for o in operands):
                shapes = " with ".join(str(tuple(operand.shape)) for operand in operands)
                raise RankPromotionError(f"{function}: {shapes} gives {tuple(result.shape)}")
        return result
