"""What is exported comes back as it was, whatever its type and the format of the file."""

from __future__ import annotations

import io
from datetime import UTC, date
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    Type,
)
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.editing.exchange import ExportMark
from lakeshelf.governance.services.imports.exporting import write
from lakeshelf.governance.services.imports.reading import FileContent, read
from lakeshelf.ingestion.declared.dialect import PLAIN
from tests.governance.domain.editing.test_exchange import HOSTILE
from tests.governance.domain.model import equal

TYPES: dict[str, Type] = {
    "name": STRING,
    "units": LONG,
    "price": Decimal(12, 2),
    "fine": Decimal(38, 10),
    "share": DOUBLE,
    "active": BOOLEAN,
    "day": DATE,
    "at": TIMESTAMP,
    "raw": BINARY,
}
DEFINITION = Definition(
    1,
    (
        Column(Field("shelf", STRING, "The key.")),
        *(Column(Field(name, kind, "It.", required=False)) for name, kind in TYPES.items()),
    ),
    ("shelf",),
)
MARK = ExportMark("retail/limits", 7)
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
WORDS = HOSTILE | st.text(LETTERS, max_size=8) | st.sampled_from(["NA", "00123", "null", "1e5"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": WORDS,
    "units": st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9),
    "price": st.decimals(-(10**9), 10**9, places=2),
    "fine": st.decimals(-(10**27), 10**27, places=10),
    "share": st.floats().map(lambda value: value + 0.0),
    "active": st.booleans(),
    "day": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "at": st.datetimes(timezones=st.just(UTC)),
    "raw": st.binary(max_size=6),
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"shelf": WORDS.filter(bool)} | {n: st.none() | v for n, v in VALUES.items()}
    ),
    unique_by=lambda row: row["shelf"],
    max_size=6,
)


def file_of(rows: list[dict[str, Any]], format_: str) -> bytes:
    table = pa.Table.from_pylist(rows, DEFINITION.schema)
    sink = io.BytesIO()
    write(DEFINITION, MARK, iter(table.to_batches(3)), format_, sink)
    return sink.getvalue()


def read_back(content: bytes, format_: str) -> FileContent:
    return read(DEFINITION, MARK.dataset, content, format_, PLAIN)


@pytest.mark.parametrize("format_", ["csv", "xlsx", "parquet"])
@settings(deadline=None, max_examples=60)
@given(rows=ROWS)
def test_rows_come_back_as_they_were(format_: str, rows: list[dict[str, Any]]) -> None:
    file = read_back(file_of(rows, format_), format_)
    assert file.refused.to_pylist() == []
    assert file.mark == MARK
    back = file.rows.to_pylist()
    assert len(back) == len(rows)
    for was, now in zip(rows, back, strict=True):
        assert {n for n in was if not equal(was[n], now[n])} == set()


@pytest.mark.parametrize("share", [1e15, 3.402823466e38, -1e300, 1e-300, 999_999_999_999_999.0])
def test_a_float_of_few_digits_comes_back_from_a_workbook_however_large(share: float) -> None:
    file = read_back(file_of([{"shelf": "A", "share": share}], "xlsx"), "xlsx")
    assert file.refused.to_pylist() == []
    assert file.rows["share"].to_pylist() == [share]


def typed(column: str, text: str, format_: str = "csv") -> Any:
    file = read(DEFINITION, "x", f"shelf,{column}\nA1,{text}\n".encode(), format_, PLAIN)
    return (
        file.rows[column][0].as_py() if file.rows.num_rows else file.refused.to_pylist()[0]["rule"]
    )


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("name", "00123", "00123"),
        ("name", "NA", "NA"),
        ("name", "'s Anna", "'s Anna"),
        ("name", "=1+1", "=1+1"),
        ("units", str(2**63 - 1), 2**63 - 1),
        ("units", str(2**63), "range"),
        ("units", "2.0", "type"),
        ("price", "0.1", Exact("0.10")),
        ("price", "0.105", "range"),
        ("fine", "0.1", Exact("0.1000000000")),
        ("share", "0.1", 0.1),
        ("share", "-0.0", 0.0),
        ("share", "0.1000000000000000055", "range"),
        ("day", "2017-02-29", "range"),
        ("active", "1", "type"),
    ],
)
def test_a_text_is_the_value_that_its_digits_say_or_refused(
    column: str, text: str, expected: Any
) -> None:
    assert repr(typed(column, text)) == repr(expected)


def test_a_file_that_was_not_exported_keeps_its_apostrophes() -> None:
    content = file_of([{"shelf": "A", "name": "=1"}], "csv")
    assert read_back(content, "csv").rows["name"].to_pylist() == ["=1"]
    plain = content.partition(b"\n")[2]
    assert read_back(plain, "csv").rows["name"].to_pylist() == ["'=1"]
