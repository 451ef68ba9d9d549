"""Files that mean harm, or are none, are refused with a reason and before they take memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.imports import marking
from lakeshelf.governance.services.imports.reading import FileContent, read
from lakeshelf.governance.services.imports.uploading import format_of, shown_name
from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from tests.governance.services.conftest import DATASET
from tests.governance.services.imports.filing import workbook

DEFINITION = bound(CATALOG.topics[DATASET])


def opened(content: bytes, format_: str, dialect: Dialect = PLAIN) -> FileContent:
    return read(DEFINITION, f"retail/{DATASET}", content, format_, dialect)


def broken(file: FileContent) -> list[tuple[int, str, str]]:
    return [(one["line"], one["column"], one["rule"]) for one in file.refused.to_pylist()]


@pytest.mark.parametrize(
    "name", ["a.csv.gz", "a.zip", "a.xls", "a.xlsm", "a", "a.exe", ".csv.", "a.json", "a.csv\0"]
)
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(GovernanceError) as error:
        format_of(name)
    assert error.value.code == "upload_invalid"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x.csv",
        "..\\..\\x.csv",
        "/x.csv",
        "a\0b\r\n\u202e.csv",
        "x" * 5000 + ".csv",
        "\ud800.csv",
    ],
)
def test_a_name_is_shown_without_its_path_and_its_controls(name: str) -> None:
    shown = shown_name(name)
    assert shown.endswith(".csv")
    assert len(shown.encode()) <= 200
    assert not set(shown) & set("/\\\0\r\n\u202e")


def zipped(size: int) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * size)
    return sink.getvalue()


def same_value(rows: int, value: str = "A1") -> bytes:
    sink = io.BytesIO()
    places = pa.repeat(pa.scalar(0, pa.int8()), rows)
    values = pa.DictionaryArray.from_arrays(places, pa.array([value]))
    pq.write_table(pa.table({"shelf_id": values}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("format_", "made"),
    [
        ("xlsx", partial(zipped, marking.MOST_UNPACKED + 1)),
        ("parquet", partial(same_value, marking.MOST_CELLS + 1)),
        ("parquet", partial(same_value, 100_000, "x" * 6_000)),
    ],
    ids=["zip", "rows", "long values"],
)
def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    format_: str, made: Callable[[], bytes]
) -> None:
    with pytest.raises(GovernanceError) as error:
        opened(made(), format_)
    assert (error.value.code, error.value.status) == ("body_too_large", 413)


def sharing(cells: int, text: str) -> bytes:
    """A workbook whose cells share one text."""
    with zipfile.ZipFile(io.BytesIO(workbook([["shelf_id"]]))) as plain:
        parts = {name: plain.read(name) for name in plain.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, cells + 2)
    )
    parts[sheet] = parts[sheet].replace(b"</sheetData>", f"{rows}</sheetData>".encode())
    schema = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{schema}"><si><t>{text}</t></si></sst>'.encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return sink.getvalue()


def test_a_text_that_cells_share_counts_as_often_as_it_is_there() -> None:
    assert opened(sharing(3, "A1"), "xlsx").rows["shelf_id"].to_pylist() == ["A1"] * 3
    with pytest.raises(GovernanceError) as error:
        opened(sharing(10_000, "x" * 30_000), "xlsx")
    assert error.value.code == "upload_invalid"
    assert "300,000,000 characters" in error.value.message


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        ("csv", b""),
        ("csv", b"\xff\xfes\x00h\x00"),
        ("csv", b"PK\x03\x04zip"),
        ("csv", b"shelf_id,actor\nA1,ann\n"),
        ("csv", b"shelf_id,x'; DROP TABLE y;--\nA1,1\n"),
        ("csv", b"shelf_id,__proto__\nA1,1\n"),
        ("csv", b"shelf_id,shelf_id\nA1,1\n"),
        ("csv", b"shelf_id,SHELF_ID\nA1,1\n"),
        ("csv", b"min_qty\n1\n"),
        ("csv", b'shelf_id,min_qty\nA1,"1\n'),
        ("csv", b"shelf_id,min_qty\nA1,\xff\n"),
        ("csv", b"shelf_id;min_qty\nA1;1\n"),
        ("xlsx", b"shelf_id\nA1\n"),
        ("xlsx", zipped(10)),
        ("parquet", b"PAR1PAR1"),
        ("jsonl", b"[\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_way_out(format_: str, content: bytes) -> None:
    with pytest.raises(GovernanceError) as error:
        opened(content, format_)
    assert error.value.code == "upload_invalid"
    assert error.value.hint
    assert "_dataset.toml" not in error.value.hint


def test_a_formula_without_a_value_is_a_cell_that_is_refused() -> None:
    file = opened(workbook([["shelf_id", "min_qty"], ["A1", "=1+1"], ["A2", 3]]), "xlsx")
    assert broken(file) == [(2, "min_qty", "cell")]
    assert file.rows.to_pylist() == [{"shelf_id": "A2", "min_qty": 3}]


def test_a_json_bomb_is_a_line_that_is_refused() -> None:
    lines = ['{"shelf_id": "A1"}', '{"shelf_id": ' + "[" * 100_000 + "}", '{"nobody": 1}']
    file = opened("\n".join(lines).encode(), "jsonl")
    assert broken(file) == [(2, None, "json"), (3, "nobody", "unknown_column")]


def test_a_text_with_nul_is_no_value() -> None:
    assert broken(opened(b"shelf_id,min_qty\nA\x001,2\n", "csv")) == [(2, "shelf_id", "type")]


def test_a_dialect_says_how_text_is_written() -> None:
    dialect = Dialect(delimiter=";", encoding="cp1252", decimal=",", thousands=".")
    file = opened("shelf_id;min_qty;target_pct\nä1;1.000;0,5\n".encode("cp1252"), "csv", dialect)
    assert file.rows.to_pylist() == [{"shelf_id": "ä1", "min_qty": 1000, "target_pct": 0.5}]
