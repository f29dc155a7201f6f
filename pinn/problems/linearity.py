"""Whether a problem is linear in its fields."""

from functools import partial

import torch

from pinn.domains import Points
from pinn.problems.problem import Problem
from pinn.problems.random_fields import Field, random_field

Fields = dict[str, Field]

POINTS = 32
"""Of each constraint; an identity that holds at so many random ones holds everywhere."""


def is_linear(problem: Problem) -> bool:
    """Tell whether every residual is affine in the fields: r(f + 2g) - r(f) = 2 (r(g) - r(0)) for any two fields.

    It is tried with two random combinations of sines in place of the network, in float64. Problems with unknown
    coefficients are not linear: the residual is bilinear in coefficients and fields.
    """
    if any(parameter.requires_grad for parameter in problem.parameters()):
        return False
    generator = torch.Generator().manual_seed(0)
    f, g = ({field: random_field(problem, generator) for field in problem.fields} for _ in range(2))
    for name, constraint in problem.constraints().items():
        unit = torch.rand(POINTS, constraint.region.dimension, generator=generator, dtype=torch.float64)
        points = {
            key: value.requires_grad_(key in problem.coordinates)
            for key, value in constraint.region.points(unit).items()
        }
        with torch.enable_grad():
            both, first, second, none = (
                problem.residuals(name, points, partial(_combine, problem, a=a, f=f, b=b, g=g))
                for a, b in ((1.0, 2.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
            )
        for row in both:
            defect = both[row] - first[row] - 2 * (second[row] - none[row])
            size = max(values[row].abs().max().item() for values in (both, first, second, none))
            # Round-off of a handful of terms; a product of fields of order one leaves a defect of order one.
            if defect.abs().max().item() > 1e-9 * size:
                return False
    return True


def _combine(problem: Problem, at: Points, a: float, f: Fields, b: float, g: Fields) -> Points:
    """Return a f + b g with the problem's ansatz, as the network's fields would come."""
    return problem.apply_ansatz(at, {field: a * f[field](at) + b * g[field](at) for field in problem.fields})
