"""How large the fields of a problem are, and whether it is linear in them."""

from dataclasses import dataclass

import torch

from pinn.problems.probing import Field, Probe, random_field
from pinn.problems.problem import Problem

POINTS = 32
"""Of each constraint; an identity that holds at so many random ones holds everywhere."""
AMPLITUDES = (1.0, 100.0, 0.01)
"""Of the fields that are tried, in units of the scales that the problem names: a threshold or a fourth power that is
not seen at one of them is seen at another."""
ROUND_OFF = 1e-9
"""Relative: of a handful of terms. A product of fields leaves a defect of order one."""


@dataclass(frozen=True)
class Linearity:
    """Whether a problem is linear in its fields, and in words why."""

    linear: bool
    reason: str


def field_scales(problem: Problem) -> dict[str, list[float]]:
    """Return the sizes that conditions and sources ask of each field, by its name; [1] where they say nothing.

    A residual r asks for |r(0)| / |r(g) - r(0)| of a field, g being a random one of size 1 in its place:
    u - 1000 for 1000, u'' + 9.81 on an interval of length L for some 9.81 L²/4.

    Args:
        problem: on the CPU, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    scales: dict[str, set[float]] = {field: set() for field in problem.fields}
    probes = {field: random_field(problem, generator) for field in problem.fields}
    for name in problem.constraints():
        probe = Probe(problem, name, generator, POINTS)
        zero = probe.rows({})
        for field, probing in probes.items():
            for row, values in probe.rows({field: probing}).items():
                asked, answered = (_rms(part) for part in (zero[row], values - zero[row]))
                if 0 < asked < float("inf") and ROUND_OFF * asked < answered < float("inf"):
                    scales[field].add(asked / answered)
    return {field: sorted(found) or [1.0] for field, found in scales.items()}


def examine(problem: Problem) -> Linearity:
    """Tell whether every residual is affine in the fields: r(f + 2g) - r(f) = 2 (r(g) - r(0)) for any two fields.

    It is tried with random sines in place of the network, as large as conditions and sources ask for, a hundred times
    smaller and larger, and around a constant. A value that is not finite means that the problem is not linear. Problems
    with unknown coefficients are not: the residual is bilinear in coefficients and fields.

    Args:
        problem: on the CPU, in float64.
    """
    if unknown := [name for name, parameter in problem.named_parameters() if parameter.requires_grad]:
        return Linearity(False, f"{', '.join(unknown)} and the fields are multiplied")
    generator = torch.Generator().manual_seed(0)
    f, g = ({field: random_field(problem, generator) for field in problem.fields} for _ in range(2))
    probes = [Probe(problem, name, generator, POINTS) for name in problem.constraints()]
    zeros = [probe.rows({}) for probe in probes]
    for sizes, offset in _tried(field_scales(problem)):
        first = {name: _around(field, sizes[name], offset) for name, field in f.items()}
        second = {name: _around(field, sizes[name], -offset) for name, field in g.items()}
        both = {name: _sum(first[name], second[name]) for name in first}
        for probe, zero in zip(probes, zeros, strict=True):
            a, b, c = (probe.rows(fields) for fields in (first, second, both))
            for row, none in zero.items():
                values = torch.stack([none, a[row], b[row], c[row]])
                defect = c[row] - a[row] - 2 * (b[row] - none)
                if not torch.isfinite(values).all() or defect.abs().max() > ROUND_OFF * values.abs().max():
                    fields = ", ".join(f"{name} of size {size:.2g}" for name, size in sizes.items())
                    return Linearity(False, f"{row} is not linear in {fields}")
    return Linearity(True, "every residual is affine in the fields")


def is_linear(problem: Problem) -> bool:
    """Tell whether a problem, on the CPU and in float64, is linear in its fields; see `examine`."""
    return examine(problem).linear


def _tried(scales: dict[str, list[float]]) -> list[tuple[dict[str, float], float]]:
    """Return the sizes of all fields that are tried together, each with a constant that is added in units of them."""
    least, most = ({field: found[end] for field, found in scales.items()} for end in (0, -1))
    sizes = [{field: a * size for field, size in most.items()} for a in AMPLITUDES]
    # Scales that lie further apart than the amplitudes reach.
    sizes += [other for other in (least, dict.fromkeys(scales, 1.0)) if _apart(other, most)]
    return [(most, 1.0), *((each, 0.0) for each in sizes)]


def _apart(sizes: dict[str, float], others: dict[str, float]) -> bool:
    return any(not 1e-2 <= size / others[field] <= 1e2 for field, size in sizes.items())


def _around(field: Field, size: float, offset: float) -> Field:
    return lambda at: size * (field(at) + offset)


def _sum(first: Field, second: Field) -> Field:
    return lambda at: first(at) + 2 * second(at)


def _rms(row: torch.Tensor) -> float:
    return row.detach().square().mean().sqrt().item()
