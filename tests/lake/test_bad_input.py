"""What somebody gives is looked at before anything is done: its error, its words, and nothing made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf import query
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import (
    Conflict,
    Consumer,
    Dataset,
    Datasets,
    KeyViolation,
    Lake,
    LakeError,
    NameRefused,
    NotFound,
    PredicateError,
    SchemaError,
    StorageError,
    TimeOutOfRange,
    VersionNotFound,
    open_table,
)

NAME, NEW = "curated/notes", "curated/new"
ROW = {"id": 2, "note": "b", "price": Decimal("1.50"), "at": datetime(2026, 5, 1, tzinfo=UTC)}
ONE = pa.schema([("a", "int64")])
FIRST = [("id", "=", 1)]
LATE = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    schema = pa.schema(
        [pa.field("id", pa.int64(), nullable=False), ("note", "string"), ("price", pa.decimal128(4, 2)),
         ("at", pa.timestamp("us", "UTC"))]
    )  # fmt: skip
    lake.create(NAME, schema, key="id")
    lake.append(NAME, [ROW | {"id": 1}])
    return lake


def _known(lake: Lake, **given: Any) -> Lake:
    """The lake with a catalogue that has a dataset whose table is not there."""
    return Lake(lake.root, Datasets([Dataset(NEW, ONE, **given)]))


CALLS: list[tuple[Callable[[Lake], Any], type[LakeError], str]] = [
    # a version, a time, a run
    (lambda lake: lake.read(NAME, 2**63), VersionNotFound, "has no version 9223372036854775808"),
    (lambda lake: lake.read(NAME, -1), VersionNotFound, "has no version -1"),
    (lambda lake: lake.read(NAME, True), VersionNotFound, "has no version True"),
    (lambda lake: lake.read(NAME, 1.0), VersionNotFound, r"version 1\.0 \(float\)"),
    (lambda lake: lake.read(NAME, [1]), VersionNotFound, "name of a run"),
    (lambda lake: lake.read(NAME, "may"), VersionNotFound, "no published run 'may'"),
    (lambda lake: lake.read(NAME, date(2026, 5, 1)), TimeOutOfRange, "times are datetimes"),
    (lambda lake: lake.read(NAME, "2026-05-01"), TimeOutOfRange, "times are datetimes"),
    (lambda lake: lake.read(NAME, datetime(2026, 5, 1)), TimeOutOfRange, "has no zone"),  # noqa: DTZ001
    (lambda lake: lake.read(NAME, datetime(2999, 1, 1, tzinfo=UTC)), TimeOutOfRange, "in the future"),
    (lambda lake: lake.diff(NAME, 0, date(2026, 5, 1)), TimeOutOfRange, "times are datetimes"),
    (lambda lake: lake.restore(NAME, 7), VersionNotFound, "has no version 7"),
    # a slice that is none
    (lambda lake: lake.replace(NAME, [], []), PredicateError, "`overwrite` curated/notes to replace all"),
    (lambda lake: lake.replace(NAME, [ROW], None), PredicateError, "`replace` has no conditions"),
    # names
    (lambda lake: lake.read("curated/note"), NotFound, "did you mean curated/notes"),
    (lambda lake: lake.read("notes"), NameRefused, "write `layer/name`"),
    (lambda lake: lake.read(5), NameRefused, "no name of a dataset"),
    (lambda lake: lake.create(NAME), Conflict, "curated/notes exists"),
    (lambda lake: lake.changes(NAME, Consumer("a:b", NEW)), NameRefused, "without a colon"),
    (lambda lake: lake.changes(NAME, Consumer(5, NEW)), NameRefused, "5 names no consumer"),
    (lambda lake: lake.run(5), NameRefused, "5 names no run"),
    # columns
    (lambda lake: lake.read(NAME, columns=["id", "id"]), SchemaError, "id is named twice"),
    (lambda lake: lake.read(NAME, columns=["not"]), SchemaError, "did you mean note"),
    (lambda lake: lake.read(NAME, columns=5), SchemaError, "5 names no columns"),
    (lambda lake: lake.read(NAME, columns=[5]), SchemaError, "names no columns"),
    # conditions
    (lambda lake: lake.read(NAME, where="id = 1"), PredicateError, "no list of conditions"),
    (lambda lake: lake.read(NAME, where={"id": 1}), PredicateError, "no list of conditions"),
    (lambda lake: lake.read(NAME, where=("id", "=", 1)), PredicateError, "put it into a list"),
    (lambda lake: lake.read(NAME, where=["id = 1"]), PredicateError, "is no condition"),
    (lambda lake: lake.replace(NEW, [ROW], "id = 1"), PredicateError, "no list of conditions"),
    (lambda lake: lake.replace(NEW, [ROW], [("i", "=", 1)]), PredicateError, "no column 'i'"),
    # a table that cannot be
    (lambda lake: lake.create(NEW, ONE, constraints={"c": "nope > 1"}), SchemaError, "constraint c .*field named nope"),
    (lambda lake: lake.create(NEW, ONE, constraints={"c": "a >"}), SchemaError, "constraint c .*, 'a >', cannot"),
    (lambda lake: lake.create(NEW, ONE, constraints={"b": "a > 0", "c": "a"}), SchemaError, "constraint c .*boolean"),
    (lambda lake: lake.create(NEW, ONE, constraints={"c": "a > 'x'"}), SchemaError, "constraint c .*'x'"),
    (lambda lake: lake.create(NEW, ONE, constraints={"c": "a > 1; a < 0"}), SchemaError, "a semicolon"),
    (lambda lake: lake.create(NEW, ONE, constraints={"c": 5}), SchemaError, "constraints of .* are"),
    (lambda lake: lake.create(NEW, ONE, constraints="a > 1"), SchemaError, "constraints of .* are 'a > 1'"),
    (lambda lake: _known(lake, constraints={"c": "nope > 1"}).create(NEW), SchemaError, "No field named nope"),
    (lambda lake: _known(lake, constraints={"c": "nope > 1"}).append(NEW, [{"a": 1}]), SchemaError, "named nope"),
    (lambda lake: _known(lake, key=("z",)).append(NEW, [{"a": 1}]), SchemaError, "no column 'z' for its key"),
    (lambda lake: lake.create(NEW, ONE, key=("z",)), SchemaError, "no column 'z' for its key; it has a"),
    (lambda lake: lake.create(NEW, ONE, profile="x"), SchemaError, "no profile 'x'; there are append_log"),
    (lambda lake: lake.create(NEW, pa.schema([("k", "int64"), ("K", "int64")])), SchemaError, "K, k twice"),
    (lambda lake: lake.append(NEW, [{"k": 1, "K": 2}]), SchemaError, "K, k twice; capitals do not count"),
    (lambda lake: lake.merge(NEW, [{"k": 1, "K": 2}], keys="k"), SchemaError, "K, k twice"),
    # keys
    (lambda lake: lake.merge(NEW, [ROW]), SchemaError, "has no key"),
    (lambda lake: lake.merge(NEW, [ROW], keys=[]), SchemaError, "has no key"),
    (lambda lake: lake.merge(NEW, [ROW], keys="ids"), SchemaError, "did you mean id"),
    (lambda lake: lake.merge(NEW, [ROW], keys=["id", "id"]), SchemaError, "named twice"),
    (lambda lake: lake.merge(NEW, [ROW], keys=5), SchemaError, "names no columns"),
    (lambda lake: lake.merge(NAME, [ROW | {"id": None}]), KeyViolation, "id"),
    (lambda lake: lake.merge(NAME, [ROW], order_by="when"), SchemaError, "no column 'when'"),
    (lambda lake: lake.create(NEW, pa.schema([("a", "int64")]), key=5), SchemaError, "names no columns"),
    # rows and their columns
    (lambda lake: lake.append(NEW, []), SchemaError, "has no columns"),
    (lambda lake: lake.append(NEW, 5), SchemaError, "int holds no rows"),
    (lambda lake: lake.append(NEW, "rows"), SchemaError, "str holds no rows"),
    (lambda lake: lake.append(NEW, [1, 2]), SchemaError, "records"),
    (lambda lake: lake.append(NEW, [{1: 2}]), SchemaError, "records"),
    (lambda lake: lake.append(NEW, [{"_change_type": "insert"}]), SchemaError, "change feed"),
    (lambda lake: lake.append(NEW, [{"_commit_version": 1}]), SchemaError, "change feed"),
    (lambda lake: lake.merge(NEW, [{"id": 1, "_change_type": 2}], keys="id"), SchemaError, "rename"),
    (lambda lake: lake.append(NAME, [ROW | {"price": Decimal("100.25")}]), SchemaError, "to widen it"),
    (lambda lake: lake.append(NAME, [ROW], schema_mode="replace"), SchemaError, "no schema mode"),
    (lambda lake: lake.merge(NEW, [ROW], "id", schema_mode="add"), SchemaError, "no schema mode"),
    (lambda lake: lake.append(NAME, [ROW], schema_mode="overwrite"), SchemaError, "`overwrite` the dataset to"),
    (lambda lake: lake.append(NEW, [ROW], schema_mode="overwrite"), SchemaError, "where rows stay"),
    (lambda lake: lake.merge(NAME, [ROW], schema_mode="overwrite"), SchemaError, "where rows stay"),
    (lambda lake: lake.append(NAME, [ROW | {"id": 2**64}]), SchemaError, "id has 18446744073709551616 .*Decimal"),
    (lambda lake: lake.append(NEW, [{"a": 10**5000}]), SchemaError, "column a has a number of thousands of digits"),
    (lambda lake: lake.append(NEW, [{"a": Decimal("NaN")}]), SchemaError, "^records do not fit: column a has Decimal"),
    (lambda lake: lake.append(NEW, [{"a": "\ud800"}]), SchemaError, "column a has .*ud800"),
    (lambda lake: lake.append(NEW, [{"a": 1}, {"a": "x"}]), SchemaError, "column a has values of several types"),
    # values that are set
    (lambda lake: lake.update(NAME, FIRST, {"price": Decimal("NaN")}), SchemaError, "column price .*NaN"),
    (lambda lake: lake.update(NAME, FIRST, {"price": Decimal("sNaN")}), SchemaError, "column price .*sNaN"),
    (lambda lake: lake.update(NAME, FIRST, {"price": float("nan")}), SchemaError, "column price .*nan"),
    (lambda lake: lake.update(NAME, FIRST, {"price": 10**5000}), SchemaError, "thousands of digits"),
    (lambda lake: lake.update(NAME, FIRST, {"note": "\ud800"}), SchemaError, "column note .*ud800.*Unicode"),
    (lambda lake: lake.update(NAME, FIRST, {"at": LATE}), SchemaError, "column at .*9999-12-31T23.*within the years"),
    # identities and metadata
    (lambda lake: lake.append(NEW, [ROW], txn="app"), NameRefused, "no identity of a write"),
    (lambda lake: lake.append(NEW, [ROW], txn=("app",)), NameRefused, "no identity of a write"),
    (lambda lake: lake.append(NEW, [ROW], txn=("app", "1")), NameRefused, "no identity"),
    (lambda lake: lake.append(NEW, [ROW], txn=(1, "app")), NameRefused, "no identity"),
    (lambda lake: lake.append(NEW, [ROW], txn=("app", 2**63)), NameRefused, "no identity"),
    (lambda lake: lake.append(NEW, [ROW], txn=("app", True)), NameRefused, "no identity"),
    (lambda lake: lake.append(NEW, [ROW], metadata={"at": date(2026, 1, 1)}), SchemaError, "no JSON"),
    (lambda lake: lake.append(NEW, [ROW], metadata={"x": float("nan")}), SchemaError, "no JSON"),
    (lambda lake: lake.append(NEW, [ROW], metadata=["x"]), SchemaError, "commit metadata is"),
    (lambda lake: lake.append(NEW, [ROW], metadata={1: 2}), NameRefused, "by a text"),
    (lambda lake: lake.append(NEW, [ROW], metadata={"operation": 2}), NameRefused, "another key"),
    # upkeep
    (lambda lake: lake.optimize(NAME, columns=["nope"]), SchemaError, "cannot be z-ordered"),
    (lambda lake: lake.optimize(NAME, partition={"id": "1"}), SchemaError, "no partitions"),
    (lambda lake: lake.vacuum(NAME, retention=5), LakeError, "5 is no length of time"),
    (lambda lake: lake.history(NAME, limit=-1), LakeError, "-1 is no number of versions"),
    (lambda lake: lake.history(NAME, limit=2**70), LakeError, "is no number of versions"),
    (lambda lake: lake.history(NAME, limit="all"), LakeError, "'all' is no number of versions"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), CALLS)
def test_it_is_refused_in_words_and_nothing_is_made(
    lake: Lake, call: Callable[[Lake], Any], kind: type[LakeError], words: str
) -> None:
    before = lake.history(NAME)
    with pytest.raises(kind, match=words) as caught:
        call(lake)
    assert caught.value.hint
    assert lake.names() == [NAME]
    assert lake.history(NAME) == before


def test_one_name_is_one_column(lake: Lake) -> None:
    assert lake.read(NAME, columns="note").read_all().column_names == ["note"]
    lake.merge(NEW, [{"id": 1}], keys="id")
    assert Dataset(NEW, key="id", partition_by="day").partition_by == ("day",)


def test_a_table_that_is_made_of_changes_has_the_columns_of_the_dataset(lake: Lake) -> None:
    changes = lake.changes(NAME, Consumer("copy", NEW))
    lake.merge(NEW, changes.rows, keys="id", txn=changes.txns)
    assert lake.read(NEW).schema.names == ["id", "note", "price", "at"]


@pytest.mark.parametrize(
    "call",
    [
        lambda lake: lake.read(NAME),
        lambda lake: lake.history(NAME),
        lambda lake: lake.diff(NAME, 0, 1),
        lambda lake: lake.delete(NAME, [("id", "=", 1)]),
        lambda lake: lake.optimize(NAME),
    ],
)
def test_a_lake_that_is_not_there_is_said_and_not_made(
    tmp_path: Path, call: Callable[[Lake], Any]
) -> None:
    lake = Lake(tmp_path / "none")
    with pytest.raises(NotFound, match=f"no lake at {lake.root}"):
        call(lake)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("file", ["lake", "lake/curated", "lake/curated/new"])
@pytest.mark.parametrize(
    "call",
    [
        lambda lake: lake.append(NEW, [{"a": 1}]),
        lambda lake: lake.create(NEW, ONE),
        lambda lake: lake.read(NEW),
        lambda lake: open_table(f"{lake.root}/{NEW}"),
    ],
)
def test_a_file_that_stands_where_a_folder_should_be_is_named(
    tmp_path: Path, file: str, call: Callable[[Lake], Any]
) -> None:
    place = tmp_path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    with pytest.raises(StorageError, match=f"{place} is a file, where a folder should be"):
        call(Lake(tmp_path / "lake"))
    assert place.read_text() == "no folder"


def test_a_file_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("no folder")
    with pytest.raises(StorageError, match="is a file, where a folder should be"):
        Lake(tmp_path / "lake").names()


@pytest.mark.parametrize("retention", [timedelta(days=10**8), timedelta.max])
def test_a_retention_longer_than_the_calendar_keeps_every_file(
    lake: Lake, retention: timedelta
) -> None:
    lake.overwrite(NAME, [ROW])
    assert lake.vacuum(NAME, retention=retention).report["files"] == 0
    assert lake.read(NAME, 1).read_all()["id"].to_pylist() == [1]


def test_spark_is_served_into_a_session_that_is_given(lake: Lake) -> None:
    with pytest.raises(
        ConfigurationError, match="session, and there is none; give a Spark session"
    ):
        query.serve(lake.snapshot(NAME), "spark")
