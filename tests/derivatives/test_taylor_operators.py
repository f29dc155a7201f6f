"""Engine against engine on every operator, orders 1 to 4, in every system, in single and double precision."""

from typing import Any

import pytest
import torch
from geometry import GEOMETRIES, coordinates, flat
from nets import Plain, seeded
from operators import DIRECTION, OPERATORS, Operator
from torch import Tensor

from pinn.derivatives.taylor import Engine, Reverse, Taylor, discover

# Beside the largest entry both are seen to agree to 4e-16 and 2e-7; sums of some hundred products in other orders, as
# on other machines, may differ by some ten times as much.
TOLERANCE = {torch.float64: 1e-14, torch.float32: 5e-6}

CASES = [
    pytest.param(operator, n, system, id=f"{operator.name}-{n}-{system}")
    for operator in OPERATORS
    for n in operator.dimensions
    if n <= 3
    for system, geometry in GEOMETRIES.items()
    if n in geometry.dimensions
    and (system == "cartesian" or not operator.plain)
    # Fourth derivatives in three curvilinear coordinates are minutes of nested reverse mode, and nothing new.
    and (system == "cartesian" or operator.order < 4)
]


def nested(components: list[Tensor], rank: int, n: int) -> Any:
    """The outputs of a network as one scalar, a vector of n or a tensor of n × n components."""
    if rank == 0:
        return components[0]
    size = n ** (rank - 1)
    return tuple(nested(components[i * size : (i + 1) * size], rank - 1, n) for i in range(n))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize(("operator", "n", "system"), CASES)
def test_engines_agree(operator: Operator, n: int, system: str, dtype: torch.dtype) -> None:
    x = coordinates(n + operator.timed, points=3, seed=0, dtype=dtype)
    network = seeded(lambda: Plain(len(x), n**operator.rank), dtype)
    options = {} if operator.plain else {"system": GEOMETRIES[system].system}

    def rows(engine: Engine) -> Tensor:
        field = nested(list(engine(network, x)), operator.rank, n)
        return torch.stack(flat(operator.apply(field, x[:n], DIRECTION[:n], *x[n:], **options)))

    results = []
    for engine in (Taylor(discover(rows)), Reverse()):
        found = rows(engine)
        gradients = torch.autograd.grad(found.square().sum(), list(network.parameters()), materialize_grads=True)
        results.append((found, *gradients))
    largest = max(expected.abs().max().item() for expected in results[1][1:])
    assert largest > 0
    for index, (found, expected) in enumerate(zip(*results, strict=True)):
        assert found.dtype == dtype
        size = max(1.0, largest if index else expected.abs().max().item())
        assert (found - expected).abs().max() <= TOLERANCE[dtype] * size
