"""Statements: what they see, what they are refused, what they may take."""

from __future__ import annotations

import dataclasses
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lakeshelf import query
from lakeshelf.errors import LakeshelfError
from lakeshelf.lake import Lake, NotFound, TimeOutOfRange, VersionNotFound
from lakeshelf.query import duck, session, statement
from lakeshelf.query.engines import ENGINES, PLAIN
from lakeshelf.query.errors import translated
from tests.query.conftest import NAME, rows

# Each runs on its own connection, as on the command line; the extension makes that slow, so they share a test.
IDS = "SELECT id FROM sales.lines ORDER BY id"


def ask(lake: Lake, text: str, **given: Any) -> list[dict[str, Any]]:
    with query.run(lake, text, **given) as result:
        found: list[dict[str, Any]] = result.read_all().to_pylist()
        return found


def ids(lake: Lake, text: str = IDS, **given: Any) -> list[int]:
    return [row["id"] for row in ask(lake, text, **given)]


@pytest.mark.slow
def test_tables_are_layer_and_name(shop: Lake) -> None:
    joined = "SELECT l.id, price FROM sales.lines l JOIN sales.prices USING (id) ORDER BY ALL"
    assert ask(shop, joined) == [{"id": 1, "price": 0.5}, {"id": 2, "price": 1.5}]
    assert ids(shop, "WITH lines AS (FROM Sales.LINES) SELECT max(id) AS id FROM lines") == [3]
    assert ask(shop, "SHOW TABLES") == [{"name": "sales.lines"}, {"name": "sales.prices"}]
    assert [row["column_name"] for row in ask(shop, "DESCRIBE sales.lines")] == ["id", "item"]
    assert "delta" in str(ask(shop, "EXPLAIN FROM sales.lines")).lower()


@pytest.mark.slow
def test_at_reads_the_version_it_names(shop: Lake) -> None:
    assert ids(shop, "SELECT id FROM sales.lines AT (VERSION => 1)") == [1]
    assert ids(shop, "SELECT x.id FROM sales.lines x AT (VERSION => 2) ORDER BY id") == [1, 2]
    both = "SELECT n.id FROM sales.lines n ANTI JOIN sales.lines o AT (VERSION => 2) USING (id)"
    with query.run(shop, both) as result:
        assert result.read_all()["id"].to_pylist() == [3]
        assert [(pin.name, pin.version) for pin in result.pins] == [(NAME, 3), (NAME, 2)]
    assert ids(shop, "SELECT id FROM sales.lines AT (VERSION => 1)", at=2) == [1]
    assert ids(shop, at=2) == [1, 2]
    assert ids(shop, "EXPLAIN SELECT 1 AS id".removeprefix("EXPLAIN ")) == [1]


