"""Captured graphs in the hands of Inductor, which writes fused C++ or Triton kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.utils._pytree import tree_map_only

from pinn.compilation.capture import simplify
from pinn.compilation.writes import without_writes

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
"""What says nothing about whether a graph can be made."""


def compiled(graph: GraphModule, cuda_graphs: bool) -> Callable[..., Any]:
    """Return a captured graph as kernels of Inductor; call it under `torch.no_grad()`, its gradients are inside.

    Args:
        graph: what `capture` returned; it is changed.
        cuda_graphs: whether the kernels are started by a CUDA graph: a GPU waits for the CPU at each of a thousand
            small kernels, and these are started all at once.
    """
    without_writes(graph.graph)
    simplify(graph.graph)
    graph.recompile()
    # The kernels are kept on disk by Inductor, in TORCHINDUCTOR_CACHE_DIR or else below the folder for temporary files.
    options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": cuda_graphs}
    kernels = torch.compile(graph, fullgraph=True, dynamic=False, options=options)
    return _with_results_of_their_own(kernels) if cuda_graphs else kernels


def _with_results_of_their_own(kernels: Callable[..., Any]) -> Callable[..., Any]:
    """Return kernels whose results stay: a CUDA graph writes those of each call where it wrote those of the last."""

    def call(*inputs: Any) -> Any:
        return tree_map_only(Tensor, torch.clone, kernels(*inputs))

    return call


def reason(error: Exception) -> str:
    """Return in a line why something could not be captured or compiled."""
    return " ".join(str(error).split("Set TORCHDYNAMO_VERBOSE")[0].split())[:200] or type(error).__name__
