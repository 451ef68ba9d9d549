"""What each format gives, and what is done about files that are wrong."""

from __future__ import annotations

import csv as csv_text
import gzip
import io
import zipfile
from datetime import UTC, date, datetime

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import csv_rows, formats, xlsx_parts, xlsx_rows
from tests.ingestion.rig import Rig, csv, sales

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ROWS = {"store_id": ["S1", "S2"], "event_time": [NOON, NOON], "qty": [1, 2]}
JSONL = (
    '{"store_id":"S1","event_time":"2024-01-01T12:00:00Z","qty":1}\n'
    '{"store_id":"S2","event_time":"2024-01-01T14:00+02:00","qty":2}\n'
)


def workbook(*rows: tuple[object, ...]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def parquet(columns: dict[str, list[object]] = ROWS) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


XLSX = workbook(
    ("store_id", "event_time", "qty"),
    ("S1", datetime(2024, 1, 1, 12), 1),  # noqa: DTZ001 - Excel knows no zones
    (None, None, None),
    ("S2", "2024-01-01T12:00:00Z", 2),
)
SAME = {
    "a.csv": csv(("S1", NOON.isoformat(), 1), ("S2", NOON.isoformat(), 2)).encode(),
    "b.jsonl": JSONL.encode(),
    "c.parquet": parquet(),
    "d.xlsx": XLSX,
    "e.csv.gz": gzip.compress(
        csv(("S1", NOON.isoformat(), 1), ("S2", NOON.isoformat(), 2)).encode()
    ),
    "f.CSV": b"\xef\xbb\xbf"
    + b"qty,store_id,event_time\r\n1,S1,2024-01-01 12:00Z\r\n2,S2,2024-01-01 12:00Z\r\n",
}


@pytest.mark.parametrize("name", SAME)
def test_every_format_gives_the_same_rows(rig: Rig, name: str) -> None:
    rig.drop(f"pos/{name}", SAME[name])
    assert rig.scan().is_complete, rig.files()
    found = [row[2:] for row in rig.rows("silver/pos", "store_id", "event_time", "qty", "date")]
    day = date(2024, 1, 1)
    assert found == [("S1", NOON, 1, day), ("S2", NOON, 2, day)]


def test_lines_are_counted_in_the_source(rig: Rig) -> None:
    rig.drop(
        "pos/a.csv",
        'store_id,event_time,qty\n"S\n1",2024-01-01,1\n\n"S2",2024-01-01,x\nS3,2024-01-01,3\n',
    )
    rig.drop("pos/b.jsonl", "\n" + JSONL)
    rig.drop("pos/c.parquet", parquet())
    rig.drop("pos/d.xlsx", XLSX)
    rig.scan()
    lines: dict[int, list[int]] = {}
    for file_id, line in (row[:2] for row in rig.rows()):
        lines.setdefault(file_id, []).append(line)
    assert lines == {1: [2, 6], 2: [2, 3], 3: [1, 2], 4: [2, 4]}
    assert rig.rules(1) == [(5, "type", "qty", "x")]


BROKEN = {
    "unknown.csv": ("store_id,event_time,qty,extra\n", "unknown column 'extra'"),
    "missing.csv": ("store_id,event_time\n", "column 'qty' is missing"),
    "twice.csv": ("store_id,event_time,qty,QTY\n", "'QTY', 'qty' twice"),
    "reserved.csv": ("store_id,event_time,qty,file_id\n", "'file_id', which loading fills"),
    "nameless.csv": ("store_id,event_time,\n", "column 3 of 3 has no name in the header"),
    "utf16.csv": (sales(1).encode("utf-16"), 'encoding = "utf-16"'),
    "latin.csv": (b"store_id,event_time,qty\nS\xe4,2024-01-01,1\n", "line 2 is no UTF-8: byte 0xe4"),
    "quote.csv": ('store_id,event_time,qty\nS1,2024-01-01,1\n"S2,2024-01-01,2\n', "begins in line 3 is broken"),
    "blank.csv": ("\n\n", "no header"),
    "cut.csv.gz": (gzip.compress(sales(*range(5000)).encode())[:-40], "cut off"),
    "no.csv.gz": (b"not packed", "damaged"),
    "bad.parquet": (b"PAR1 nothing PAR1", "damaged or no Parquet"),
    "cut.parquet": (parquet()[:-20], "damaged or no Parquet"),
    "type.parquet": (parquet(ROWS | {"qty": [1.5, 2.5]}), "'qty' is double in the file, int64"),
    "bad.xlsx": (b"PK nothing", "no workbook"),
    "cut.xlsx": (XLSX[:-300], "no workbook"),
    "hollow.xlsx": (workbook(), "no header"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_loaded_fails_and_says_why(rig: Rig, name: str) -> None:
    content, why = BROKEN[name]
    rig.drop(f"pos/{name}", content)
    rig.drop("pos/good.csv", sales(1))
    assert not rig.scan().is_complete
    found = {file.path: file for file in rig.files()}
    assert found[f"pos/{name}"].status == "failed"
    assert why in str(found[f"pos/{name}"].error)
    assert found["pos/good.csv"].status == "success"
    assert len(rig.rows()) == 1


REFUSED = {
    "a.csv": ("S1,2024-01-01", "columns", "", "2 values for 3 columns"),
    "b.csv": ("S1,2024-01-01,1,2", "columns", "", "4 values for 3 columns"),
    "c.csv": ("S1,2024-01-01,1.5", "type", "qty", "1.5"),
    "d.csv": ("S1,2024-01-01,99999999999999999999", "range", "qty", "99999999999999999999"),
    "e.csv": ("S1,2024-02-30,1", "range", "event_time", "2024-02-30"),
    "f.csv": ("S1,yesterday,1", "type", "event_time", "yesterday"),
    "g.csv": (",2024-01-01,1", "partition", "store_id", None),
    "h.csv": ("S1,,1", "partition", "event_time", None),
    "hive.csv": ("__HIVE_DEFAULT_PARTITION__,2024-01-01,1", "partition", "store_id", "__HIVE_DEFAULT_PARTITION__"),
    "i.jsonl": ("[1]", "json", "", "no object"),
    "j.jsonl": ('{"store_id":"S1","event_time":"2024-01-01","qty":1,"more":2}', "unknown_column", "more", "2"),
    "k.jsonl": ('{"store_id":1,"event_time":"2024-01-01","qty":1}', "type", "store_id", "1"),
    "l.jsonl": ('{"store_id":"S1","event_time":"2024-01-01","qty":true}', "type", "qty", "true"),
    "m.jsonl": ('{"event_time":"2024-01-01","qty":1}', "partition", "store_id", None),
    "n.csv": ("S1,2024-01-01,=cmd|' /C calc'!A0", "type", "qty", "=cmd|' /C calc'!A0"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_is_wrong_is_refused_with_rule_column_and_value(rig: Rig, name: str) -> None:
    row, rule, column, value = REFUSED[name]
    good = "S1,2024-01-01,1" if name.endswith("csv") else JSONL.splitlines()[0]
    header = "store_id,event_time,qty\n" if name.endswith("csv") else ""
    rig.drop(f"pos/{name}", f"{header}{good}\n{row}\n{good}\n")
    rig.scan()
    line = 3 if header else 2
    assert rig.rules() == [(line, rule, column, value)]
    assert [r[1] for r in rig.rows()] == [line - 1, line + 1]
    assert rig.statuses() == {f"pos/{name}": "partial"}


def test_a_jsonl_line_that_is_cut_off_is_refused_with_its_text(rig: Rig) -> None:
    rig.drop("pos/a.jsonl", JSONL + '{"store_id":"S')
    rig.scan()
    [(line, rule, column, value)] = rig.rules()
    assert (line, rule, column) == (3, "json", "")
    assert str(value).startswith("no JSON: ")


VALUES = st.text(st.sampled_from("a1,;'=\\\u00e9 \t"), max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from(("\n", "\r\n")),
)
def test_both_readers_of_csv_see_the_same(records: list[list[str]], end: str) -> None:
    text = end.join((*(["x,y", "1,2"]), *(",".join(record) for record in records))) + end
    slow, fast = csv_rows._by_record(text, PLAIN), csv_rows._vectorised(text, PLAIN)
    if fast is not None:
        assert (fast.table, fast.lines, fast.refused) == (slow.table, slow.lines, slow.refused)


@given(
    st.text("\"'a ,é\n", max_size=40),
    st.sampled_from(("\n", "\r\n")),
    st.sampled_from((PLAIN, Dialect(quote="'"), Dialect(quote=""))),
    st.integers(0, 2),
)
def test_both_readers_of_csv_see_the_same_in_quotes_or_refuse(
    text: str, end: str, dialect: Dialect, above: int
) -> None:
    text = f"x,{dialect.quote}y{dialect.quote}\n{text}".replace("\n", end)
    fast = csv_rows._vectorised(text, dialect, above)
    if fast is not None:
        slow = csv_rows._by_record(text, dialect, above)
        assert (fast.table, fast.lines, fast.refused) == (slow.table, slow.lines, slow.refused)


@given(st.lists(st.lists(st.text("\"'a ,é", max_size=4), min_size=2, max_size=2), min_size=2))
def test_arrow_reads_what_is_quoted_line_by_line(records: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv_text.writer(out, quoting=csv_text.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["x", "y"], *([f"a{a}", b] for a, b in records)])
    fast = csv_rows._vectorised(out.getvalue(), PLAIN)
    assert fast is not None
    assert fast.table.to_pylist() == [{"x": f"a{a}", "y": b or None} for a, b in records]


@pytest.mark.slow
def test_many_records_that_python_reads_are_all_there() -> None:
    count = csv_rows.AT_ONCE + 3
    text = 'x,y\n"a\nb",1\n' + "c,2\n" * count
    parsed = csv_rows._by_record(text, PLAIN)
    assert parsed.table.num_rows == count + 1
    assert parsed.lines.to_pylist() == [2, *range(4, count + 4)]


def test_large_csv_goes_through_arrow_and_keeps_its_lines(rig: Rig) -> None:
    rows = [("S1", "2024-01-01", n) for n in range(5000)] + [("S1", "2024-01-01")]
    content = csv(*rows)
    assert len(content) > csv_rows.VECTORISED_BYTES
    assert csv_rows._vectorised(content, PLAIN) is not None
    rig.drop("pos/a.csv", content)
    rig.scan()
    assert [row[1:] for row in rig.rows("silver/pos", "qty")] == [(n + 2, n) for n in range(5000)]
    assert rig.rules() == [(5002, "columns", "", "2 values for 3 columns")]


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 100_000)
    monkeypatch.setattr(xlsx_parts, "MAX_BYTES", 10_000)
    monkeypatch.setattr(formats, "MAX_BYTES", 10_000)
    with pytest.raises(FileRefused, match="unpacked; split it"):
        xlsx_rows.parse(out.getvalue())
    with pytest.raises(FileRefused, match="unpacked"):
        formats.parse(gzip.compress(b"0" * 100_000), "a.csv.gz", None)
