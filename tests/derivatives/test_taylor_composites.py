"""What is taken apart has the values of torch's own function: of layer norm both engines use the same parts."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pinn.derivatives.taylor.composites import COMPOSITES

Z = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
WEIGHT, BIAS = torch.arange(1.0, 5, dtype=torch.float64), torch.arange(5.0, 9, dtype=torch.float64)
# exp(-1000) is 0: each row needs a shift of its own.
FAR_APART = torch.tensor([[1000.0, 999.0], [0.0, 1.0]], dtype=torch.float64)
CALLS: dict[str, tuple[Callable[..., Tensor], tuple[object, ...], dict[str, object]]] = {
    "gelu": (functional.gelu, (Z,), {"approximate": "tanh"}),
    "mish": (functional.mish, (Z,), {}),
    "softmax": (functional.softmax, (Z, 1), {}),
    "softmax of rows far apart": (functional.softmax, (FAR_APART, 1), {}),
    "layer norm": (functional.layer_norm, (Z / 100, (4,)), {}),
    "layer norm over two dimensions": (functional.layer_norm, (Z, (3, 4)), {}),
    "layer norm with weight": (functional.layer_norm, (Z, (4,), WEIGHT), {}),
    "layer norm with all": (functional.layer_norm, (Z, (4,), WEIGHT, BIAS, 0.1), {}),
    "addcmul": (torch.addcmul, (Z, 2 * Z, WEIGHT), {}),
    "addcmul with a factor": (torch.addcmul, (Z, 2 * Z, WEIGHT), {"value": 3}),
}


@pytest.mark.parametrize("name", CALLS)
def test_values(name: str) -> None:
    function, args, kwargs = CALLS[name]
    found, expected = COMPOSITES[function.__name__](*args, **kwargs), function(*args, **kwargs)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)  # sums of a dozen roundings
