"""Every torch operation that has a rule, in every form in which it can be called, and some that have none."""

from collections.abc import Callable

import pytest
import torch
from geometry import coordinates
from torch import Tensor, nn
from torch.nn import functional

from pinn.derivatives import partial
from pinn.derivatives.taylor import Engine, Reverse, Taylor, UnsupportedOperationError, discover
from pinn.derivatives.taylor.rules import RULES

W = torch.tensor([[0.3, -0.7, 0.2], [0.9, 0.4, -0.5]], dtype=torch.float64)
"""From two inputs to three entries."""
ROW = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)

OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "method": lambda z: z.tanh() + z.sin(),
    "add": lambda z: (
        1 + z + 2.0 + ROW + torch.add(z, z, alpha=3) + torch.add(ROW, z, alpha=2) + torch.add(z, 1, alpha=2)
    ),
    "sub": lambda z: (
        1 - z - ROW - torch.sub(z, ROW, alpha=2) - (ROW - z) - torch.subtract(1, z) - torch.rsub(z, 2, alpha=3)
    ),
    "mul": lambda z: 2 * z * ROW * (ROW * z) * z.mul(0.5) * torch.multiply(z, z),
    "div": lambda z: z / 2 / ROW / (3 + z) + 1 / (2 + z**2) + torch.divide(ROW, 3 + z) + z.true_divide(ROW),
    "pow": lambda z: z**2 + z.pow(3) + torch.pow(z.square() + 1, 1.5) + 2**z + 0.5**z + z**1 + z**0,
    "neg": lambda z: -z + z.neg() + (+z),
    "linear": lambda z: functional.linear(z, W, torch.ones(2, dtype=torch.float64)),
    "matmul": lambda z: z @ W.T + torch.matmul(z, W.T) + z.mm(W.T),
    "addmm": lambda z: torch.addmm(ROW[:2], z, W.T, beta=2, alpha=3),
    "addcmul": lambda z: torch.addcmul(z, z, z.sin(), value=2),
    "reshape": lambda z: (
        (z.unsqueeze(-1) * ROW.view(1, 1, 3)).reshape(-1, 9) + (z.unsqueeze(1) * z.view(-1, 3, 1)).flatten(1)
    ),
    "views": lambda z: z.unflatten(-1, (3, 1)).squeeze(-1) + z.view(len(z), 3) + z.reshape((z.shape[0], z.size(1))),
    "transpose": lambda z: (z.unsqueeze(-1) * z.sin().unsqueeze(1) * ROW.view(1, 1, 3)).transpose(1, 2).reshape(-1, 9),
    "index": lambda z: z[:, :1] * z[..., 1:] + z[:, None, 2] + z[:, [0, 2]] + z[:, -1:] + z[:, 1].unsqueeze(1),
    "parts": lambda z: torch.stack((*z.unbind(-1), z.select(1, 0)), 1) + z.narrow(1, 1, 1) + z.chunk(3, dim=1)[2],
    "split": lambda z: torch.cat(z.split([2, 1], dim=-1)[::-1], 1) + torch.cat(torch.split(z, 2, -1), -1),
    "join with constants": lambda z: torch.cat((z, torch.ones_like(z), ROW.expand(len(z), 3)), -1).sin(),
    "stack": lambda z: torch.stack((z, z.cos(), ROW.expand(len(z), 3)), dim=1).flatten(1),
    "sum": lambda z: z.sum(-1, keepdim=True) * z + z.square().sum(dim=1).unsqueeze(1) + z.mean((-1,), keepdim=True),
    "broadcast": lambda z: (
        z.sum(1, keepdim=True) + z[:, :1] * z + ROW.view(1, 3) * z[:, :1] + (z[:, :1] + ROW.view(1, 3))
    ),
    "detach": lambda z: z * z.detach() + torch.sign(z) * z + (z > 0) * z + z.new_ones(3) * torch.zeros_like(z),
    "dtype": lambda z: z.float().double() + z.to(torch.float64) + z.clone().contiguous(),
    "shape": lambda z: z * len(z) * z.ndim * z.size(-1) if z.dtype == torch.float64 and z.is_floating_point() else z,
    "modules": nn.Sequential(nn.SiLU(), nn.Softplus(2.0), nn.GELU(), nn.Mish(), nn.ReLU(), nn.Sigmoid(), nn.Tanh()),
    "layer norm": nn.LayerNorm(3, dtype=torch.float64),
    "layer norm with weights": lambda z: functional.layer_norm(z, (3,), ROW, 2 * ROW, eps=0.1),
    "softmax": lambda z: functional.softmax(z, dim=1) + torch.softmax(z, 1) + z.softmax(-1) + nn.Softmax(-1)(z),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_agree_with_reverse_mode(name: str) -> None:
    x = coordinates(2, points=4, seed=0)
    first = W.clone().requires_grad_()

    def network(inputs: Tensor) -> Tensor:
        return OPERATIONS[name](torch.sin(inputs) @ first)

    indices = [(0,), (1,), (0, 0), (0, 1), (0, 0, 1)]

    def rows(engine: Engine) -> Tensor:
        return torch.stack(
            [row for u in engine(network, x) for row in (u, *(partial(u, *(x[i] for i in j)) for j in indices))]
        )

    found, expected = rows(Taylor(discover(rows))), rows(Reverse())
    single = name == "dtype"
    # A few hundred roundings; those to single precision are the same on both ways, but for the derivatives of the sine.
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if single else {"rtol": 1e-11, "atol": 1e-12}
    torch.testing.assert_close(found, expected, **tolerance)
    gradients = [torch.autograd.grad(r.sum(), first)[0] for r in (found, expected)]
    torch.testing.assert_close(*gradients, **tolerance)


