"""Many cases of one proof: some of them run every day, all of them with `python -m pytest -m slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], every: int) -> list[Any]:
    """Return the cases as parameters of a test; all but each `every`-th, from the first one on, are slow."""
    return [case if index % every == 0 else _slow(case) for index, case in enumerate(cases)]


def _slow(case: Any) -> Any:
    # What pytest.param() made is a tuple too, of values, marks and a name.
    if hasattr(case, "marks"):
        return pytest.param(*case.values, marks=[*case.marks, pytest.mark.slow], id=case.id)
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
