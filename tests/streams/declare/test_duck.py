"""The engine of small batches: statements are prepared once and never see rows of another call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshelf.lake.write.statements import STATEMENTS, Input
from lakeshelf.streams.declare import duck
from lakeshelf.streams.declare.duck import Duck

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


@pytest.mark.slow
def test_of_very_many_statements_only_those_used_last_are_kept() -> None:
    engine = Duck(threads=1)
    for number in [*range(STATEMENTS), 0, STATEMENTS]:
        found = engine.native(f"SELECT amount + {number} AS more FROM rows", rows=amounts(1))
        assert found["more"].to_pylist() == [1 + number]
    held = engine._connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    texts = "".join(f"{text};" for (text,) in held)
    assert len(held) == STATEMENTS
    assert "(amount + 0)" in texts
    assert "(amount + 1)" not in texts


def test_rows_are_let_go_when_a_statement_has_run() -> None:
    engine, rows = Duck(threads=1), amounts(*range(100_000))
    before = pa.total_allocated_bytes()
    del rows
    engine.query(TOTAL, rows=amounts(*range(100_000)))
    assert pa.total_allocated_bytes() < before


ROWS = pa.table({"amount": [1, 2, None], "word": ["a", "b", None], "other": [0, 0, 0]})


@pytest.mark.parametrize(
    ("columns", "condition", "found"),
    [
        (None, None, ROWS),
        (["word"], None, ROWS.select(["word"])),
        (["word"], pc.field("amount") > 1, pa.table({"word": ["b"]})),
        (["other", "word"], pc.field("amount").is_null(), ROWS.slice(2).select(["other", "word"])),
        ([], pc.field("amount") > 5, ROWS.slice(0, 0).select([])),
    ],
)
def test_of_an_input_only_those_columns_and_rows_are_read_that_are_asked_for(
    columns: list[str] | None, condition: pc.Expression | None, found: pa.Table
) -> None:
    assert Input(ROWS).scanner(columns, condition).to_reader().read_all() == found


@pytest.mark.parametrize(
    ("condition", "words"),
    [("amount > 1", ["b"]), ("amount > 1 OR word IS NULL", ["b", None]), ("word < 'b'", ["a"])],
)
def test_a_filter_takes_the_same_rows_wherever_it_is_applied(
    condition: str, words: list[str | None]
) -> None:
    found = Duck(threads=1).query(f"SELECT word FROM {{rows}} WHERE {condition}", rows=ROWS)
    assert found["word"].to_pylist() == words
