"""Many cases of one proof: some of them run every day, all of them with `python -m pytest -m slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], every: int) -> list[Any]:
    """Return the cases as parameters of a test; all but each `every`-th, from the first one on, are slow."""
    return [
        case if index % every == 0 else _slow(case if isinstance(case, tuple) else (case,))
        for index, case in enumerate(cases)
    ]


def _slow(case: tuple[Any, ...]) -> Any:
    return pytest.param(*case, marks=pytest.mark.slow)
