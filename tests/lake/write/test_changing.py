"""Rows that are there are deleted and changed as a list of dictionaries would be: one commit, or none."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.lake import (
    Conflict,
    Dataset,
    Datasets,
    FeatureRefused,
    KeyViolation,
    Lake,
    NotFound,
    PredicateError,
    SchemaError,
    all_of,
    any_of,
    not_,
)
from lakeshelf.lake.history.verification import verify

NAME = "curated/stock"
SCHEMA = pa.schema(
    [
        pa.field("k", pa.int64(), nullable=False), ("shop", pa.string()), pa.field("units", pa.int32(), nullable=False),
        ("price", pa.decimal128(10, 2)), ("share", pa.float32()), ("ok", pa.bool_()), ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")), ("raw", pa.binary()), ("tags", pa.list_(pa.string())),
    ]
)  # fmt: skip


def row(k: int, **more: Any) -> dict[str, Any]:
    whole = {"k": k, "shop": "ab"[k % 2], "units": k, "price": Decimal(k), "share": 0.5, "ok": True}
    when = {"day": date(2026, 5, 4), "at": datetime(2026, 5, 4, tzinfo=UTC)}
    return whole | when | {"raw": b"x", "tags": ["t"]} | more


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


@pytest.fixture(params=[(), ("shop",)], ids=["whole", "partitioned"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    lake = Lake(tmp_path, who="tests")
    constraints = {"not_negative": "units >= 0"}
    lake.create(NAME, SCHEMA, key=("k",), partition_by=request.param, constraints=constraints)
    lake.append(NAME, table(*(row(n) for n in range(6))))
    return lake


def held(lake: Lake, *columns: str) -> list[Any]:
    rows = lake.read(NAME, columns=["k", *columns]).read_all().sort_by("k")
    return rows["k"].to_pylist() if not columns else [tuple(r.values()) for r in rows.to_pylist()]


def feed(lake: Lake, version: int | None) -> list[tuple[str, int]]:
    assert version is not None
    rows = pa.table(lake.snapshot(NAME).handle.load_cdf(version, version)).to_pylist()
    return sorted((r["_change_type"], r["k"]) for r in rows)


def test_rows_that_meet_conditions_are_deleted_in_one_commit(lake: Lake) -> None:
    where = [any_of(("price", ">=", Decimal("3.995")), ("k", "=", 0))]
    made = lake.delete(NAME, where, txn=("me", 1), metadata={"why": "sold"})
    assert (made.operation, made.rows) == ("delete", 3)
    assert held(lake) == [1, 2, 3]
    assert feed(lake, made.version) == [("delete", 0), ("delete", 4), ("delete", 5)]
    entry = lake.history(NAME)[0]
    assert (entry.stamp and entry.stamp.who, entry.metadata) == ("tests", {"why": "sold"})
    again = lake.delete(NAME, [("k", "=", 1)], txn=("me", 1))
    assert (again.version, again.skipped) == (None, "already committed")
    assert held(lake) == [1, 2, 3]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64()), pa.map_(pa.string(), pa.int64()), pa.struct([("a", pa.int64())])]
)
def test_rows_are_chosen_by_what_has_no_statistics(tmp_path: Path, kind: pa.DataType) -> None:
    lake, schema = Lake(tmp_path, catalog={}), pa.schema([("k", pa.int64()), ("nested", kind)])
    value = {"a": 1} if pa.types.is_struct(kind) else [] if pa.types.is_list(kind) else [("a", 1)]
    lake.create(NAME, schema)
    for k in range(6):
        one = {"k": k, "nested": value if k % 2 else None}
        lake.append(NAME, pa.Table.from_pylist([one], schema))
    there, gone = ("nested", "is not null"), ("nested", "is null")
    assert (
        lake.update(NAME, [any_of(all_of(there, ("k", ">", 3)), ("k", "=", 0))], {"k": 9}).rows == 2
    )
    assert sorted(held(lake)) == [1, 2, 3, 4, 9, 9]
    assert lake.delete(NAME, [not_(there), ("k", "<", 3)]).rows == 1
    assert sorted(held(lake)) == [1, 3, 4, 9, 9]
    lake.replace(NAME, schema.empty_table(), [any_of(gone, ("k", "=", 1))])
    assert sorted(held(lake)) == [3, 9]


def test_what_changes_nothing_is_no_commit(lake: Lake) -> None:
    before = lake.snapshot(NAME).version
    assert lake.delete(NAME, [("k", ">", 99)]).skipped == "nothing changed"
    assert lake.update(NAME, [("k", ">", 99)], {"units": 5}).skipped == "nothing changed"
    assert lake.update(NAME, [("k", "=", 1)], {"units": 1, "share": 0.5}).version is None
    assert lake.update(NAME, [("k", "is not null")], {"raw": b"x", "ok": True}).version is None
    assert lake.snapshot(NAME).version == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("shop", "c"), ("shop", None), ("units", 2**31 - 1), ("price", Decimal("-12345678.90")),
        ("price", 7), ("share", 0.1), ("share", math.nan), ("share", None), ("ok", False), ("day", date(1, 1, 1)),
        ("at", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)), ("raw", b"\x00'"), ("raw", b""),
    ],
)  # fmt: skip
def test_a_column_is_set_to_a_value_of_its_type(lake: Lake, column: str, value: Any) -> None:
    made = lake.update(NAME, [("k", "in", [1, 3])], {column: value})
    assert made.rows == 2
    wanted = pa.scalar(value, SCHEMA.field(column).type).as_py()
    assert [repr(v) for k, v in held(lake, column) if k in (1, 3)] == [repr(wanted)] * 2
    assert [v for k, v in held(lake, column) if k == 2] == [row(2)[column]]
    assert feed(lake, made.version) == [
        ("update_postimage", 1), ("update_postimage", 3), ("update_preimage", 1), ("update_preimage", 3),
    ]  # fmt: skip
    again = lake.update(NAME, [("k", "in", [1, 3])], {column: value})
    assert (again.version is None) == (repr(value) != "nan"), "NaN differs from itself"


def test_text_is_set_as_it_is_given(lake: Lake) -> None:
    evil = "it's; '; DROP TABLE x; --\n\u00fc"
    lake.update(NAME, [("k", "=", 1)], {"shop": evil})
    assert held(lake, "shop")[1] == (1, evil)


def test_only_rows_that_differ_are_updated(lake: Lake) -> None:
    made = lake.update(NAME, [("k", "<=", 3)], {"units": 2, "ok": True})
    assert made.rows == 3
    assert ("update_postimage", 2) not in feed(lake, made.version)


@pytest.mark.parametrize(
    ("where", "values", "kind", "words"),
    [
        ([], {"units": 1}, PredicateError, "has no conditions"),
        ("k = 1", {"units": 1}, PredicateError, "no list of conditions"),
        ([("share", "=", 0.5)], {"units": 1}, PredicateError, "share, which is float"),
        ([("k", "in", list(range(2_000)))], {"units": 1}, PredicateError, "2,001 values"),
        ([("k", "=", 1)], {}, SchemaError, "sets no column"),
        ([("k", "=", 1)], {"unit": 1}, SchemaError, "did you mean units"),
        ([("k", "=", 1)], {"units": 1.5}, SchemaError, "units of curated/stock is int32, 1.5"),
        ([("k", "=", 1)], {"units": 2**40}, SchemaError, "units"),
        ([("k", "=", 1)], {"units": "1"}, SchemaError, "units"),
        ([("k", "=", 1)], {"at": datetime(2026, 1, 1)}, SchemaError, "at of"),  # noqa: DTZ001 - refused
        ([("k", "=", 1)], {"units": None}, KeyViolation, "units of curated/stock cannot be null"),
        ([("k", "=", 1)], {"k": 9}, KeyViolation, "k is in the key"),
        ([("k", "=", 1)], {"units": -1}, KeyViolation, "curated/stock"),
        ([("k", "=", 1)], {"tags": ["x"]}, SchemaError, "`update` does not set"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused(
    lake: Lake, where: Any, values: Any, kind: type[Exception], words: str
) -> None:
    before = lake.snapshot(NAME).version
    with pytest.raises(kind, match=words):
        lake.update(NAME, where, values)
    assert lake.snapshot(NAME).version == before


def test_deletion_needs_conditions_and_a_table(lake: Lake) -> None:
    with pytest.raises(PredicateError, match="`overwrite` curated/stock with no rows"):
        lake.delete(NAME, [])
    with pytest.raises(NotFound):
        lake.delete("curated/none", [("k", "=", 1)])
    assert "curated/none" not in lake.names()


def test_tables_of_others_and_append_only_ones_are_refused(tmp_path: Path) -> None:
    owned = Dataset("curated/owned", SCHEMA, writers="one", owner="a-job")
    lake = Lake(tmp_path, Datasets([owned]), writer="a-job")
    lake.append(owned.name, table(row(1)))
    for refused in (
        lambda lake: lake.delete(owned.name, [("k", "=", 1)]),
        lambda lake: lake.update(owned.name, [("k", "=", 1)], {"units": 2}),
    ):
        with pytest.raises(Conflict, match="belongs to a-job"):
            refused(Lake(tmp_path, Datasets([owned])))
    only = Dataset("curated/only", SCHEMA, properties={"delta.appendOnly": "true"})
    lake = Lake(tmp_path, Datasets([only]))
    lake.append(only.name, table(row(1)))
    with pytest.raises(FeatureRefused, match="append-only"):
        lake.delete(only.name, [("k", "=", 1)])
    with pytest.raises(FeatureRefused, match="append-only"):
        lake.update(only.name, [("k", "=", 1)], {"units": 2})


def test_a_run_records_what_was_deleted_and_updated(lake: Lake) -> None:
    with lake.run("sale") as run:
        run.delete(NAME, [("k", "<", 2)])
        run.update(NAME, [("k", "<", 5)], {"units": 3, "share": 0.25})
    assert list(verify(lake, "sale")) == []


def test_a_merge_keeps_the_values_of_columns_that_its_rows_lack(lake: Lake) -> None:
    made = lake.merge(NAME, [{"k": 1, "units": 40}, {"k": 2, "units": 2}])
    assert made.rows == 1
    assert held(lake, "units", "price")[1:3] == [(1, 40, Decimal("1.00")), (2, 2, Decimal("2.00"))]
    lake.merge(NAME, [{"k": 7, "units": 7, "shop": "a"}])
    assert held(lake, "units", "price")[-1] == (7, 7, None)


def test_a_new_row_that_lacks_a_column_which_may_not_be_null_is_refused(lake: Lake) -> None:
    before = lake.snapshot(NAME).version
    with pytest.raises(KeyViolation, match="a new row needs units"):
        lake.merge(NAME, [{"k": 1, "ok": False}, {"k": 9, "ok": False}])
    assert lake.snapshot(NAME).version == before
    assert lake.merge(NAME, [{"k": 1, "ok": False}]).rows == 1


def test_a_merge_adds_columns_where_that_is_meant(lake: Lake) -> None:
    rows = [{"k": 1, "note": "dusty"}, {"k": 2, "note": None}]
    with pytest.raises(SchemaError, match="`schema_mode='merge'` adds columns"):
        lake.merge(NAME, rows)
    made = lake.merge(NAME, rows, schema_mode="merge")
    assert made.rows == 1
    assert held(lake, "note", "units")[:3] == [(0, None, 0), (1, "dusty", 1), (2, None, 2)]
    assert lake.merge(NAME, rows, schema_mode="merge").version is None
    assert feed(lake, made.version) == [("update_postimage", 1), ("update_preimage", 1)]


def test_a_merge_needs_its_keys_and_what_orders_it(lake: Lake) -> None:
    with pytest.raises(SchemaError, match="rows for curated/stock lack k"):
        lake.merge(NAME, [{"units": 1}])
    with pytest.raises(SchemaError, match="rows for curated/stock lack at"):
        lake.merge(NAME, [{"k": 1, "units": 1}], order_by="at")
