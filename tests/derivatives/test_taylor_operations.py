"""Every torch operation that has a rule, in every form in which it can be called, and some that have none."""

import re
from collections.abc import Callable

import pytest
import torch
from geometry import coordinates
from torch import Tensor, nn
from torch.nn import functional

from pinn.derivatives import partial
from pinn.derivatives.taylor import Engine, Reverse, Taylor, UnsupportedOperationError, discover, product
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
    "addmm": lambda z: torch.addmm(ROW[:2], z, W.T, beta=2, alpha=3) * torch.addmm(ROW[:2], z, W.T),
    "addcmul": lambda z: torch.addcmul(z, z, z.sin(), value=2),
    "reshape": lambda z: (
        (z.unsqueeze(-1) * ROW.view(1, 1, 3)).reshape(-1, 9) + (z.unsqueeze(1) * z.view(-1, 3, 1)).flatten(1)
    ),
    "flatten": lambda z: (z.unsqueeze(-1) * ROW.view(1, 1, 3)).unsqueeze(-1).flatten(1, 2)[..., 0],
    "views": lambda z: z.unflatten(-1, (3, 1)).squeeze(-1) + z.view(len(z), 3) + z.reshape((z.shape[0], z.size(1))),
    "transpose": lambda z: (z.unsqueeze(-1) * z.sin().unsqueeze(1) * ROW.view(1, 1, 3)).transpose(1, 2).reshape(-1, 9),
    "index": lambda z: z[:, :1] * z[..., 1:] + z[:, None, 2] + z[:, [0, 2]] + z[:, -1:] + z[:, 1].unsqueeze(1),
    "parts": lambda z: torch.stack((*z.unbind(-1), z.select(1, 0)), 1) + z.narrow(1, 1, 1) + z.chunk(3, dim=1)[2],
    "split": lambda z: torch.cat(z.split([2, 1], dim=-1)[::-1], 1) + torch.cat(torch.split(z, 2, -1), -1),
    "join with constants": lambda z: torch.cat((z, torch.ones_like(z), ROW.expand(len(z), 3)), -1).sin(),
    "stack": lambda z: torch.stack((z, z.cos(), ROW.expand(len(z), 3)), dim=1).flatten(1),
    "sum": lambda z: z.sum(-1, keepdim=True) * z + z.square().sum(dim=1).unsqueeze(1) + z.mean((-1,), keepdim=True),
    "mean": lambda z: z.mean(-1).unsqueeze(1) * z,
    "broadcast": lambda z: (
        z.sum(1, keepdim=True) + z[:, :1] * z + ROW.view(1, 3) * z[:, :1] + (z[:, :1] + ROW.view(1, 3))
    ),
    "detach": lambda z: z * z.detach() + torch.sign(z) * z + (z > 0) * z + z.new_ones(3) * torch.zeros_like(z),
    "constants by keyword": lambda z: z * torch.full_like(input=z, fill_value=2) + z.new_full((3,), fill_value=3) * z,
    "dtype": lambda z: z.float().double() + z.to(dtype=torch.float32).to(torch.float64),
    "copies": lambda z: z.clone(memory_format=torch.contiguous_format).contiguous() + z.to(dtype=torch.float64),
    "scaled in place of constants": lambda z: torch.sub(ROW, z, alpha=2) + torch.add(1, z, alpha=-3),
    "promotion": lambda z: functional.linear(z.float() + ROW, W),
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
    single = name in ("dtype", "promotion")
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


@pytest.mark.parametrize(
    "convert", [lambda z: z.to(torch.float32), lambda z: z.to(dtype=torch.float32)], ids=["by position", "by keyword"]
)
def test_a_conversion_reaches_value_and_derivatives(convert: Callable[[Tensor], Tensor]) -> None:
    dtypes: list[torch.dtype] = []

    def network(inputs: Tensor) -> Tensor:
        jet = convert(inputs @ W)
        dtypes.extend((jet.value.dtype, jet.derivatives.dtype))
        return jet

    Taylor({((0,),)})(network, coordinates(2, points=4, seed=0))
    assert dtypes == [torch.float32, torch.float32]


