"""Whether the rows of a Jacobian J are those of the residuals r: vᵀJ against autograd's gradient of vᵀr, v random."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pinn.checks.company import NOISE, drawn_parameters, rounded, scatter, spread
from pinn.derivatives.taylor import Reverse
from pinn.domains import Points
from pinn.errors import InputError
from pinn.jacobian import residual_jacobian
from pinn.model import Model, call_with

POINTS = 4
"""Of each constraint; a network with many parameters has long rows."""
VALUES = "values"
"""What stands for r itself among the names of parameters."""

Sums = dict[str, dict[str, Tensor]]
"""By residual and parameter vᵀJ, (entries,)."""


def check_jacobian(model: Model, points: Mapping[str, Points]) -> None:
    """Compare the Jacobian of every residual, by the engines of the model, with gradients by nested reverse mode.

    Args:
        model: the problem and the network.
        points: some of every constraint, by its name.

    Raises:
        InputError: an unknown coefficient is not used element by element.
        RuntimeError: the Jacobian is wrong for another reason, which would be a fault of ours.
    """
    unknowns = [f"problem.{name}" for name, p in model.problem.named_parameters() if p.requires_grad]
    for constraint, quantities in points.items():
        few = spread(model, quantities, POINTS)
        expected = _by_sums(model, constraint, few, drawn_parameters(model))
        try:
            found, sizes = _by_rows(model, constraint, few)
        except RuntimeError as error:
            # The sums went well, and all that is different here is that each point has coefficients of its own.
            if unknowns:
                raise _misused(model, constraint, unknowns) from error
            raise
        for name, wrong in _differences(model, constraint, few, found, expected, sizes).items():
            if VALUES in wrong or wrong & set(unknowns):
                raise _misused(model, name, sorted(wrong & set(unknowns)) or unknowns)
            raise RuntimeError(f"the Jacobian of {name!r} by {', '.join(sorted(wrong))} is wrong; please report it.")


def _by_rows(model: Model, constraint: str, points: Points) -> tuple[Sums, Sums]:
    """Return vᵀJ, and |v|ᵀ|J| for its size."""
    parameters = {name: p.requires_grad_() for name, p in drawn_parameters(model).items()}
    rows = call_with(model, parameters, lambda given: residual_jacobian(given, constraint, points))
    found: Sums = {}
    sizes: Sums = {}
    for name, (values, blocks) in rows.items():
        v = scatter(values, seed=2)
        none = {key: v.new_zeros(len(v), p.numel()) for key, p in parameters.items() if key not in blocks}
        found[name] = {VALUES: values} | {key: v @ block for key, block in (blocks | none).items()}
        sizes[name] = {VALUES: values.abs()} | {key: v.abs() @ block.abs() for key, block in (blocks | none).items()}
    return found, sizes


def _by_sums(model: Model, constraint: str, points: Points, parameters: Points, scale: float = 1.0) -> Sums:
    """Return the gradients of vᵀr, which are those of (s v)ᵀr / s but for round-off."""
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    with torch.enable_grad():
        rows: Points = call_with(model, leaves, lambda given: given(constraint, points, Reverse()))
    sums: Sums = {}
    for name, row in rows.items():
        v = scale * scatter(row, seed=2)
        gradients = torch.autograd.grad(row, list(leaves.values()), v, retain_graph=True, materialize_grads=True)
        by_name = zip(leaves, gradients, strict=True)
        sums[name] = {VALUES: row.detach()} | {key: gradient.flatten() / scale for key, gradient in by_name}
    return sums


def _differences(
    model: Model, constraint: str, points: Points, found: Sums, expected: Sums, sizes: Sums
) -> dict[str, set[str]]:
    """Return by residual for which parameters sums differ by more than round-off, if they do."""

    def beyond(sums: Sums, name: str, key: str) -> float:
        return (sums[name][key] - expected[name][key]).abs().max().item()

    half = math.sqrt(torch.finfo(next(iter(points.values())).dtype).eps)
    wrong = {
        name: {key for key, size in by_key.items() if beyond(found, name, key) > half * size.max().item()}
        for name, by_key in sizes.items()
    }
    if any(wrong.values()):
        # Residuals that vanish identically leave nothing but round-off.
        drawn = drawn_parameters(model)
        others = [_by_sums(model, constraint, points, rounded(drawn, seed), scale=3.0 + seed) for seed in range(4)]
        for name, keys in wrong.items():
            noise = {key: NOISE * max(beyond(other, name, key) for other in others) for key in keys}
            wrong[name] = {key for key in keys if beyond(found, name, key) > noise[key]}
    return {name: keys for name, keys in wrong.items() if keys}


def _misused(model: Model, where: str, unknowns: list[str]) -> InputError:
    names = [name.removeprefix("problem.") for name in unknowns]
    return InputError(
        f"{type(model.problem).__name__}: {where!r} does not use the unknown {', '.join(names)} element by element, so "
        f"that its derivative at each point cannot be told; write it as in self.{names[0]} * u."
    )
