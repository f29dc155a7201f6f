from math import pi, sqrt

import torch
from torch import Tensor

from pinn.evaluation import Evaluation


def grid(**axes: tuple[float, float, int]) -> dict[str, Tensor]:
    nodes = [torch.linspace(lower, upper, size, dtype=torch.float64) for lower, upper, size in axes.values()]
    return dict(zip(axes, torch.meshgrid(*nodes, indexing="ij"), strict=True))


def evaluation(coordinates, reference, residuals=("equation",), known=True, error=1e-6):
    """Fields = reference + a smooth error; residuals of the size of the error that vanish along lines."""
    wave = sum(torch.cos((3 + i) * c) for i, c in enumerate(coordinates.values()))
    fields = {name: values + error * wave for name, values in reference.items()}
    residual = error * 30 * torch.sin(7 * sum(coordinates.values())) * (1.1 + wave)
    return Evaluation(
        coordinates=coordinates,
        fields=fields,
        reference=reference if known else {},
        residuals={name: (1 + i) * residual for i, name in enumerate(residuals)},
    )


def poisson(**options):
    points = grid(x=(0, 1, 61), y=(0, 1, 61))
    return evaluation(points, {"u": torch.sin(pi * points["x"]) * torch.sin(pi * points["y"])}, **options)


def kovasznay(**options):
    points = grid(x=(-0.5, 1, 76), y=(-0.5, 1.5, 101))
    x, y = points.values()
    rate = 20 - sqrt(400 + 4 * pi**2)
    reference = {
        "u": 1 - torch.exp(rate * x) * torch.cos(2 * pi * y),
        "v": rate / (2 * pi) * torch.exp(rate * x) * torch.sin(2 * pi * y),
        "p": (1 - torch.exp(2 * rate * x)) / 2,
    }
    return evaluation(
        points, reference, ("equation.momentum_x", "equation.momentum_y", "equation.continuity"), **options
    )


def steepening(**options):
    """u = -sin π(x - u t) before the shock, by fixed-point iteration: it converges while π t < 1."""
    points = grid(x=(-1, 1, 121), t=(0, 0.3, 61))
    x, t = points.values()
    u = torch.zeros_like(x)
    for _ in range(200):
        u = -torch.sin(pi * (x - u * t))
    return evaluation(points, {"u": u}, **options)


def history(fields=("u",), constraints=("equation", "initial", "walls")):
    step = [10.0 * i for i in range(1, 201)]
    curve = [1e-1 * 10 ** (-3 * s / 300) if s < 300 else 1e-4 * 10 ** (-8 * (s - 300) / 1700) for s in step]
    columns = {
        "step": step,
        "seconds": [0.01 * s if s < 300 else 3 + 0.05 * (s - 300) for s in step],
        "stage": [0.0 if s <= 300 else 1.0 for s in step],
        "loss": curve,
        "validation": [1.3 * v for v in curve],
    }
    for i, name in enumerate(constraints):
        columns[f"residual/{name}"] = [v * 0.5 ** (i + 1) for v in curve]
    for i, name in enumerate(fields):
        columns[f"relative_l2/{name}"] = [sqrt(v) * 2**i if k % 5 == 0 else float("nan") for k, v in enumerate(curve)]
    return columns
