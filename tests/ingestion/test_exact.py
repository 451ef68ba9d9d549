"""A value is loaded as its file has it, or its row is refused: never another number, day or text."""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import Parsed
from lakeshelf.ingestion.declared.spec import FileColumn
from lakeshelf.ingestion.domain.casting import typed
from lakeshelf.ingestion.domain.declaration import Declaration, data_type
from lakeshelf.ingestion.domain.inference import spec_of
from lakeshelf.ingestion.domain.rows import judged
from lakeshelf.ingestion.formats import csv_rows, jsonl_rows
from tests.ingestion.rig import Rig

DIGITS = st.text("0123456789", min_size=1, max_size=22)
LONG = st.from_regex(r"-?[0-9]{1,45}(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
WIDE = Context(prec=400)
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
TEXTS = st.one_of(
    DIGITS,
    NUMBERS,
    st.integers(-(2**66), 2**66).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.sampled_from(
        ("12E3", "+49170", "00123", "1,5", "1_000", "0x10", " 12 ", "1.10", "1.1", "-0", "NaN", "inf", "true", "No")
    ),
    st.sampled_from(("2026-13-01", "01/02/2026", "2026-02-28", "2026-02-28T10:00Z", "2026-02-28 10:00:00.5")),
)  # fmt: skip


UNDECLARED = Declaration("silver/x")


def loaded(
    parsed: Parsed, declared: Declaration = UNDECLARED
) -> tuple[list[dict[str, Any]], dict[int, list[str]]]:
    """Rows by name, and line → rules that it broke."""
    spec = spec_of(declared, None, {1: parsed})
    assert spec is not None
    found = judged({1: parsed}, spec)
    assert not found.failed
    refused: dict[int, list[str]] = {}
    for one in found.refused.get(1, ()):
        refused.setdefault(one.line, []).append(one.rule)
    return found.rows.drop_columns(["file_id"]).to_pylist(), refused


def declared(dialect: Dialect = PLAIN, **columns: str) -> Declaration:
    given = tuple(FileColumn(name, data_type(kind)) for name, kind in columns.items())
    return Declaration("silver/x", columns=given, dialect=dialect)


def as_csv(values: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv_module.writer(out, lineterminator="\n").writerows([("x", "n"), *((v, "-") for v in values)])
    return out.getvalue().encode()


def says(value: Any, text: str) -> bool:
    """Whether a value is what a text says."""
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return str(value).lower() == text.strip().lower()
    if isinstance(value, int):
        return str(value) == text.strip()
    if isinstance(value, float | Decimal):
        is_plain = not text.strip(" -.0123456789") and not text.strip().startswith("00")
        return is_plain and Decimal(str(value)) == Decimal(text)
    told = datetime.fromisoformat(text.strip())
    if isinstance(value, datetime):
        return value == (told if told.tzinfo else told.replace(tzinfo=UTC))
    return bool(value == told.date())


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_what_csv_says_is_what_is_loaded_whatever_type_is_inferred(texts: list[str]) -> None:
    rows, refused = loaded(csv_rows.parse(as_csv(texts)))
    assert not refused, "a type is inferred that all values have"
    values = [row["x"] for row in rows]
    assert all(map(says, values, texts)), list(zip(values, texts, strict=True))
    assert len(set(values)) == len(
        {text.strip() for text in texts} if values[0] is not str else set(texts)
    ) or (isinstance(values[0], datetime)), "different texts are different values"


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_a_number_of_json_keeps_its_digits_or_is_refused(numbers: list[str]) -> None:
    lines = "".join(f'{{"x":{number}}}\n' for number in numbers).encode()
    rows, refused = loaded(jsonl_rows.parse(lines))
    assert len(rows) + len(refused) == len(numbers)
    for row in rows:
        assert Decimal(str(row["x"])) == Decimal(numbers[row["file_line"] - 1])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.lists(NUMBERS, min_size=1, max_size=5),
    st.sampled_from(("bigint", "double", "decimal(38,4)", "decimal(6,2)")),
    st.sampled_from(("csv", "jsonl")),
)
def test_a_declared_number_is_exact_or_refused(numbers: list[str], kind: str, form: str) -> None:
    lines = "".join(f'{{"x":{number},"n":"-"}}\n' for number in numbers).encode()
    parsed = csv_rows.parse(as_csv(numbers)) if form == "csv" else jsonl_rows.parse(lines)
    rows, refused = loaded(parsed, declared(x=kind, n="string"))
    assert len(rows) + len(refused) == len(numbers)
    for row in rows:
        text = numbers[row["file_line"] - (2 if form == "csv" else 1)]
        wanted = Decimal(text)
        digits = max(1, len(wanted.as_tuple().digits))
        exact = isinstance(row["x"], int | Decimal)
        shown = Decimal(row["x"]) if exact else Decimal(f"{row['x']:.{digits - 1}e}")
        assert shown == wanted


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(LONG, min_size=1, max_size=5), st.integers(1, 38), st.data())
def test_a_decimal_is_the_number_that_stands_there(
    texts: list[str], precision: int, data: st.DataObject
) -> None:
    scale = data.draw(st.integers(0, precision))
    values, malformed, outside = typed(pa.array(texts), pa.decimal128(precision, scale))
    for text, value, refused in zip(
        texts, values.to_pylist(), pc.or_(malformed, outside).to_pylist(), strict=True
    ):
        number = Decimal(text)
        fits = not number or (
            abs(number) < Decimal(10) ** (precision - scale)
            and number == number.quantize(Decimal(1).scaleb(-scale), context=WIDE)
        )
        assert refused == (not fits)
        assert value == (number if fits else None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "-20", "0"), pa.int64()),
        (("1.5", "2"), pa.float64()),
        (("0.30000000000000004",), pa.float64()),
        (("1.10", "2.5"), pa.decimal128(38, 2)),
        (("1.10", "1.1"), pa.string()),
        (("9223372036854775807",), pa.int64()),
        (("9223372036854775808",), pa.string()),
        (("9007199254740993", "1.5"), pa.string()),
        (("1e5",), pa.string()),
        (("-0",), pa.string()),
        (("1", ""), pa.int64()),
        ((" 12 ",), pa.int64()),
        (("TRUE", "false"), pa.bool_()),
        (("true", "yes"), pa.string()),
        (("2026-02-29",), pa.string()),
        (("2026-02-28", "2026-02-28 10:00"), pa.timestamp("us", "UTC")),
    ],
)  # fmt: skip
def test_csv_takes_a_type_only_if_every_value_survives(
    values: tuple[str, ...], kind: pa.DataType
) -> None:
    spec = spec_of(UNDECLARED, None, {1: csv_rows.parse(as_csv(values))})
    assert spec is not None
    assert spec.columns[0].type == kind


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (("1", "2"), pa.int64()),
        (("12E3", "1.10"), pa.float64()),
        (("18446744073709551616",), pa.decimal128(38, 0)),
        (("9007199254740993", "0.5"), pa.decimal128(38, 1)),
        (("1234567890123.4567",), pa.decimal128(38, 4)),
        (("0E40", "10000000010011.001E6"), pa.decimal128(38, 0)),
        (("1E40", "1234567890123.4567"), pa.decimal128(38, 19)),
        (("1E99999999999999999999", "5"), pa.int64()),
        (('"5"',), pa.string()),
        (("true",), pa.bool_()),
        (('"2026-02-28"',), pa.date32()),
    ],
)  # fmt: skip
def test_json_tells_numbers_from_text(lines: tuple[str, ...], kind: pa.DataType) -> None:
    content = "".join(f'{{"x":{line}}}\n' for line in lines).encode()
    spec = spec_of(UNDECLARED, None, {1: jsonl_rows.parse(content)})
    assert spec is not None
    assert spec.columns[0].type == kind


