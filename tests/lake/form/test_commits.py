"""Commits are made once for an application id and version."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import LakeError
from lakeshelf.lake.form import commits
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import merging, rewriting, writing

NAME = "ops/stock_discrepancies"
TABLE = CATALOG.tables[NAME]
NOW = datetime(2017, 1, 1, tzinfo=UTC)


@pytest.fixture
def handle(tmp_path: Path) -> DeltaTable:
    tables.ensure(tmp_path, TABLE)
    return tables.open_table(tmp_path, NAME)


def rows(*missing: tuple[str, int]) -> pa.Table:
    found: list[dict[str, Any]] = [
        {"location": "store", "shelf_id": shelf, "batch_code": "", "missing_qty": qty, "since": NOW, "version": 1}
        for shelf, qty in missing
    ]  # fmt: skip
    return pa.Table.from_pylist(found, schema=arrow_contract.schema(TABLE.columns))


def held(handle: DeltaTable) -> dict[str, int]:
    found = DeltaTable(handle.table_uri).to_pyarrow_table().to_pylist()
    assert len({row["shelf_id"] for row in found}) == len(found)
    return {row["shelf_id"]: row["missing_qty"] for row in found}


def test_an_append_is_made_once(handle: DeltaTable) -> None:
    first = writing.append(handle, NAME, rows(("a", 1)), Write.once(Txn("app", 3)))
    again = writing.append(handle, NAME, rows(("b", 1)), Write.once(Txn("app", 3)))
    assert (first.rows, first.skipped) == (1, "")
    assert (again.rows, again.skipped, again.version) == (0, "already committed", None)
    assert held(handle) == {"a": 1}


def test_a_replacement_is_made_once_and_leaves_the_handle_at_its_version(
    handle: DeltaTable,
) -> None:
    writing.append(handle, NAME, rows(("a", 1), ("b", 1)), Write.once(Txn("app", 1)))
    both = rows(("b", 2), ("c", 3))
    first = rewriting.rewrite(handle, NAME, both, both, Write.once(Txn("app", 2)))
    again = rewriting.rewrite(handle, NAME, rows(), rows(), Write.once(Txn("app", 2)))
    assert (first.rows, first.version, again.skipped) == (2, handle.version(), "already committed")
    assert held(handle) == {"b": 2, "c": 3}
    rewriting.rewrite(handle, NAME, rows(), rows(), Write.once(Txn("app", 3)))
    assert held(handle) == {}


def test_a_replacement_that_breaks_a_constraint_writes_nothing(handle: DeltaTable) -> None:
    writing.append(handle, NAME, rows(("a", 1)), Write.once(Txn("app", 1)))
    broken = rows(("a", -1))
    with pytest.raises(LakeError, match=r"1 row of ops/stock_discrepancies against .*missing_qty"):
        rewriting.rewrite(handle, NAME, broken, broken, Write.once(Txn("app", 2)))
    assert held(handle) == {"a": 1}


@pytest.mark.parametrize("name", ["order", "at most nine", 'the "limit"'])
def test_a_constraint_may_have_any_name(handle: DeltaTable, name: str) -> None:
    handle.alter.set_table_properties(
        {f"delta.constraints.{name}": "missing_qty < 10"}, raise_if_not_exists=False
    )
    assert (
        rewriting.rewrite(
            handle, NAME, rows(("a", 9)), rows(("a", 9)), Write.once(Txn("app", 1))
        ).rows
        == 1
    )
    with pytest.raises(LakeError, match=re.escape(f"constraint {name}: missing_qty < 10")):
        rewriting.rewrite(handle, NAME, rows(("a", 10)), rows(("a", 10)), Write.once(Txn("app", 2)))
    assert held(handle) == {"a": 9}


def test_an_upsert_is_made_once(handle: DeltaTable) -> None:
    merging.upsert(handle, NAME, rows(("a", 1)), TABLE.key, Write.once(Txn("app", 3)))
    again = merging.upsert(handle, NAME, rows(("a", 2)), TABLE.key, Write.once(Txn("app", 3)))
    assert again.skipped
    assert held(handle) == {"a": 1}


def test_the_identity_stands_in_the_log(handle: DeltaTable) -> None:
    writing.append(handle, NAME, rows(("a", 1)), Write.once(Txn("one", 3)))
    merging.upsert(handle, NAME, rows(("b", 1)), TABLE.key, Write.once(Txn("two", 0)))
    fresh = DeltaTable(handle.table_uri)
    assert [fresh.transaction_version(name) for name in ("one", "two", "three")] == [3, 0, None]
    assert commits.is_committed(fresh, Txn("one", 2)), "what came before stands there too"
    assert not commits.is_committed(fresh, Txn("one", 4))
    assert not commits.is_committed(fresh, Txn("three", 0))


def test_writers_do_not_meet_each_others_identity(handle: DeltaTable) -> None:
    writing.append(handle, NAME, rows(("a", 1)), Write.once(Txn("old checkpoint", 9)))
    writing.append(handle, NAME, rows(("b", 1)), Write.once(Txn("new checkpoint", 0)))
    assert held(handle) == {"a": 1, "b": 1}


def test_an_upsert_replaces_and_inserts(handle: DeltaTable) -> None:
    first = rows(("a", 1), ("b", 1), ("c", 1))
    merging.upsert(handle, NAME, first, TABLE.key, Write.once(Txn("app", 0)))
    second = rows(("a", 2), ("d", 4))
    merging.upsert(handle, NAME, second, TABLE.key, Write.once(Txn("app", 1)))
    assert held(handle) == {"a": 2, "b": 1, "c": 1, "d": 4}


def test_no_rows_make_no_commit(handle: DeltaTable) -> None:
    before = handle.version()
    assert writing.append(handle, NAME, rows(), Write.once(Txn("app", 0))).skipped == "no rows"
    assert (
        merging.upsert(handle, NAME, rows(), TABLE.key, Write.once(Txn("app", 0))).skipped
        == "no rows"
    )
    assert DeltaTable(handle.table_uri).version() == before


def test_without_the_check_a_repeat_doubles_rows(
    handle: DeltaTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """delta-rs stores the identity and does not enforce it."""
    monkeypatch.setattr(commits, "is_committed", lambda *_: False)
    for _ in range(2):
        writing.append(handle, NAME, rows(("a", 1)), Write.once(Txn("app", 0)))
    assert DeltaTable(handle.table_uri).to_pyarrow_table().num_rows == 2
