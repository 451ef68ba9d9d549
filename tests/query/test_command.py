"""`lakeshelf sql`, as a shell runs it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lakeshelf.cli.data import sql as command
from lakeshelf.lake import Lake
from lakeshelf.query import engines

Run = Callable[..., Any]


@pytest.fixture
def filled(lake: Path) -> Lake:
    made = Lake(lake)
    made.append("sales/lines", pa.table({"id": [1, 2, 3], "item": ["a", 'b, "c"', None]}))
    return made


@pytest.mark.usefixtures("filled")
def test_a_table_says_how_much_it_shows_and_what_it_read(lakeshelf: Run) -> None:
    shown = lakeshelf("sql", "FROM sales.lines ORDER BY id", "--max-rows", 2)
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()] == ["id", "1", "2"]
    assert "2 of 3 rows; --max-rows shows more" in shown.err
    assert "sales.lines at version 1" in shown.err


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_csv_and_json_hold_the_same_rows(lakeshelf: Run) -> None:
    text = "FROM sales.lines ORDER BY id"
    as_csv = lakeshelf("sql", text, "--csv")
    assert list(csv.reader(io.StringIO(as_csv.out)))[1:] == [["1", "a"], ["2", 'b, "c"'], ["3", ""]]
    found = json.loads(lakeshelf("sql", text, "--json").out)
    assert found == [{"id": 1, "item": "a"}, {"id": 2, "item": 'b, "c"'}, {"id": 3, "item": None}]
    assert json.loads(lakeshelf("sql", f"{text} LIMIT 0", "--json").out) == []


def test_values_that_json_lacks_are_text(lakeshelf: Run, filled: Lake) -> None:
    del filled
    text = (
        "SELECT 'nan'::DOUBLE AS x, 1.50::DECIMAL(5,2) AS d, '\\xFF'::BLOB AS b, [1, NULL] AS l, "
        "{'a': DATE '2026-01-02'} AS s, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS t"
    )
    assert json.loads(lakeshelf("sql", text, "--json").out) == [
        {
            "x": "nan",
            "d": "1.50",
            "b": "ff",
            "l": [1, None],
            "s": {"a": "2026-01-02"},
            "t": "2026-01-02T03:04:05+00:00",
        }
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_file_appears_when_it_is_whole_and_none_is_overwritten(
    lakeshelf: Run, tmp_path: Path
) -> None:
    place = tmp_path / "out.parquet"
    assert lakeshelf("sql", "FROM sales.lines", "--parquet", place).code == 0
    assert parquet.read_table(place).num_rows == 3
    assert "exists" in lakeshelf("sql", "FROM sales.lines", "-o", place).error
    wrong = lakeshelf("sql", "SELECT item::INT FROM sales.lines", "-o", tmp_path / "x.csv")
    assert wrong.code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lake", "out.parquet"]
    cut = lakeshelf("sql", "FROM sales.lines", "-o", tmp_path / "cut.csv", "--max-rows", 1)
    assert cut.code == 2
    assert "1 of 3 rows" in cut.err


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_statement_comes_from_a_file_or_stdin(
    lakeshelf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM sales.lines;\n")
    assert json.loads(lakeshelf("sql", "-f", tmp_path / "q.sql", "--json").out) == [{"n": 3}]
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 7 AS n"))
    assert json.loads(lakeshelf("sql", "--json").out) == [{"n": 7}]


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_at_is_for_the_whole_statement(lakeshelf: Run) -> None:
    found = lakeshelf("sql", "SELECT count(*) AS n FROM sales.lines", "--at", 0, "--json")
    assert json.loads(found.out) == [{"n": 0}]
    assert "sales.lines at version 0" in found.err
    assert "has no version 7" in lakeshelf("sql", "FROM sales.lines", "--at", 7).error


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["FROM sales.linse"], "did you mean sales.lines?"),
        (["DROP TABLE sales.lines"], "DROP is not allowed; only SELECT"),
        (["SELECT 1", "--csv", "--json"], "2 formats: csv, json; choose one"),
        (["SELECT 1", "--format", "parquet"], "name a file with --output"),
        (["SELECT 1", "-f", "nowhere.sql"], "give one of them"),
        (["SELECT 1", "-o", "report.xlsx"], "report.xlsx says no format; end it with .csv, .json"),
        (["-f", "nowhere.sql"], "nowhere.sql cannot be read"),
    ],
)
def test_an_error_is_one_line(lakeshelf: Run, arguments: list[str], told: str) -> None:
    failed = lakeshelf("sql", *arguments)
    assert told in failed.error
    assert failed.code in (1, 2)
    assert not failed.out


def test_untested_versions_end_with_their_own_code(
    lakeshelf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.TESTED, "duckdb", "9.9")
    failed = lakeshelf("sql", "SELECT 1")
    assert failed.code == 3
    assert "9.9 was tried with this release" in failed.error


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_the_prompt_answers_until_the_input_ends(
    lakeshelf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["SELECT count(*) AS n", "FROM sales.lines;", "SELEC 1;", "SELECT 8 AS m;"])

    def read(_prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(command, "_statement_text", lambda statement, file: None)
    told = lakeshelf("sql")
    assert told.code == 0
    assert told.out.split() == ["n", "3", "m", "8"]
    assert 'error: syntax error at or near "SELEC"' in told.err


@pytest.mark.slow
def test_an_answer_with_times_is_printed_without_importing_pandas(lake: Path) -> None:
    """pyarrow imports it for a time with a zone, which takes longer than the statement."""
    Lake(lake).append("curated/times", [{"at": datetime(2024, 1, 1, 12, tzinfo=UTC)}])
    code = (
        "import sys; from lakeshelf.cli import main; "
        "assert main.run(['sql', 'SELECT * FROM curated.times']) == 0; "
        "sys.exit('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2024-01-01T12:00:00+00:00" in done.stdout