def test_a_later_file_is_refused_by_row_where_its_value_is_no_value_of_the_column(rig: Rig) -> None:
    rig.drop("n/a.csv", "id,x\n1,1.5\n")
    assert rig.scan().is_complete
    rig.drop("n/b.csv", "id,x\n2,9007199254740993\n3,2.5\n4e0,1\n")
    rig.drop("n/c.jsonl", '{"id":5,"x":9007199254740993}\n{"id":6,"x":0.25}\n')
    rig.scan()
    assert rig.rules(2) == [
        (2, "range", "x", "9007199254740993"),
        (4, "type", "id", "4e0"),
    ]
    assert rig.rules(3) == [(1, "range", "x", "9007199254740993")]
    assert [row[2:] for row in rig.rows("silver/n", "id", "x")] == [(1, 1.5), (3, 2.5), (6, 0.25)]


@pytest.mark.slow
def test_a_later_file_has_no_identifier_taken_for_a_number_unless_one_is_declared(rig: Rig) -> None:
    rig.drop("n/a.csv", "id,x\n1,1.5\n")
    rig.drop("m/_dataset.toml", '[columns]\nid = "bigint"\nx = "double"\n')
    rig.scan()
    later = "id,x\n007,1\n+49,1\n2,1e5\n3,00.5\n4,2.50\n 5 , 6 \n"
    rig.drop("n/b.csv", later)
    rig.drop("n/c.jsonl", '{"id":6,"x":1e5}\n')
    rig.drop("m/b.csv", later)
    rig.scan()
    by_path = {file.path: file.file_id for file in rig.files()}
    assert rig.rules(by_path["n/b.csv"]) == [
        (2, "type", "id", "007"),
        (3, "type", "id", "+49"),
        (4, "type", "x", "1e5"),
        (5, "type", "x", "00.5"),
    ]
    assert [row[2:] for row in rig.rows("silver/n", "id", "x")] == [
        (1, 1.5),
        (4, 2.5),
        (5, 6),
        (6, 1e5),
    ]
    assert [row[2] for row in rig.rows("silver/m", "id")] == [7, 49, 2, 3, 4, 5]


