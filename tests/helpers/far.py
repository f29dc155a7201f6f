"""A device that is none, so that what a GPU would refuse fails on a machine without one.

To torch its tensors are like any others: autograd runs their backward passes in a thread of its own, views share
memory, and numbers have to be asked for. Their memory is that of the CPU, where every operation is computed after its
operands have been looked at. What CUDA refuses is refused: tensors of two devices that meet, a generator of another
device, an operation or a setting for which CUDA has no kernel. All else comes out as on the CPU, to the last bit.
"""

import ctypes
import re
from collections.abc import Callable
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import torch
import torchgen
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.dlpack import from_dlpack, to_dlpack

CPU, PRIVATE = 1, 12
"""Kinds of devices in DLPack, `kDLCPU` and `kDLExtDev`."""
COPY = torch.ops.aten._copy_from.default
"""Takes numbers from one device to another."""
MAKING = (torch.ops.aten.empty.memory_format, torch.ops.aten.empty_strided.default, COPY)
"""What makes a tensor of given numbers."""
INDEXING = {"aten::index.Tensor_out": 1, "aten::_index_put_impl_": 3}
"""Operations that take indices from the CPU too, and how many tensors of theirs must lie on the device."""


class FarError(RuntimeError):
    """A GPU would have refused this."""


def device() -> torch.device:
    """Return the device. The first call makes it; it must come before any backward pass of the process.

    There it stays until the process ends, as torch knows no way to take one back.
    """
    if not hasattr(torch, "far"):
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

        _setup_privateuseone_for_python_backend("far")
        everything, making = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
        everything.fallback(_compute, "PrivateUse1")
        # While a mode watches operations, torch finds no fallback for what it does out of sight of the mode.
        for operation in MAKING:
            making.impl(operation, partial(_compute, operation), "PrivateUse1")
        # They are in force as long as these objects are there.
        torch.far.libraries = everything, making  # type: ignore[attr-defined]
        Tensor.__deepcopy__ = partialmethod(_deepcopied, by_torch=Tensor.__deepcopy__)  # type: ignore[method-assign]
    return torch.device("far", 0)


class Generator(torch.Generator):
    """A generator of random numbers that remembers for which device it was made; its stream is that of the CPU."""

    home: torch.device

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = super().__new__(cls, "cpu")
        made.home = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()


class SameGenerator(TorchFunctionMode):
    """While active, refuses a generator of another device than that of the numbers that are drawn from it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if isinstance(generator, Generator):
            tensors = [argument for argument in args if isinstance(argument, Tensor)]
            drawn = torch.device(kwargs.get("device") or (tensors[0].device if tensors else "cpu"))
            if drawn.type != generator.home.type:
                raise FarError(f"{function.__name__} on {drawn} was given a generator of {generator.home}")
        return function(*args, **kwargs)


def _compute(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Compute an operation where the numbers are, after a look at what it was given."""
    name = operation.name()
    tensors: list[Tensor] = []
    _map(tensors.append, (args, kwargs))
    if name in CPU_ONLY or kwargs.get("driver", "gels") != "gels":
        raise FarError(f"CUDA has no kernel for {name} with {kwargs}")
    if operation is not COPY:
        _require_one_device(operation, tensors[: INDEXING.get(name)])
    # What is empty may be made larger by the operation.
    near = {
        id(tensor): _relabelled(tensor, CPU) if tensor.numel() else torch.empty(tensor.shape, dtype=tensor.dtype)
        for tensor in tensors
        if tensor.device.type == "far"
    }
    args, kwargs = _map(lambda tensor: near.get(id(tensor), tensor), (args, kwargs))
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    result = args[1].copy_(args[0]) if operation is COPY else operation(*_with_tensors(operation, args), **kwargs)
    for tensor in tensors:
        if id(tensor) in near and near[id(tensor)].shape != tensor.shape:
            tensor.data = _relabelled(near[id(tensor)], PRIVATE)
    # What was written into is returned as it was given.
    given = {id(near[id(tensor)]): tensor for tensor in tensors if id(tensor) in near}
    return _map(lambda made: given[id(made)] if id(made) in given else _relabelled(made, PRIVATE), result)


def _map(function: Callable[[Tensor], Any], value: Any) -> Any:
    """Return the same with every tensor replaced by what a function returns of it."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)([_map(function, item) for item in value])
    return {key: _map(function, item) for key, item in value.items()} if isinstance(value, dict) else value


def _with_tensors(operation: Any, args: tuple[Any, ...]) -> list[Any]:
    """Return arguments with tensors in the place of numbers, where torch has taken these out of tensors on its way."""
    slots = operation._schema.arguments
    return [
        torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
        if isinstance(value, int | float) and isinstance(slot.type, torch.TensorType)
        else value
        for value, slot in zip(args, slots, strict=False)
    ]


class _Labels(ctypes.Structure):
    """How a DLTensor begins."""

    _fields_ = (("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32))


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def _relabelled(tensor: Tensor, kind: int) -> Tensor:
    """Return a tensor of another device in the same memory."""
    capsule = to_dlpack(tensor.detach())
    _Labels.from_address(_pointer(capsule, b"dltensor")).device_type = kind
    return from_dlpack(capsule)


def _deepcopied(tensor: Tensor, memo: dict[int, Any], *, by_torch: Any) -> Tensor:
    """Copy a tensor in the way of torch for devices whose storages it cannot make."""
    if tensor.device.type != "far" or id(tensor) in memo:
        return by_torch(tensor, memo)
    memo[id(tensor)] = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    return memo[id(tensor)]


def _require_one_device(operation: Any, tensors: list[Tensor]) -> None:
    """Raise FarError where a tensor lies elsewhere; a single number may, where operations go element by element."""
    strangers = [tensor for tensor in tensors if tensor.device.type != "far"]
    if strangers and not (torch.Tag.pointwise in operation.tags and all(tensor.dim() == 0 for tensor in strangers)):
        shapes = ", ".join(f"{tuple(tensor.shape)} on {tensor.device}" for tensor in tensors)
        raise FarError(f"{operation.name()} was given tensors of two devices: {shapes}")


def _only_for_the_cpu() -> frozenset[str]:
    """Return the operations that have a kernel for the CPU and none for CUDA, by torch's own list of its kernels."""
    listed = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / "native_functions.yaml"
    entries = listed.read_text(encoding="utf-8").split("\n- func: ")[1:]
    kernels = {entry.split("(")[0]: " ".join(re.findall(r"^    ([\w, ]+):", entry, re.MULTILINE)) for entry in entries}
    return frozenset(
        f"aten::{name}"
        for name, keys in kernels.items()
        if re.search(r"\bCPU\b", keys) and not re.search(r"\bCUDA\b|Composite", keys)
    )


CPU_ONLY = _only_for_the_cpu()
