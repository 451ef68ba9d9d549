"""The index of event ids against a plain set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.index import IdIndex, IdWindow, may_hold
from tests.streams.harness import NOW
from tests.streams.strategies import event

TABLE = CATALOG.tables["raw/lost_sales"]
OURS = st.integers(0, 40).map(lambda n: f"{1483228800000 + n:013d}-{n % 3}")
FOREIGN = st.one_of(
    st.sampled_from(("x1", "x2", "Z", "é", "1483228800000", "😀", "x" * 90 + "1", "x" * 90 + "2")),
    st.integers(0, 9).map(lambda n: "é" * 40 + str(n)),
)
IDS = st.one_of(OURS, FOREIGN)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(added=st.lists(st.lists(IDS, max_size=12), max_size=8), asked=st.lists(IDS, max_size=20))
def test_a_window_suspects_what_it_holds_and_what_is_too_old_to_tell(
    added: list[list[str]], asked: list[str]
) -> None:
    window, known = IdWindow(rows=10), set()
    for ids in added:
        window.add(pa.array(ids, pa.string()))
        known.update(ids)
    suspects = set(window.suspects(pa.array(asked, pa.string())).to_pylist())
    old = {name for name in asked if name.encode() <= window.horizon.encode()}
    assert suspects == old | (known & set(asked))


def test_a_window_keeps_the_newest_and_lifts_its_horizon() -> None:
    window = IdWindow(rows=10)
    window.add(pa.array([f"{n:013d}-a" for n in range(30)]))
    assert window.horizon == f"{19:013d}-a"
    fresh = pa.array([f"{n:013d}-b" for n in range(20, 40)])
    assert window.suspects(fresh).to_pylist() == []


class Counting(Duck):
    """Counts the files that are read."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.files = 0

    def read_parquet(self, paths: list[str], *arguments: Any) -> pa.Table:
        self.files += len(paths)
        return super().read_parquet(paths, *arguments)


class Raw:
    """A raw table that grows file by file, and the rows that it should hold."""

    def __init__(self, root: Path) -> None:
        tables.ensure(root, TABLE)
        self.root = root
        self.handle = tables.open_table(root, TABLE.name)
        self.places: dict[str, tuple[int, int]] = {}
        self._commits = 0

    def append(self, ids: list[str]) -> pa.Table:
        """One file of those ids that are new."""
        fresh = [name for name in dict.fromkeys(ids) if name not in self.places]
        for name in fresh:
            self.places[name] = (0, len(self.places))
        rows = pa.Table.from_pylist(
            [_row(name, self.places[name]) for name in fresh],
            schema=arrow_contract.schema(TABLE.columns),
        )
        writing.append(self.handle, TABLE.name, rows, Write.once(Txn("test", self._commits)))
        self._commits += 1
        return rows


def _row(name: str, place: tuple[int, int]) -> dict[str, Any]:
    fields = {"event_type": "lost_sale", "shelf_id": "S1-I1", "item_id": "I1", "customer_id": "C1"}
    origin = {"kafka_partition": place[0], "kafka_offset": place[1], "kafka_timestamp": NOW}
    made = event("lost_sales", 0, NOW, quantity=1, **fields)
    return {**made, "event_id": name, **origin, "ingested_at": NOW, "event_date": NOW.date()}


def found(index: IdIndex, ids: list[str]) -> dict[str, tuple[int, int]]:
    rows = index.seen(pa.chunked_array([pa.array(ids, pa.string())])).to_pylist()
    assert len({row["event_id"] for row in rows}) == len(rows)
    return {row["event_id"]: (row["kafka_partition"], row["kafka_offset"]) for row in rows}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=st.lists(st.lists(IDS, min_size=1, max_size=8), min_size=1, max_size=6),
    asked=st.lists(st.lists(IDS, min_size=1, max_size=10), min_size=6, max_size=6),
    limit=st.sampled_from((1, 4, 1000)),
    restart_at=st.integers(0, 6),
)
def test_an_index_finds_the_rows_that_raw_holds(
    folder: Path, batches: list[list[str]], asked: list[list[str]], limit: int, restart_at: int
) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        raw = Raw(Path(name))
        index = IdIndex(raw.handle, limit, Duck(threads=1))
        for number, (ids, wanted) in enumerate(zip(batches, asked, strict=False)):
            if number == restart_at:
                index = IdIndex(raw.handle, limit, Duck(threads=1))
            index.add(raw.append(ids)["event_id"])
            known = {n: raw.places[n] for n in wanted if n in raw.places}
            assert found(index, wanted) == known
            assert may_hold(raw.handle, min(wanted), max(wanted)) >= bool(known)


def ours(first: int, rows: int = 10) -> list[str]:
    return [f"{1483228800000 + n:013d}-a" for n in range(first, first + rows)]


def test_only_files_that_can_hold_an_id_are_read(tmp_path: Path) -> None:
    raw = Raw(tmp_path)
    for number in range(12):
        raw.append(ours(10 * number))
    duck = Counting()
    index = IdIndex(raw.handle, 20, duck)
    assert duck.files == 2, "a start reads the newest files alone"
    duck.files = 0
    assert found(index, ours(500)) == {}
    assert duck.files == 0, "new ids are told without a file"
    assert not may_hold(raw.handle, ours(120)[0], ours(500)[-1])
    assert may_hold(raw.handle, ours(119)[0], ours(500)[-1])
    assert found(index, ours(33, 3)) == {name: raw.places[name] for name in ours(33, 3)}
    assert duck.files == 1


def test_foreign_ids_are_right_even_where_more_files_must_be_read(tmp_path: Path) -> None:
    raw = Raw(tmp_path)
    for number in range(4):
        raw.append([f"foreign-{9 - number}", f"other-{number}"])
    duck = Counting()
    index = IdIndex(raw.handle, 1, duck)
    assert set(found(index, ["foreign-8", "nothing", "other-3"])) == {"foreign-8", "other-3"}
    assert 0 < duck.files <= 5


def test_a_duplicate_is_found_in_raw_after_it_left_the_window(tmp_path: Path) -> None:
    raw = Raw(tmp_path)
    index = IdIndex(raw.handle, 5, Duck(threads=1))
    for number in range(6):
        index.add(raw.append(ours(10 * number))["event_id"])
    assert set(found(index, [*ours(0, 2), *ours(58, 4)])) == {*ours(0, 2), *ours(58, 2)}
