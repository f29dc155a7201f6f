"""The examples of the documentation run as they stand."""

import re
from pathlib import Path

import torch
from geometry import coordinates

from pinn import derivatives

PAGE = Path(__file__).parents[2] / "docs" / "derivatives.md"


def test_every_example_runs():
    names = {
        "torch": torch,
        "f": lambda x, y: x**3 * y**2,
        **{name: getattr(derivatives, name) for name in derivatives.__all__},
    }
    names |= dict(zip(("y", "z", "r", "theta", "phi"), coordinates(5, points=100, seed=0), strict=True))
    u_r, u_theta, u_z = (names["r"] * names["theta"] * names["z"] for _ in range(3))
    names |= {"u_r": u_r, "u_theta": u_theta, "u_z": u_z}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    # u solves the heat equation: some ten roundings of 6e-8 in terms of order 1.
    assert names["heat"].abs().max() < 1e-6


def test_every_public_operator_is_explained():
    page = PAGE.read_text(encoding="utf-8")
    assert not [name for name in derivatives.__all__ if name not in page]
