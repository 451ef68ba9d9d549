"""Two writers at once: the other one is let in between two calls, so that the race always happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.lake import Conflict, Lake, Txn
from lakeshelf.lake.write import writing

NAME = "curated/stock"


class Rival:
    """A source whose rows are asked for while somebody else commits: between our reading and our commit."""

    def __init__(self, rows: list[dict[str, Any]], others: list[Callable[[], object]]) -> None:
        self.rows = pa.Table.from_pylist(rows)
        self.others = others

    def __call__(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.rows.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self.others:
            self.others.pop(0)()
        yield from self.rows.to_batches()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.merge(NAME, [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}], keys=["k"])
    return lake


def values(lake: Lake) -> dict[int, str]:
    found = lake.read(NAME).read_all().to_pylist()
    assert len(found) == len({row["k"] for row in found}), "a key is there twice"
    return {row["k"]: row["v"] for row in found}


def test_two_merges_of_a_key_are_both_made(lake: Lake) -> None:
    other = lambda: lake.merge(NAME, [{"k": 3, "v": "theirs"}], keys=["k"])  # noqa: E731
    commit = lake.merge(NAME, Rival([{"k": 3, "v": "ours"}], [other, other]), keys=["k"])
    assert values(lake) == {1: "a", 2: "b", 3: "ours"}
    assert commit.version == 3


def test_appends_beside_appends_lose_nothing(lake: Lake) -> None:
    other = lambda: lake.append(NAME, [{"k": 8, "v": "theirs"}])  # noqa: E731
    commit = lake.append(NAME, Rival([{"k": 9, "v": "ours"}], [other]))
    assert values(lake) == {1: "a", 2: "b", 8: "theirs", 9: "ours"}
    assert commit.version == 3, "the version is ours, not the latest that somebody made"


def test_an_overwrite_that_lost_is_made_again(lake: Lake) -> None:
    other = lambda: lake.overwrite(NAME, [{"k": 8, "v": "theirs"}])  # noqa: E731
    lake.overwrite(NAME, Rival([{"k": 9, "v": "ours"}], [other]))
    assert values(lake) == {9: "ours"}


def test_a_rival_with_our_identity_makes_our_write_for_us(lake: Lake) -> None:
    txn = Txn("app", 1)
    other = lambda: lake.merge(NAME, [{"k": 3, "v": "once"}], keys=["k"], txn=txn)  # noqa: E731
    commit = lake.merge(NAME, Rival([{"k": 3, "v": "twice"}], [other]), keys=["k"], txn=txn)
    assert (commit.version, commit.skipped) == (None, "already committed")
    assert values(lake)[3] == "once"


def test_appends_of_one_identity_at_once_are_made_once(lake: Lake) -> None:
    txn = Txn("app", 1)
    other = lambda: lake.append(NAME, [{"k": 3, "v": "once"}], txn=txn)  # noqa: E731
    commit = lake.append(NAME, Rival([{"k": 3, "v": "twice"}], [other]), txn=txn)
    assert commit.skipped == "already committed"
    assert values(lake) == {1: "a", 2: "b", 3: "once"}


def test_a_stream_that_was_read_is_never_committed_as_no_rows(lake: Lake) -> None:
    """The trap: a one-shot reader that is used again in a retry commits zero rows, successfully."""
    other = lambda: lake.overwrite(NAME, [{"k": 8, "v": "theirs"}])  # noqa: E731
    stream = Rival([{"k": 9, "v": "ours"}], [other])()
    with pytest.raises(Conflict, match="could be read only once"):
        lake.overwrite(NAME, stream)
    assert values(lake) == {8: "theirs"}
    with pytest.raises(Conflict, match="could be read only once"):
        lake.overwrite("curated/other", stream)
    assert lake.names() == [NAME]


def test_a_writer_that_always_loses_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LONGEST_PAUSE_S", 0.0)
    others = [lambda: lake.overwrite(NAME, [{"k": 8, "v": "x"}])] * (writing.ATTEMPTS + 1)
    with pytest.raises(Conflict, match="read the table again"):
        lake.overwrite(NAME, Rival([{"k": 9, "v": "ours"}], others))  # type: ignore[arg-type]
    assert len(others) == 1, "it was tried as often as it says"


def test_a_table_that_is_created_twice_at_once_is_one_table(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    errors: list[Exception] = []

    def write(number: int) -> None:
        lake = Lake(tmp_path)
        barrier.wait()
        try:
            lake.append(NAME, [{"k": number, "v": "x"}])
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(Lake(tmp_path).read(NAME).read_all()["k"].to_pylist()) == [0, 1, 2, 3]