UNSUPPORTED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "no rule": (torch.erf, "aten.erf.default"),
    "no rule by keyword": (lambda z: torch.special.erf(input=z), "aten.erf.default"),
    "in place": (lambda z: z.add_(1), "torch.Tensor.add_, which works in place"),
    "augmented assignment": (lambda z: _augmented(z), "torch.Tensor.add_, which works in place"),
    "assignment to a constant": (lambda z: _assigned(z), "aten.copy_.default"),
    "vmap": (torch.func.vmap(torch.sin), "aten.sin.default"),
    "choice by value": (lambda z: z if z.max() > 0 else -z, "aten.max.default"),
    "relu in place": (lambda z: nn.ReLU(inplace=True)(z), "an activation with inplace=True"),
    "silu in place": (lambda z: nn.SiLU(inplace=True)(z), "an activation with inplace=True"),
    "custom function": (lambda z: _Identity.apply(z), "the custom autograd function _IdentityBackward"),
    "custom function at last": (lambda z: _Identity.apply(z.sin()), "the custom autograd function _IdentityBackward"),
    "sum over points": (lambda z: z - z.sum(), "a sum over all points"),
    "mean over points": (lambda z: z - z.mean(0), "an operation along the dimension of the points"),
    "batch norm": (nn.BatchNorm1d(3, dtype=torch.float64), "aten.native_batch_norm.default"),
    "cat over points": (lambda z: torch.cat((z, z))[: len(z)], "joining along the dimension of the points"),
    "stack over points": (lambda z: torch.stack((z, z)), "joining along the dimension of the points"),
    "transpose": (lambda z: z.T, "aten.permute.default"),
    "swap of points": (lambda z: z.transpose(0, 1), "an operation along the dimension of the points"),
    "swap with points": (lambda z: z.transpose(1, 0), "an operation along the dimension of the points"),
    "one point": (lambda z: z.select(0, 1), "an operation along the dimension of the points"),
    "some points": (lambda z: z.narrow(-2, 0, 2), "an operation along the dimension of the points"),
    "each point": (lambda z: z.unbind()[0], "an operation along the dimension of the points"),
    "parts of the points": (lambda z: z.split(2)[0], "an operation along the dimension of the points"),
    "parts of given sizes": (lambda z: torch.split(z, [1, 3])[0], "an operation along the dimension of the points"),
    "halves of the points": (lambda z: z.chunk(2)[0], "an operation along the dimension of the points"),
    "index of points": (lambda z: z[:1], "the index slice(None, 1, None), which does not keep the points apart"),
    "ellipsis": (lambda z: z[..., 0, 0], "the index (Ellipsis, 0, 0), which does not keep the points apart"),
    "new points": (lambda z: z[None], "the index None, which does not keep the points apart"),
    "list": (lambda z: z[[0]], "the index [0], which does not keep the points apart"),
    "several lists": (
        lambda z: z.unsqueeze(-1)[:, [0], [0]],
        "the index (slice(None, None, None), [0], [0]), which does not keep the points apart",
    ),
    "merge with points": (
        lambda z: z.reshape(-1, 1),
        "an operation that turns shape (4, 3) into (12, 1), coupling points",
    ),
    "merge of all": (lambda z: z.flatten(), "an operation that turns shape (4, 3) into (12,), coupling points"),
    "pair of points": (
        lambda z: z.unsqueeze(1) - z.unsqueeze(0),
        "an operation that turns shape (4, 3) into (1, 4, 3), coupling points",
    ),
    "rank": (lambda z: z * z[:, 0], "broadcasting between 2 and 1 dimensions"),
    "constant rank": (
        lambda z: z + torch.ones(1, 1, 3, dtype=torch.float64),
        "broadcasting between 2 and 3 dimensions",
    ),
    "left product": (
        lambda z: torch.ones(4, 4, dtype=torch.float64) @ z,
        "a matrix product other than of a jet with one constant matrix",
    ),
    "product with a vector": (lambda z: z @ ROW, "a matrix product other than of a jet with one constant matrix"),
    "product of a vector": (lambda z: z[:, 0] @ W, "a matrix product other than of a jet with one constant matrix"),
    "product over the points": (
        lambda z: functional.linear(z[:, 0], torch.ones(4, 4, dtype=torch.float64)),
        "a matrix product along the dimension of the points",
    ),
    "own weights": (lambda z: functional.linear(z, z), "a matrix product with weights that depend on the coordinates"),
    "own bias": (
        lambda z: functional.linear(z, torch.ones(3, 3, dtype=torch.float64), z),
        "a matrix product with weights that depend on the coordinates",
    ),
    "weights alone": (
        lambda z: functional.linear(ROW, z),
        "a matrix product with weights that depend on the coordinates",
    ),
    "power": (lambda z: z**z, "a power of which neither base nor exponent is a number"),
    "power of zero": (lambda z: 0**z, "a power with the base 0, which is not positive"),
    "floor division": (lambda z: torch.div(z, 2, rounding_mode="floor"), "division with rounding_mode='floor'"),
    "number": (lambda z: z * z[0, 0].item(), "the index (0, 0), which does not keep the points apart"),
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
    operation, named = UNSUPPORTED[name]
    with pytest.raises(UnsupportedOperationError) as caught:
        Taylor({((0,),)})(lambda inputs: operation(inputs @ W), coordinates(2, points=4, seed=0))
    assert caught.value.operation == named


