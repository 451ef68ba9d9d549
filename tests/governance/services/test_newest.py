"""Who listens to a process asks together whether anything has happened."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from lakeshelf.governance.services.reading.newest import Newest


class Asked:
    def __init__(self) -> None:
        self.times, self.now = 0, 0.0
        self._numbers = count(1)

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        return next(self._numbers)

    def seconds(self) -> float:
        return self.now


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_many_who_ask_at_once_ask_the_database_once(asked: Asked) -> None:
    newest = Newest(asked, asked.seconds)

    async def listen() -> list[int]:
        return await asyncio.gather(*(newest.number() for _ in range(50)))

    assert set(asyncio.run(listen())) == {0, 1}
    assert asked.times == 1


def test_it_is_asked_again_when_it_is_no_longer_fresh(asked: Asked) -> None:
    newest = Newest(asked, asked.seconds)

    async def twice(later: float) -> list[int]:
        first = await newest.number()
        asked.now += later
        return [first, await newest.number()]

    assert asyncio.run(twice(Newest.FRESH_S / 2)) == [1, 1]
    assert asyncio.run(twice(Newest.FRESH_S)) == [1, 2]
