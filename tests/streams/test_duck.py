"""The engine of small batches: statements are prepared once and never see rows of another call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lakeshelf.lake import statements
from lakeshelf.streams import duck
from lakeshelf.streams.duck import Duck

TOTAL = "SELECT coalesce(sum(amount), 0) AS total FROM {rows}"
NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)


def amounts(*found: int) -> pa.Table:
    return pa.table({"amount": pa.array(found, pa.int64())})


def test_a_statement_sees_the_rows_that_it_is_given_each_time() -> None:
    engine = Duck(threads=1)
    given = [amounts(1, 2), amounts(), amounts(5), pa.concat_tables([amounts(1)] * 3)]
    totals = [engine.query(TOTAL, rows=rows)["total"][0].as_py() for rows in given]
    assert totals == [3, 0, 5, 3]


def test_other_columns_under_the_same_name_are_read_as_they_are() -> None:
    engine = Duck(threads=1)
    text = "SELECT max(amount) AS most FROM {rows}"
    assert engine.query(text, rows=amounts(7, 10))["most"].to_pylist() == [10]
    assert engine.query(text, rows=pa.table({"amount": ["7", "10"]}))["most"].to_pylist() == ["7"]
    assert engine.query(text, rows=amounts(7, 10))["most"].to_pylist() == [10]


def test_a_point_in_time_is_given_and_the_statement_not_translated_again() -> None:
    engine, text = Duck(threads=1), "SELECT CAST({at} AS TIMESTAMP) AS at FROM {rows}"
    before = duck.to_duckdb.cache_info().misses
    for hours in range(5):
        at = NOON + timedelta(hours=hours, microseconds=1)
        assert engine.query(text, rows=amounts(1), at=at)["at"].to_pylist() == [at]
    assert duck.to_duckdb.cache_info().misses == before + 1


def test_a_statement_that_fails_runs_again_with_other_rows() -> None:
    engine, text = Duck(threads=1), "SELECT CAST(word AS INT) AS number FROM {rows}"
    strict = text.replace("{rows}", "rows")
    with pytest.raises(duckdb.ConversionException):
        engine.native(strict, rows=pa.table({"word": ["x"]}))
    assert engine.native(strict, rows=pa.table({"word": ["4"]}))["number"].to_pylist() == [4]


def test_no_more_statements_are_kept_than_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "STATEMENTS", 3)
    engine = Duck(threads=1)
    for number in [*range(10), 0, 9]:
        found = engine.query(f"SELECT amount + {number} AS more FROM {{rows}}", rows=amounts(1))
        assert found["more"].to_pylist() == [1 + number]
    held = engine._connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert held == (3,)


def test_rows_are_let_go_when_a_statement_has_run() -> None:
    engine, rows = Duck(threads=1), amounts(*range(100_000))
    before = pa.total_allocated_bytes()
    del rows
    engine.query(TOTAL, rows=amounts(*range(100_000)))
    assert pa.total_allocated_bytes() < before


def test_a_statement_reads_the_columns_and_rows_that_it_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[str] | None, bool]] = []
    scanner = statements.Input.scanner

    def recording(
        given: statements.Input,
        columns: list[str] | None = None,
        filter: Any = None,  # noqa: A002 - so DuckDB calls it
    ) -> statements.Selection:
        asked.append((columns, filter is not None))
        return scanner(given, columns, filter)

    monkeypatch.setattr(statements.Input, "scanner", recording)
    rows = pa.table({"amount": [1, 2, None], "word": ["a", "b", None], "other": [0, 0, 0]})
    text = "SELECT word FROM {rows} WHERE amount > 1 OR word IS NULL"
    assert Duck(threads=1).query(text, rows=rows)["word"].to_pylist() == ["b", None]
    text = "SELECT word FROM {rows} WHERE amount > 1"
    assert Duck(threads=1).query(text, rows=rows)["word"].to_pylist() == ["b"]
    assert all(set(columns or ()) <= {"amount", "word"} for columns, _ in asked)
    assert asked[-1][1]