def test_empty_text_of_json_and_parquet_is_no_null(rig: Rig) -> None:
    rig.drop(
        "n/a.jsonl", '{"id":1,"note":""}\n{"id":2,"note":null}\n{"id":3}\n{"id":4,"note":"x"}\n'
    )
    rig.scan()
    out = io.BytesIO()
    pq.write_table(pa.table({"id": [5, 6], "note": ["", None]}), out)
    rig.drop("n/b.parquet", out.getvalue())
    rig.drop("n/c.csv", "id,note\n7,\n")
    assert rig.scan().is_complete
    found = [row[3] for row in rig.rows("silver/n", "id", "note")]
    assert found == ["", None, None, "x", "", None, None]


def test_text_of_parquet_stays_text(rig: Rig) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["5", "6"], "day": ["2026-01-01", "2026-01-02"]}), out)
    rig.drop("n/a.parquet", out.getvalue())
    rig.scan()
    assert [row[2:] for row in rig.rows("silver/n", "id", "day")] == [
        ("5", "2026-01-01"),
        ("6", "2026-01-02"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"x":1,"x":2}', "'x' is there twice"),
        ('{"x":{"a":1,"a":2}}', "'a' is there twice"),
        ('{"x":NaN}', "NaN is no number of JSON"),
        ('{"x":-Infinity}', "-Infinity is no number of JSON"),
        ('{"x":01}', "Expecting"),
        ('{"x":"\\ud800"}', "half a character"),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper than 64"),
        ('{"x":' + "[" * 70 + "]" * 70 + "}", "nested deeper than 64"),
    ],
)  # fmt: skip
def test_json_that_means_two_things_is_refused_with_its_text(line: str, why: str) -> None:
    [refusal] = jsonl_rows.parse(f'{{"x":1}}\n{line}\n'.encode()).refused
    assert (refusal.line, refusal.rule, refusal.row) == (2, "json", line)
    assert why in str(refusal.value)


def test_brackets_in_text_are_no_depth_and_nested_numbers_keep_their_digits() -> None:
    parsed = jsonl_rows.parse(b'{"x":"' + b"[" * 500 + b'","y":{"a":[1.10,null,true,"1"]}}\n')
    assert not parsed.refused
    assert parsed.table["y"].to_pylist() == ['{"a":[1.10,null,true,"1"]}']


def test_numbers_with_a_decimal_comma_are_read_as_declared() -> None:
    german = Dialect(delimiter=";", decimal=",", thousands=".")
    content = "x;y\n1.234,50;1\n-0,5;2\n1.5;3\n1.23;4\n12.345;5\n1.234.56;6\n,5;7\n"
    rows, refused = loaded(
        csv_rows.parse(content.encode(), german), declared(german, x="decimal(12,2)", y="bigint")
    )
    assert [(row["y"], row["x"]) for row in rows] == [
        (1, Decimal("1234.50")),
        (2, Decimal("-0.50")),
        (5, Decimal(12345)),
        (7, Decimal("0.50")),
    ]
    assert refused == {4: ["type"], 5: ["type"], 7: ["type"]}
    inferred = spec_of(
        Declaration("silver/x", dialect=german),
        None,
        {1: csv_rows.parse(b"x;y\n1,5;1.234\n", german)},
    )
    assert inferred is not None
    assert [column.type for column in inferred.columns] == [pa.float64(), pa.int64()]