@pytest.mark.slow
def test_a_time_is_the_version_that_was_the_latest_then(shop: Lake, tmp_path: Path) -> None:
    entries = {entry.version: entry.committed_at for entry in shop.history(NAME)}
    instant = entries[2]
    assert instant < entries[3]
    asked = f"SELECT id FROM sales.lines AT (TIMESTAMP => '{instant.isoformat()}') ORDER BY id"
    assert ids(shop, asked) == [1, 2]
    assert ids(shop, at=instant) == [1, 2]
    copied = tmp_path / "copy"
    shutil.copytree(str(shop.root.folder), copied)
    for place in copied.rglob("*.json"):
        os.utime(place, (0, 0))
    assert ids(Lake(copied, clock=shop.clock), asked) == [1, 2]


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("VERSION => 9", VersionNotFound),
        ("TIMESTAMP => '2001-01-01T00:00:00Z'", TimeOutOfRange),
        ("TIMESTAMP => '2026-01-01T00:00:00'", TimeOutOfRange),
        ("TIMESTAMP => 'yesterday'", query.SqlError),
        ("TIMESTAMP => now()", query.SqlError),
        ("VERSION => 'x'", query.SqlError),
    ],
)
def test_a_version_that_cannot_be_is_one_line(
    shop: Lake, when: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        ask(shop, f"FROM sales.lines AT ({when})")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_all_tables_of_a_statement_are_pinned_before_it_runs(shop: Lake) -> None:
    with query.run(shop, IDS) as result:
        shop.append(NAME, rows(4))
        shop.overwrite("sales/prices", pa.table({"id": [9], "price": [9.0]}))
        assert result.read_all()["id"].to_pylist() == [1, 2, 3]
    assert ids(shop) == [1, 2, 3, 4]


HARMLESS = {"parse_filename", "pg_conf_load_time"}
HOSTILE = [
    "COPY sales.lines TO '{there}/x.csv'",
    "COPY (SELECT 1) TO '{there}/x.csv'",
    "ATTACH '{there}/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 1",
    "RESET enable_external_access",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CREATE TABLE t (a INT)",
    "CREATE TABLE t AS FROM sales.lines",
    "INSERT INTO sales.lines VALUES (9, 'x')",
    "UPDATE sales.lines SET id = 1",
    "DELETE FROM sales.lines",
    "DROP VIEW sales.lines",
    "EXPORT DATABASE '{there}/x'",
    "CHECKPOINT",
    "USE sales",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP SCHEMA sales",
    "",
    ";",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM READ_TEXT('{lake}/sales/lines/_delta_log/00000000000000000000.json')",
    "SELECT * FROM read_parquet('{lake}/sales/lines/*.parquet')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM sales.lines, LATERAL (FROM read_text('/etc/passwd'))",
    "SELECT * FROM (WITH a AS (FROM glob('/etc/*')) FROM a)",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM '{lake}/sales/prices/*.parquet'",
    "SELECT * FROM delta_scan('{lake}/sales/prices')",
    "SELECT * FROM parquet_metadata('{lake}/sales/lines/*.parquet')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('sales.lines')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "SELECT write_blob('{lake}/sales/lines/x', 'x'::BLOB)",
    "SELECT current_setting('allowed_directories')",
    "SELECT getenv('HOME')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{there}/x.csv'",
    "EXPLAIN SELECT * FROM read_text('/etc/passwd')",
    "DESCRIBE SELECT * FROM read_text('/etc/passwd')",
    "SUMMARIZE SELECT * FROM read_text('/etc/passwd')",
    "PIVOT (FROM read_text('/etc/passwd')) ON filename IN ('a') USING count(*)",
    "SHOW DATABASES",
    "SHOW ALL TABLES",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM memory.sales.lines",
    'SELECT * FROM "../sales".lines',
    'SELECT * FROM sales."../lines"',
    'SELECT * FROM sales."lines\'; DROP VIEW x; --"',
    'SELECT * FROM sales."lines%2f..%2fprices"',
    "PREPARE v AS SELECT 1",
    "VACUUM",
    "BEGIN",
    "DEALLOCATE x",
]


@pytest.mark.parametrize("text", ["IMPORT DATABASE '{0}'", "PRAGMA import_database('{0}')"])
def test_no_file_is_opened_to_read_a_statement(shop: Lake, tmp_path: Path, text: str) -> None:
    """What is said of a folder does not tell what stands there."""

    def refusal() -> str:
        with pytest.raises(query.SqlError) as caught:
            ask(shop, text.format(tmp_path), connection=parser())
        return str(caught.value)

    nothing = refusal()
    (tmp_path / "schema.sql").write_text("the secret of a file")
    (tmp_path / "load.sql").write_text("SELECT 1")
    assert refusal() == nothing
    assert "secret" not in nothing


@pytest.mark.parametrize("text", HOSTILE)
def test_what_does_not_read_tables_is_refused_in_one_line(
    shop: Lake, tmp_path: Path, text: str
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    before = sorted(Path(str(shop.root.folder)).rglob("*"))
    with pytest.raises((query.SqlError, NotFound)) as caught:
        ask(shop, text.format(lake=shop.root.folder, there=there), connection=parser())
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, LakeshelfError)
    assert caught.value.hint or "syntax" in str(caught.value)
    assert sorted(Path(str(shop.root.folder)).rglob("*")) == before
    assert not list(there.iterdir())


def parser() -> Any:
    """A connection without the extension: what is refused is refused before a table is opened."""
    import duckdb

    return duckdb.connect(config=dict(session.CONFIG))


@pytest.mark.slow
def test_a_statement_that_got_past_the_parser_still_cannot_leave_its_tables(
    shop: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lakeshelf.query.statement._require_harmless", lambda nodes: None)
    (tmp_path / "secret").write_text("secret")
    for text in (
        f"SELECT * FROM sales.lines, read_text('{tmp_path}/secret')",
        f"SELECT * FROM sales.lines, read_parquet('{shop.root.folder}/sales/prices/*.parquet')",
        f"SELECT * FROM sales.lines, delta_scan('{shop.root.folder}/sales/prices')",
    ):
        with pytest.raises(LakeshelfError, match="disabled by configuration"):
            ask(shop, text)


def test_no_function_that_touches_files_is_known_to_the_engine_and_not_refused() -> None:
    # `write_blob` writes anywhere, whatever DuckDB is configured to; a newer DuckDB may have more like it.
    suspicious = "file|write|read|glob|env|secret|load|copy|attach|exec|shell|http|setting|variable"
    with duck.connected() as connection:
        named = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro') "
            f"AND regexp_matches(function_name, '{suspicious}')"
        ).fetchall()
    found = {name for (name,) in named if not statement.is_refused(name)}
    assert found == HARMLESS
    assert statement.is_refused("write_blob")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM sales.line", "no table 'sales.line'; did you mean sales.lines"),
        ("FROM lines", "no table 'lines'; did you mean sales.lines?"),
        ("SELECT idd FROM sales.lines", r"idd.*\(line 1, column 8\); did you mean id"),
        ("SELECT\n  id,, FROM sales.lines", r"syntax error.*\(line 2, column 6\)"),
        ("SELECT item::INT FROM sales.lines", "Could not convert string 'item .' to INT32"),
    ],
)
def test_an_error_says_what_and_where(shop: Lake, text: str, told: str) -> None:
    with pytest.raises(LakeshelfError, match=told) as caught:
        ask(shop, text)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_time_is_limited(shop: Lake) -> None:
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b, sales.lines"
    with pytest.raises(query.LimitReached, match=r"longer than 0\.5 s"):
        ask(shop, endless, limits=query.Limits(seconds=0.5))
    assert ids(shop) == [1, 2, 3]


