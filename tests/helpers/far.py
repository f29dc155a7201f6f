"""A device that is none, so that what a GPU would refuse fails on a machine without one.

Tensors of the device `far` are tensors like any other to torch: autograd runs their backward passes in a thread of its
own, views share memory, and nothing looks into them unless it asks for numbers. Their memory is that of the CPU, where
every operation is computed after its operands have been looked at. What CUDA refuses is refused: tensors of two devices
that meet, a generator of another device, an operation or a setting that has no kernel for CUDA.
"""

import ctypes
import re
from pathlib import Path
from typing import Any

import torch
import torchgen
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.dlpack import from_dlpack, to_dlpack

CPU, PRIVATE = 1, 12
"""Kinds of devices in DLPack, `kDLCPU` and `kDLExtDev`."""
TRANSFERS = ("aten::_copy_from", "aten::_copy_from_and_resize")
"""Operations that take numbers from one device to another."""
INDEXING = ("aten::index.Tensor", "aten::index.Tensor_out", "aten::_index_put_impl_")
"""Operations that bring indices to the device themselves."""


class FarError(RuntimeError):
    """A GPU would have refused this."""


class Generator(torch.Generator):
    """A generator of random numbers that remembers which device it was made for; its numbers come from the CPU."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = super().__new__(cls, "cpu")
        made.home = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()


class SameGenerator(TorchFunctionMode):
    """While active, refuses a generator of another device than that of the numbers which are asked of it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if isinstance(generator, Generator):
            tensors = [argument for argument in args if isinstance(argument, Tensor)]
            wanted = torch.device(kwargs.get("device") or (tensors[0].device if tensors else "cpu"))
            if wanted.type != generator.home.type:
                raise FarError(f"{function} on {wanted} was given a generator of {generator.home}")
        return function(*args, **kwargs)


def device() -> torch.device:
    """Return the device; the first call, which must come before any backward pass of the process, makes it.

    It stays until the process ends, as torch knows no way to take one back.
    """
    if not hasattr(torch, "far"):
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

        _setup_privateuseone_for_python_backend("far")
        library = torch.library.Library("_", "IMPL")
        library.fallback(_compute, "PrivateUse1")
        # The library is there as long as this object is.
        torch.far.library = library  # type: ignore[attr-defined]
    return torch.device("far", 0)


def _compute(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Compute an operation where the numbers are, after a look at what it was given."""
    _require_kernel(operation, kwargs)
    if operation.name() not in TRANSFERS:
        _require_one_device(operation, args, kwargs)
    pairs: list[tuple[Tensor, Tensor]] = []

    def bring(tensor: Tensor) -> Tensor:
        if tensor.device.type == "cpu":
            return tensor
        # What is empty may be made larger by the operation.
        near = _relabelled(tensor, CPU) if tensor.numel() else torch.empty(tensor.shape, dtype=tensor.dtype)
        pairs.append((near, tensor))
        return near

    args, kwargs = tree_map_only(Tensor, bring, (args, kwargs))
    args = [_as_tensor(value) if _wants_tensor(slot) else value for value, slot in zip(args, operation._schema.arguments, strict=False)]
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    if operation.name() == "aten::_copy_from":
        source, target, *_ = args
        result = target.copy_(source)
    else:
        result = operation(*args, **kwargs)
    for near, tensor in pairs:
        if near.shape != tensor.shape:
            tensor.data = _relabelled(near, PRIVATE)
    # What was written into is returned as it was given.
    given = {id(near): tensor for near, tensor in pairs}
    return tree_map_only(Tensor, lambda t: given[id(t)] if id(t) in given else _relabelled(t, PRIVATE), result)


def _wants_tensor(slot: Any) -> bool:
    return isinstance(slot.type, torch.TensorType)


def _as_tensor(value: Any) -> Any:
    """Return a number, which torch takes out of its tensor on the way to Python, as a tensor again."""
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None) if isinstance(value, int | float) else value


class _Labels(ctypes.Structure):
    """The beginning of DLPack's DLTensor."""

    _fields_ = (("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32))


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def _relabelled(tensor: Tensor, kind: int) -> Tensor:
    """Return a tensor of another device with the very same memory."""
    capsule = to_dlpack(tensor.detach())
    _Labels.from_address(_pointer(capsule, b"dltensor")).device_type = kind
    return from_dlpack(capsule)


def _require_one_device(operation: Any, args: Any, kwargs: Any) -> None:
    """Raise FarError where a tensor lies elsewhere; numbers, of no dimension, may lie on the CPU where CUDA says so."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if operation.name() in INDEXING:
        tensors = [args[0], *(args[2:3] if "put" in operation.name() else [])]
    strangers = [tensor for tensor in tensors if tensor.device.type != "far"]
    if strangers and not (torch.Tag.pointwise in operation.tags and all(tensor.dim() == 0 for tensor in strangers)):
        shapes = ", ".join(f"{tuple(tensor.shape)} on {tensor.device}" for tensor in tensors)
        raise FarError(f"{operation.name()} was given tensors of two devices: {shapes}")


def _require_kernel(operation: Any, kwargs: Any) -> None:
    seen.add(operation.name())
seen=set()
