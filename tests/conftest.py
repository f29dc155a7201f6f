"""What holds for every test: one thread, and no silent rank promotion."""

from collections.abc import Iterator

import pytest
import torch
from helpers.rank_promotion import RefuseRankPromotion


def pytest_configure() -> None:
    # Small tensors; the tests run in several processes instead.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_rank_promotion() -> Iterator[None]:
    with RefuseRankPromotion():
        yield
