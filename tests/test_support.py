"""What tests share is made by the first that asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import once


def test_what_processes_share_is_made_by_the_first_and_waited_for_by_the_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tmp_path_factory.getbasetemp()  # which a process makes once, and threads would make each
    made: list[int] = []

    def make() -> list[str]:
        made.append(1)
        return ["a"]

    with ThreadPoolExecutor(4) as asking:
        found = list(asking.map(lambda _: once(tmp_path_factory, "shared", make), range(4)))
    assert (found, len(made)) == ([["a"]] * 4, 1)


def test_what_could_not_be_made_is_tried_again_by_the_next(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with pytest.raises(ZeroDivisionError):
        once(tmp_path_factory, "tried", lambda: 1 // 0)
    assert once(tmp_path_factory, "tried", lambda: 7) == 7
