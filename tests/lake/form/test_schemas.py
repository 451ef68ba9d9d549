"""Only what keeps every value is cast implicitly; everything else is refused before a file is written."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import Lake, SchemaError
from lakeshelf.lake.form import schemas
from lakeshelf.lake.form.kinds import sql_name

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
NUMBERS = [
    *INTEGERS, pa.float32(), pa.float64(),
    pa.decimal128(5, 2), pa.decimal128(12, 2), pa.decimal128(20, 0), pa.decimal128(38, 10),
]  # fmt: skip
LAYER = "curated/notes"


def extremes(kind: pa.DataType) -> pa.Array:
    """Values of a type that a narrower one would lose."""
    if pa.types.is_decimal(kind):
        digits = "9" * (kind.precision - kind.scale) + "." + "9" * kind.scale
        return pa.array([Decimal(digits), Decimal(f"-{digits}"), Decimal(1), None], kind)
    if pa.types.is_floating(kind):
        return pa.array([0.1, -1.5, float("inf"), None], pa.float64()).cast(kind)
    unsigned = pa.types.is_unsigned_integer(kind)
    top = 2 ** (kind.bit_width - (0 if unsigned else 1))
    return pa.array([top - 1, 0 if unsigned else -top, 1, None], kind)


@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
def test_a_cast_that_is_done_implicitly_keeps_every_value(
    before: pa.DataType, after: pa.DataType
) -> None:
    if not schemas.is_lossless(before, after):
        return
    values = extremes(before)
    there = values.cast(after)
    assert there.cast(before, safe=False).equals(values)
    assert there.null_count == values.null_count


@given(st.sampled_from(INTEGERS), st.sampled_from(INTEGERS))
def test_integers_are_widened_whenever_all_values_fit(
    before: pa.DataType, after: pa.DataType
) -> None:
    try:
        fits = extremes(before).cast(after).null_count == 1
    except pa.ArrowInvalid:
        fits = False
    assert schemas.is_lossless(before, after) == fits


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (pa.string(), pa.int64()), (pa.int64(), pa.string()), (pa.float64(), pa.int64()),
        (pa.timestamp("us"), pa.timestamp("us", tz="UTC")),
        (pa.timestamp("us", tz="UTC"), pa.timestamp("us")),
        (pa.timestamp("us", tz="UTC"), pa.date32()), (pa.bool_(), pa.int64()),
        (pa.int64(), pa.float64()), (pa.binary(), pa.string()),
        (pa.list_(pa.int64()), pa.list_(pa.int32())),
        (pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int64())])),
    ],
)  # fmt: skip
def test_what_could_lose_a_value_is_refused(given_: pa.DataType, expected: pa.DataType) -> None:
    with pytest.raises(SchemaError, match=r"column c of a/b is .*, the rows have"):
        schemas.fitting("a/b", pa.schema([("c", given_)]), pa.schema([("c", expected)]))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (pa.large_string(), pa.string()), (pa.string_view(), pa.string()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string()), (pa.null(), pa.date32()),
        (pa.timestamp("ns", tz="Europe/Berlin"), pa.timestamp("us", tz="UTC")),
        (pa.timestamp("ms"), pa.timestamp("us")), (pa.date64(), pa.date32()),
        (pa.large_list(pa.int8()), pa.list_(pa.int64())), (pa.binary_view(), pa.binary()),
        (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int64())),
    ],
)  # fmt: skip
def test_another_form_of_the_same_values_is_taken(
    given_: pa.DataType, expected: pa.DataType
) -> None:
    found = schemas.fitting("a/b", pa.schema([("c", given_)]), pa.schema([("c", expected)]))
    assert found.field("c").type == expected


def test_nanoseconds_are_taken_only_where_none_is_lost(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create(LAYER, pa.schema([("at", pa.timestamp("us", tz="UTC"))]))
    whole = pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("ns", tz="UTC"))
    assert lake.append(LAYER, pa.table({"at": whole})).version == 1
    broken = pc.add(whole.cast(pa.int64()), 1).cast(pa.timestamp("ns", tz="UTC"))
    with pytest.raises(SchemaError, match="does not fit its column"):
        lake.append(LAYER, pa.table({"at": broken}))
    assert lake.snapshot(LAYER).version == 1


def test_plain_delta_casts_what_we_refuse(tmp_path: Path) -> None:
    """The trap that schemas are compared for: 5.7 becomes 5."""
    lake = Lake(tmp_path)
    lake.create(LAYER, pa.schema([("n", pa.int64())]))
    with pytest.raises(
        SchemaError, match="column n of curated/notes is int64, the rows have double"
    ):
        lake.append(LAYER, pa.table({"n": [5.7]}))
    assert lake.snapshot(LAYER).version == 0
    write_deltalake(str(tmp_path / LAYER), pa.table({"n": [5.7]}), mode="append")
    assert DeltaTable(str(tmp_path / LAYER)).to_pyarrow_table()["n"].to_pylist() == [5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"n": [1], "x": [1]}, "curated/notes has no column x"),
        ({"x": [1]}, "rows for curated/notes lack n, s"),
        ({"n": [1], "N": [2], "s": ["a"]}, "have N, n twice"),
    ],
)
def test_columns_that_differ_are_named(
    tmp_path: Path, rows: dict[str, list[object]], message: str
) -> None:
    lake = Lake(tmp_path)
    lake.create(LAYER, pa.schema([("n", pa.int64()), ("s", pa.string())]))
    with pytest.raises(SchemaError, match=message):
        lake.append(LAYER, pa.table(rows))
    assert [path.suffix for path in (tmp_path / LAYER).glob("*.parquet")] == []


def test_schema_mode_merge_adds_columns_and_fills_missing_ones(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(LAYER, pa.table({"n": [1], "s": ["a"]}))
    lake.append(LAYER, pa.table({"n": [2], "x": [0.5]}), schema_mode="merge")
    rows = lake.read(LAYER).read_all().sort_by("n").to_pylist()
    assert rows == [{"n": 1, "s": "a", "x": None}, {"n": 2, "s": None, "x": 0.5}]
    with pytest.raises(SchemaError, match="column x"):
        lake.append(LAYER, pa.table({"n": [3], "x": ["no"]}), schema_mode="merge")


def test_schema_mode_overwrite_replaces_the_schema(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(LAYER, pa.table({"n": [1], "s": ["a"]}))
    with pytest.raises(SchemaError):
        lake.overwrite(LAYER, pa.table({"n": ["one"]}))
    lake.overwrite(LAYER, pa.table({"n": ["one"]}), schema_mode="overwrite")
    assert lake.read(LAYER).read_all().to_pylist() == [{"n": "one"}]


def test_a_fingerprint_tells_names_and_types_and_nothing_else() -> None:
    one = pa.schema([pa.field("a", pa.int64(), nullable=False), ("b", pa.large_string())])
    same = pa.schema([("a", pa.int64()), pa.field("b", pa.string(), metadata={"comment": "x"})])
    assert schemas.fingerprint(one) == schemas.fingerprint(same)
    assert schemas.fingerprint(one) != schemas.fingerprint(pa.schema([("a", pa.int64())]))
    assert schemas.fingerprint(one) != schemas.fingerprint(
        pa.schema([("a", pa.int32()), ("b", pa.string())])
    )


def test_records_are_taken_by_their_values(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create(
        LAYER, pa.schema([("n", pa.int64()), ("x", pa.float64()), ("d", pa.decimal128(12, 2))])
    )
    lake.append(LAYER, [{"n": 1, "x": 2, "d": 3}, {"n": 2, "x": 0.5, "d": Decimal("1.25")}])
    rows = lake.read(LAYER).read_all().sort_by("n").to_pylist()
    assert rows[0] == {"n": 1, "x": 2.0, "d": Decimal("3.00")}
    with pytest.raises(SchemaError):
        lake.append(LAYER, [{"n": 1.5, "x": 1.0, "d": 1}])
    with pytest.raises(SchemaError):
        lake.append(LAYER, [{"n": 1, "x": 2**60 + 1, "d": 1}])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.field("n", pa.uint64()), "Delta has no unsigned numbers; cast it to int64"),
        (pa.field("n", pa.time64("us")), "no time of day"),
        (pa.field("n", pa.duration("us")), "no durations"),
        (pa.field("n", pa.decimal256(50, 2)), "Delta has 38 digits"),
        (pa.field("n", pa.list_(pa.uint64())), "no unsigned numbers"),
        (pa.field("n", pa.null()), "no value that would tell its type"),
        (pa.field("a b", pa.int64()), "a character that Delta refuses in names"),
    ],
)
def test_what_delta_would_keep_as_something_else_is_refused(
    tmp_path: Path, column: pa.Field, message: str
) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(SchemaError, match=message):
        lake.create(LAYER, pa.schema([column]))
    with pytest.raises(SchemaError, match=message):
        lake.append(LAYER, pa.schema([column]).empty_table())
    lake.append("curated/other", [{"x": 1}])
    more = pa.schema([("x", pa.int64()), column]).empty_table()
    with pytest.raises(SchemaError, match=message):
        lake.append("curated/other", more, schema_mode="merge")
    assert lake.names() == ["curated/other"]


def test_unsigned_numbers_get_room_for_every_value(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = pa.table({"a": pa.array([255], pa.uint8()), "b": pa.array([2**32 - 1], pa.uint32())})
    lake.append(LAYER, rows)
    assert lake.read(LAYER).read_all().to_pylist() == [{"a": 255, "b": 2**32 - 1}]
    lake.append(LAYER, rows)


def test_a_type_of_arrow_has_the_name_in_sql_that_contracts_give_it() -> None:
    declared = {field.type for table in CATALOG.tables.values() for field in table.columns}
    assert {type_: sql_name(arrow_contract.data_type(type_)) for type_ in declared} == {
        type_: str(type_) for type_ in declared
    }
    others = {
        pa.int32(): "int",
        pa.float32(): "float",
        pa.timestamp("us"): "timestamp_ntz",
        pa.map_(pa.string(), pa.list_(pa.int8())): "map<string,array<tinyint>>",
    }
    assert {kind: sql_name(kind) for kind in others} == others
