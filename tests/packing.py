"""How tests are packed into processes: the longest files first, and no file in two of them.

Most of a slow test is waiting for a process that starts, so there are more processes than cores.
"""

from __future__ import annotations

from collections import defaultdict

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/containers/", "tests/matrix/")
"""Rooms whose files share one thing: an engine, and what Spark writes for all of them."""
SECONDS = {"setup": 40.0, "faults": 30.0, "slow": 8.0}
"""Mark → about how long such a test takes."""
OTHERS_S = 0.2
PART_OF_TIMEOUT = 0.1
"""A test that may take longer than others says so by a timeout of its own, ten times of what it takes."""


class LongestFirst(LoadFileScheduling):
    """Files are handed out in the order that they have."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


def together(nodeid: str) -> str:
    """What a test shares a process with: its file, or its room."""
    file = nodeid.partition("::")[0]
    return next((room for room in TOGETHER if file.startswith(room)), file)


def sort(items: list[pytest.Item]) -> None:
    """Put first what takes longest, so that at the end no process waits long for another."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for item in items:
        seconds[together(item.nodeid)] += expected(item)
    items.sort(key=lambda item: -seconds[together(item.nodeid)])


def expected(item: pytest.Item) -> float:
    """About how many seconds a test takes, by its marks."""
    own = item.get_closest_marker("timeout")
    told = [own.args[0] * PART_OF_TIMEOUT] if own is not None else []
    marked = [seconds for mark, seconds in SECONDS.items() if item.get_closest_marker(mark)]
    return max([OTHERS_S, *told, *marked])
