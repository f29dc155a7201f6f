"""Captured graphs in the hands of Inductor, which writes fused C++ or Triton kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule

from pinn.compilation.capture import simplify
from pinn.compilation.writes import without_writes

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
"""What says nothing about whether a graph can be made."""


def compiled(graph: GraphModule, device: torch.device) -> Callable[..., Any]:
    """Return a captured graph as kernels of Inductor; call it under `torch.no_grad()`, its gradients are inside."""
    without_writes(graph.graph)
    simplify(graph.graph)
    graph.recompile()
    # The kernels are kept on disk by Inductor, in TORCHINDUCTOR_CACHE_DIR or else below the folder for temporary files.
    # A GPU waits for the CPU at each of a thousand small kernels; a CUDA graph starts them all at once.
    options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": device.type == "cuda"}
    return torch.compile(graph, fullgraph=True, dynamic=False, options=options)


def reason(error: Exception) -> str:
    """Return in a line why something could not be captured or compiled."""
    return " ".join(str(error).split("Set TORCHDYNAMO_VERBOSE")[0].split())[:200] or type(error).__name__