def test_memory_is_limited(shop: Lake) -> None:
    with pytest.raises(query.LimitReached, match="--memory"):
        ask(shop, "SELECT list(range) FROM range(100000000)", limits=query.Limits(memory="50MB"))


def test_what_duckdb_cannot_read_itself_comes_as_arrow_and_is_said(
    shop: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = dataclasses.replace(ENGINES["duckdb"], reads={PLAIN: "notyet"})
    monkeypatch.setitem(ENGINES, "duckdb", lacking)
    twice = "SELECT a.id FROM sales.lines a JOIN sales.lines b USING (id) WHERE b.id > 1 ORDER BY 1"
    with query.run(shop, twice) as result:
        assert result.read_all()["id"].to_pylist() == [2, 3]
        assert result.pins == (session.Pin(NAME, 3, "scan"),)


def test_a_moved_lake_with_a_quote_in_its_path_is_read(shop: Lake, tmp_path: Path) -> None:
    moved = tmp_path / "it's a lake"
    shutil.move(str(shop.root.folder), moved)
    assert ids(Lake(moved)) == [1, 2, 3]


def test_the_connection_configures_nothing_by_itself() -> None:
    with duck.connected() as connection:
        settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["autoinstall_known_extensions"] == "false"
    assert settings["autoload_known_extensions"] == "false"


def test_times_are_in_utc_wherever_it_runs(shop: Lake) -> None:
    found = ask(shop, "SELECT TIMESTAMPTZ '2026-05-01 06:00:00+02' AS t")[0]["t"]
    assert (found.utcoffset(), found.hour) == (timedelta(0), 4)
    assert isinstance(found, datetime)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(duckdb.Error, "Error"), (duckdb.OutOfMemoryException, "OutOfMemoryException")],
)
def test_an_error_that_says_nothing_is_told_by_its_name(kind: type[Exception], name: str) -> None:
    assert translated(kind(""), None).message == name