def test_all_rules_are_called_by_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that torch does not use for what it calls would be rules that never apply."""
    seen: set[str] = set()
    x = coordinates(2, points=4, seed=0)
    spied = {name: (lambda *a, _n=name, _r=rule, **k: (seen.add(_n), _r(*a, **k))[1]) for name, rule in RULES.items()}
    monkeypatch.setattr("pinn.derivatives.taylor.propagation.RULES", spied)
    elementwise = (
        "log",
        "log1p",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "cosh",
        "sinh",
        "tan",
        "abs",
        "sigmoid",
        "relu",
        "silu",
    )
    others = [lambda z, n=name: getattr(torch, n, getattr(functional, n, None))(1.5 + z.sin()) for name in elementwise]
    others += [lambda z: torch.concat((z, z), 1), lambda z: z.gelu() if hasattr(z, "gelu") else z]
    for operation in (*OPERATIONS.values(), *others):
        Taylor({((0,),)})(lambda inputs, f=operation: f(inputs @ W), x)
    assert RULES.keys() - seen <= {
        "radd",
        "rmul",
        "truediv",
        "rtruediv",
    }  # torch 2.13 calls add, mul, div and rdiv here


UNSUPPORTED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "no rule": (torch.erf, "aten.erf"),
    "in place": (lambda z: z.add_(1), r"torch\.Tensor\.add_, which works in place"),
    "augmented assignment": (lambda z: _augmented(z), "works in place"),
    "assignment to a constant": (lambda z: _assigned(z), "aten.copy_"),
    "vmap": (torch.func.vmap(torch.sin), "aten.sin"),
    "choice by value": (lambda z: z if z.max() > 0 else -z, "aten.max"),
    "module in place": (
        lambda z: nn.ReLU(inplace=True)(z),
        "^the taylor engine has no rule for an activation with inplace=True; leave that out$",
    ),
    "custom function": (lambda z: _Identity.apply(z), "custom autograd function _IdentityBackward"),
    "sum over points": (lambda z: z - z.sum(), "a sum over all points"),
    "mean over points": (lambda z: z - z.mean(0), "along the dimension of the points"),
    "batch norm": (nn.BatchNorm1d(3, dtype=torch.float64), "batch_norm"),
    "cat over points": (lambda z: torch.cat((z, z), 0)[: len(z)], "joining along the dimension of the points"),
    "transpose": (lambda z: z.T, "aten.permute"),
    "swap of points": (lambda z: z.transpose(0, 1), "along the dimension of the points"),
    "index of points": (lambda z: z[:1], "does not keep the points apart"),
    "mask": (lambda z: z[z > 0], "does not keep the points apart"),
    "several lists": (lambda z: z.unsqueeze(-1)[:, [0], [0]], "does not keep the points apart"),
    "merge with points": (lambda z: z.reshape(-1, 1), "coupling points"),
    "pair of points": (lambda z: z.unsqueeze(1) - z.unsqueeze(0), "broadcasting|coupling points"),
    "rank": (lambda z: z * z[:, 0], "broadcasting between"),
    "constant rank": (lambda z: z + torch.ones(1, 1, 3, dtype=torch.float64), "broadcasting between"),
    "left product": (
        lambda z: torch.ones(4, 4, dtype=torch.float64) @ z,
        "other than of a jet with one constant matrix",
    ),
    "own weights": (lambda z: functional.linear(z, z), "weights that depend on the coordinates"),
    "power": (lambda z: z**z, "neither base nor exponent is a number"),
    "floor division": (lambda z: torch.div(z, 2, rounding_mode="floor"), "rounding_mode='floor'"),
    "number": (lambda z: z * z[0, 0].item(), "does not keep the points apart"),
    "arguments": (lambda z: torch.sum(z, 1, dtype=torch.float64).unsqueeze(1), r"torch\.sum with these arguments"),
}


class _Identity(torch.autograd.Function):
    """The identity forward, and no gradient backward."""

    @staticmethod
    def forward(ctx: object, z: Tensor) -> Tensor:
        return z.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


def _augmented(z: Tensor) -> Tensor:
    z += 1
    return z


def _assigned(z: Tensor) -> Tensor:
    result = torch.zeros(4, 3, dtype=torch.float64)
    result[:, 0] = z[:, 0]
    return result


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_operations_without_a_rule_are_refused_by_name(name: str) -> None:
    operation, message = UNSUPPORTED[name]
    with pytest.raises(UnsupportedOperationError, match=message):
        Taylor({((0,),)})(lambda inputs: operation(inputs @ W), coordinates(2, points=4, seed=0))


def test_every_product_with_a_weight_is_a_linear_whose_rows_belong_to_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the assembly of Jacobians by point relies on: slots × points rows, the points running faster."""
    points, x = 4, coordinates(2, points=4, seed=0)
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    calls: list[tuple[Tensor, Tensor, Tensor | None]] = []

    class Listener(torch.overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Tensor], types: object, args: tuple = (), kwargs: dict | None = None
        ):
            if func is functional.linear:
                calls.append((*args, *(kwargs or {}).values()))
            return func(*args, **(kwargs or {}))

    with Listener():
        Taylor({((0, 0),), ((1,),)}, each_point=True)(network, x)
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    assert [
        weight is expected for (_, weight, *_), expected in zip(calls, [w for w in weights for _ in "vd"], strict=True)
    ]
    for values, derivatives in zip(calls[::2], calls[1::2], strict=True):
        assert values[0].shape[:-1] == (points,)
        assert values[2] is not None
        assert derivatives[0].shape[:-1] == (3, points)
        assert derivatives[2:] in ((), (None,))