def test_arguments_without_a_rule_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedOperationError) as caught:
        Taylor({((0,),)})(lambda z: torch.sum(z, 1, dtype=torch.float64), coordinates(2, points=4, seed=0))
    # Python names the function of the rule as well, which mutation testing renames.
    expected = r"torch\.sum with these arguments \(\w+\(\) got an unexpected keyword argument 'dtype'\)"
    assert re.fullmatch(expected, caught.value.operation)


def test_what_works_in_place_is_to_be_left_out() -> None:
    with pytest.raises(UnsupportedOperationError) as caught:
        Taylor({((0,),)})(nn.ReLU(inplace=True), coordinates(2, points=4, seed=0))
    assert str(caught.value) == "the taylor engine has no rule for an activation with inplace=True; leave that out"


def test_every_product_with_a_weight_says_which_rows_belong_to_points() -> None:
    """What the assembly of Jacobians by point relies on."""
    points, x = 4, coordinates(2, points=4, seed=0)
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    calls: list[tuple[Tensor, Tensor, Tensor | None, int]] = []

    class Listener(torch.overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Tensor], types: object, args: tuple = (), kwargs: dict | None = None
        ):
            if func is product:
                calls.append((*args, *(kwargs or {}).values()))
            return func(*args, **(kwargs or {}))

    with Listener():
        Taylor({((0, 0),), ((1,),)}, each_point=True)(network, x)
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    assert [
        weight is expected for (_, weight, *_), expected in zip(calls, [w for w in weights for _ in "vd"], strict=True)
    ]
    for (x, _, bias, axis), (seeds, _, none, of_seeds) in zip(calls[::2], calls[1::2], strict=True):
        assert (x.shape[:-1], axis) == ((points,), 0)
        assert (seeds.shape[:-1], of_seeds) == ((3, points), 1)
        assert bias is not None
        assert none is None


def test_the_threshold_of_softplus_is_that_of_torch() -> None:
    """Beyond 20 torch takes log(1 + exp z) for z, whose slope there is 1 - 1e-9."""
    x = torch.tensor([20.5], dtype=torch.float64, requires_grad=True)
    (u,) = Taylor({((0,),)})(functional.softplus, x)
    assert partial(u, x).item() == 1
