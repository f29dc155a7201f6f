"""What holds for every test: one thread, and no silent rank promotion."""

from collections.abc import Iterator

import pytest
import torch
from helpers.rank_promotion import RefuseRankPromotion


def pytest_configure() -> None:
    # Small tensors; the tests run in several processes instead.
    torch.set_num_threads(1)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without pictures, which take most of the time of a small run."""
    from pinn import review, run

    for module in (review, run):
        monkeypatch.setattr(module, "save_figures", lambda *arguments: [])


@pytest.fixture(autouse=True)
def no_rank_promotion() -> Iterator[None]:
    with RefuseRankPromotion():
        yield
