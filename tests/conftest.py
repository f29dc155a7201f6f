"""What holds for every test: one thread, and no silent rank promotion."""

import zlib
from collections.abc import Iterator
from contextlib import nullcontext

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


DAILY = 12
"""Cases of one test that run every day, where there are more; all of them run with `-m slow`, or with `-m ""`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    for each in cases.values():
        kept = {number * len(each) // DAILY for number in range(DAILY)}
        for index, item in enumerate(each):
            if len(each) > DAILY and index not in kept:
                item.add_marker("slow")


WATCHED = 4
"""Of so many tests one is watched for silent broadcasting, always the same: it takes as long again."""


@pytest.fixture(autouse=True)
def no_rank_promotion(request: pytest.FixtureRequest) -> Iterator[None]:
    watched = zlib.crc32(request.node.nodeid.encode()) % WATCHED == 0 or request.config.option.markexpr == "slow"
    with RefuseRankPromotion() if watched else nullcontext():
        yield
