"""What cannot be a partition, or would not be read again, is refused before the commit; the rest is right."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.errors import LakeError
from lakeshelf.lake import FeatureRefused, KeyViolation, Lake, SchemaError
from lakeshelf.lake.upkeep import maintenance
from tests.lake.test_values import require_equal

NAME = "test/edges"
D = Decimal
PRICES = pa.schema([("k", pa.int64()), ("price", pa.decimal128(38, 10)), ("s", pa.string())])
ROWS = pa.Table.from_pylist(
    [
        {"k": 1, "price": D("-1.5"), "s": "a b/%=ä#"},
        {"k": 2, "price": D("1E-10"), "s": None},
        {"k": 3, "price": None, "s": "x"},
        {"k": 4, "price": D("-1E-10"), "s": "ü"},
    ],
    PRICES,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, catalog={})


@pytest.fixture
def prices(lake: Lake) -> Lake:
    """A table that is partitioned by decimals and texts, with rows of each."""
    lake.create(NAME, PRICES, partition_by=("price", "s"))
    assert lake.append(NAME, ROWS).version == 1
    return lake


def rows_of(**columns: tuple[pa.DataType, list[Any]]) -> pa.Table:
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


@pytest.mark.parametrize(
    ("kinds", "columns", "why"),
    [
        ({"k": pa.int64()}, ("nowhere",), "by nowhere: no such column"),
        ({"k": pa.int64(), "l": pa.int64()}, ("k", "l"), "no column beside"),
        ({"k": pa.int64(), "l": pa.list_(pa.int64())}, ("l",), "by l: which is list"),
        ({"k": pa.int64(), "raw": pa.binary()}, ("raw",), "by raw: which is binary"),
    ],
)
def test_columns_that_no_partition_has_are_refused_before_there_is_a_table(
    lake: Lake, kinds: dict[str, pa.DataType], columns: tuple[str, ...], why: str
) -> None:
    with pytest.raises(SchemaError, match=why):
        lake.create(NAME, pa.schema(kinds), partition_by=columns)
    assert lake.names() == []


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (pa.string(), "x" * 254, "more than 255 bytes"),
        (pa.string(), "ä" * 50, "more than 255 bytes"),
        (pa.string(), "__HIVE_DEFAULT_PARTITION__", "means null there"),
        (pa.float64(), 5e-324, "more than 255 bytes"),
        (pa.timestamp("us", "UTC"), 253_402_300_800_000_000, "outside the years 1 to 9999"),
        (pa.date32(), -719_163, "outside the years 1 to 9999"),
    ],
)
def test_values_that_no_partition_keeps_are_refused_before_a_commit(
    lake: Lake, kind: pa.DataType, value: Any, why: str
) -> None:
    whole = pa.int32() if pa.types.is_date(kind) else pa.int64()
    values = (
        pa.array([value], whole).cast(kind) if isinstance(value, int) else pa.array([value], kind)
    )
    given = pa.table({"k": pa.array([1], pa.int64()), "p": values})
    lake.create(NAME, given.schema, partition_by=("p",))
    for write in (
        lambda: lake.append(NAME, given),
        lambda: lake.overwrite(NAME, given),
        lambda: lake.merge(NAME, given, keys=("k",)),
    ):
        with pytest.raises(SchemaError, match=why):
            write()
    assert lake.snapshot(NAME).version == 0


def test_an_empty_text_is_refused_where_a_partition_is_required(lake: Lake) -> None:
    """Delta keeps it as null, and a table that has it cannot be opened again."""
    schema = pa.schema([("k", pa.int64()), pa.field("p", pa.string(), nullable=False)])
    rows = pa.Table.from_pylist([{"k": 1, "p": "a"}], schema=schema)
    empty = pa.Table.from_pylist([{"k": 1, "p": ""}], schema=schema)
    lake.create(NAME, schema, partition_by=("p",))
    lake.append(NAME, rows)
    for write in (
        lambda: lake.append(NAME, empty),
        lambda: lake.overwrite(NAME, empty),
        lambda: lake.merge(NAME, empty, keys=("k",)),
        lambda: lake.replace(NAME, empty, [("k", "=", 1)]),
        lambda: lake.update(NAME, [("k", "=", 1)], {"p": ""}),
    ):
        with pytest.raises(SchemaError, match="an empty text means null there"):
            write()
    require_equal(lake, rows)


def test_negative_and_tiny_decimals_are_right_as_partitions(prices: Lake) -> None:
    require_equal(prices, ROWS)
    found = prices.read(NAME, where=[("price", "=", D("-1.5"))]).read_all()
    assert found["k"].to_pylist() == [1]
    assert prices.overwrite(NAME, ROWS.slice(0, 1)).version == 2
    require_equal(prices, ROWS.slice(0, 1))
    assert prices.restore(NAME, 1).version == 3
    require_equal(prices, ROWS)
    folder = Path(prices.root.uri) / NAME
    assert not [log for log in folder.rglob("_delta_log") if log.parent != folder]


def test_delta_rs_alone_writes_negative_decimals_that_nobody_reads(tmp_path: Path) -> None:
    given = rows_of(k=(pa.int64(), [1]), price=(pa.decimal128(10, 2), [D("-1.50")]))
    with pytest.raises(Exception, match=r"-1\.-50"):
        write_deltalake(tmp_path, given, partition_by=["price"])
    with pytest.raises(Exception, match=r"-1\.-50"):
        DeltaTable(tmp_path)


def test_what_would_write_a_negative_decimal_again_is_refused(prices: Lake) -> None:
    for write in (
        lambda: prices.merge(NAME, [{"k": 1, "s": "new"}], keys=("k",), schema_mode="merge"),
        lambda: prices.replace(NAME, ROWS.slice(0, 0), [("k", "=", 2)]),
        lambda: prices.delete(NAME, [("k", "=", 2)]),
    ):
        with pytest.raises(LakeError, match=r"negative decimal|-1\.5"):
            write()
    prices.append(NAME, ROWS)
    maintenance.optimize(prices.snapshot(NAME).handle, min_small_files=2)
    require_equal(prices, pa.concat_tables([ROWS, ROWS]))


def test_rows_that_stop_half_way_leave_no_table_within_the_table(prices: Lake) -> None:
    long = ROWS.set_column(2, "s", pa.array(["x" * 300] * 4))
    with pytest.raises(SchemaError, match="more than 255 bytes"):
        prices.append(NAME, long)
    assert prices.snapshot(NAME).version == 1
    assert len(list((Path(prices.root.uri) / NAME).glob("staged-*"))) == 1


def test_a_new_column_is_nullable_whatever_the_rows_say(lake: Lake) -> None:
    lake.append(NAME, [{"k": 1}])
    kind = pa.struct([pa.field("a", pa.int64(), nullable=False)])
    schema = pa.schema(
        [("k", pa.int64()), pa.field("n", pa.int64(), False), pa.field("st", kind, False)]
    )
    more = pa.Table.from_pylist([{"k": 2, "n": 2, "st": {"a": 1}}], schema)
    assert lake.append(NAME, more, schema_mode="merge").version == 2
    both = [{"k": 1, "n": None, "st": None}, {"k": 2, "n": 2, "st": {"a": 1}}]
    require_equal(lake, pa.Table.from_pylist(both, schema))
    assert lake.merge(NAME, [{"k": 1, "n": 3, "st": None}], keys=("k",)).version == 3


def test_a_null_where_every_row_needs_a_value_is_named(lake: Lake) -> None:
    lake.create(NAME, pa.schema([pa.field("k", pa.int64(), False), ("v", pa.int64())]))
    for write in (lake.append, lake.overwrite):
        with pytest.raises(KeyViolation, match="1 row for test/edges without k"):
            write(NAME, [{"k": 1, "v": 1}, {"k": None, "v": 2}])
    assert lake.snapshot(NAME).version == 0


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"k": 1, "l": []}], "no value that would tell its type"),
        ([{"k": 1, "st": {"a": None}}], "no value that would tell its type"),
        (rows_of(k=(pa.int64(), [1]), st=(pa.struct([]), [{}])), "structs without fields"),
        (rows_of(k=(pa.date32(), [2**31 - 1])), "delta-rs knows the days"),
    ],
)
def test_types_and_values_that_files_do_not_have_are_refused(
    lake: Lake, rows: Any, why: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        lake.append(NAME, rows)
    assert why in f"{caught.value} {caught.value.hint}"
    assert lake.names() == [] or lake.snapshot(NAME).version == 0


def test_a_schema_that_replaces_the_tables_keeps_its_partition_columns(lake: Lake) -> None:
    lake.create(NAME, pa.schema([("k", pa.int64()), ("p", pa.int64())]), partition_by=("p",))
    for rows in ([{"k": 1}], [{"k": 1, "p": b"abc"}]):
        with pytest.raises(SchemaError, match="cannot be partitioned by p"):
            lake.overwrite(NAME, rows, schema_mode="overwrite")
    assert lake.snapshot(NAME).version == 0


def test_times_of_partitions_are_exact_at_the_edges(lake: Lake) -> None:
    edges = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    given = rows_of(k=(pa.int64(), [1, 2]), at=(pa.timestamp("us", "UTC"), edges))
    lake.create(NAME, given.schema, partition_by=("at",))
    lake.append(NAME, given)
    require_equal(lake, given)
    lake.merge(NAME, given.set_column(0, "k", pc.add(given["k"], 2)), keys=("k",))
    assert lake.read(NAME).read_all().num_rows == 4


def test_a_refusal_of_a_partition_is_no_damage(prices: Lake) -> None:
    with pytest.raises(FeatureRefused, match="a partition has bytes or a negative decimal"):
        prices.delete(NAME, [("k", "=", 2)])
