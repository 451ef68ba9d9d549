"""Queries and components do what others ask of their tables, between their commits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakeshelf.components import journal
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.retail.tables_library import JOURNAL_PREFIX
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.run.query import RunningQuery
from tests.lake.upkeep.test_maintenance import entry
from tests.streams.commit.test_maintained_tables import RAW, lost

MERGE = {"min_small_files": 2}


def idle(root: Path) -> RunningQuery:
    """The query that keeps `RAW`, with no batch at hand."""
    settings, nothing = load_settings(lake_root=root), None
    plans = plan(registry.discover(settings.home).values())
    query = RunningQuery(next(p for p in plans if RAW in p.tables), settings, nothing, {})
    query._sink = query._committing.sink(None)
    query._running: Any = SimpleNamespace(isActive=True)
    return query


def ask(root: Path, name: str, lock: str, serve: Any) -> requests.Done:
    """Ask an owner that holds its lease, and acts whenever it is waited for."""
    with FileLock(root / "_stack" / f"{lock}.lock", "the owner"):
        return requests.carry_out(
            Lake(root), name, "optimize", MERGE, timeout_s=30, pause=lambda _: serve()
        )


@pytest.mark.parametrize(
    ("name", "rows", "lock"),
    [(RAW, lost, f"locks/{RAW}"), (ledger.LEDGER, entry, "streams")],
)
def test_a_query_without_batches_maintains_its_tables_and_the_books_when_asked(
    tmp_path: Path, name: str, rows: Any, lock: str
) -> None:
    tables.ensure(tmp_path, CATALOG.tables[name])
    query = idle(tmp_path)
    keeper = query._sink.books if name == ledger.LEDGER else query._sink._committer
    for number in range(5):
        keeper.append(name, rows(number), Txn("q", number))
    keeper.settle()
    done = ask(tmp_path, name, lock, query.tend)
    assert done.by == CATALOG.tables[name].owner
    assert done.report["done"][0]["files"] == 5
    keeper.append(name, rows(5), Txn("q", 5)).result()
    assert tables.row_count(tmp_path, name) == 6


def test_a_batch_is_not_disturbed_and_does_it_at_its_end(tmp_path: Path) -> None:
    tables.ensure(tmp_path, CATALOG.tables[RAW])
    query = idle(tmp_path)
    meanwhile: list[list[str]] = []

    def process(*_: Any) -> None:
        query.tend()
        query._sink.settle()
        meanwhile.append(requests.asked(tmp_path / "_stack", [RAW]))

    def batch() -> None:
        query._isolation: Any = SimpleNamespace(process=process)
        query._checkpoint: Any = SimpleNamespace(base=0, until=lambda _: {}, offsets=lambda _: {})
        query._batch(None, 1)
        query._sink.settle()
        assert requests.asked(tmp_path / "_stack", [RAW]) == []

    assert ask(tmp_path, RAW, f"locks/{RAW}", batch).report["done"] == []
    assert meanwhile == [[RAW]]


def test_a_table_that_cannot_be_opened_is_told_and_the_query_goes_on(tmp_path: Path) -> None:
    tables.ensure(tmp_path, CATALOG.tables[RAW])
    query = idle(tmp_path)

    def damaged() -> None:
        for file in (tmp_path / RAW / "_delta_log").iterdir():
            file.write_text("{")
        query.tend()

    with pytest.raises(Exception, match=RAW):
        ask(tmp_path, RAW, f"locks/{RAW}", damaged)
    query._sink.settle()


@pytest.mark.parametrize("component", ["producer-pos", "inference-service"])
def test_a_component_does_it_for_its_journal_and_its_own_table(
    tmp_path: Path, component: str
) -> None:
    own = [t for t in CATALOG.tables.values() if t.owner == component]
    for table in own:
        tables.ensure(tmp_path, table)
    name = next((t.name for t in own if t.name.startswith(JOURNAL_PREFIX)), own[0].name)
    held = journal.opened(tmp_path, component, name)
    for table in own:
        done = ask(
            tmp_path, table.name, f"locks/{component}", lambda: held.serve(tmp_path / "_stack")
        )
        assert done.by == component
