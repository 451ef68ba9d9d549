"""Verification of a run: what it recorded is computed again from the data of the versions that it names.

Nothing is taken from counts or statistics in the log. Rows are read and counted; the rows of a commit are told from
the data before and after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.form.schemas import fingerprint
from lakeshelf.lake.history import feed, touching
from lakeshelf.lake.history.records import CHANGES, READ, TOUCHED, facts, where_of
from lakeshelf.lake.history.runs import rows_of
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.rows import diff, reading, tables
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.rows.versions import opened_at

_FACTS = ("table_id", "reader_version", "writer_version", "features")
_FEEDS = {CHANGES: feed.between, TOUCHED: touching.between}
_EVERY_ROW = ("overwrite", "replace")
_CAME = "__came"


@dataclass(frozen=True)
class Difference:
    """Something that is not as a run recorded it.

    Attributes:
        dataset: The dataset.
        kind: `read` or `write`.
        version: The version.
        what: What differs: a column of `ops/runs`, `content` (values of rows), or `data` (cannot be read).
        recorded: As it was recorded.
        actual: As it is.
    """

    dataset: str
    kind: str
    version: int
    what: str
    recorded: Any
    actual: Any

    def as_json(self) -> dict[str, Any]:
        """The difference as plain values."""
        return {
            "dataset": self.dataset,
            "kind": self.kind,
            "version": self.version,
            "what": self.what,
            "recorded": self.recorded,
            "found": self.actual,
        }


@dataclass(frozen=True)
class _Opened:
    """Versions of the table of one recorded row."""

    lake: ReadTables
    name: str
    latest: DeltaTable

    def at(self, version: int) -> DeltaTable:
        return opened_at(self.latest.table_uri, version, self.latest, self.name)


def verify(lake: ReadTables, run_id: str) -> Iterator[Difference]:
    """What is not as a run recorded it, dataset by dataset; nothing: all is.

    Raises:
        NotFound: No such run.
    """
    rows = rows_of(lake.root, run_id)
    if not rows:
        raise NotFound(f"no run {run_id!r}", hint="`lakeshelf lake runs` lists the runs")
    for row in rows:
        yield from _row(lake, row)


def _row(lake: ReadTables, row: Mapping[str, Any]) -> Iterator[Difference]:
    try:
        opened = _Opened(lake, row["dataset"], tables.open_table(lake.root, row["dataset"]))
        yield from _table(opened, row)
        for part in json.loads(row["parts"]):
            yield from _part(opened, row, part)
    except LakeError as error:
        yield _difference(row, row["version"], "data", "readable", error.message)


def _table(opened: _Opened, row: Mapping[str, Any]) -> Iterator[Difference]:
    handle = opened.at(row["version"])
    actual = facts(handle)
    schema = reading.scan(handle, opened.name).schema
    actual["schema_fingerprint"] = fingerprint(schema)
    for what in (*_FACTS, "schema_fingerprint"):
        if row[what] != actual[what]:
            yield _difference(row, row["version"], what, row[what], actual[what])


def _part(opened: _Opened, row: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[Difference]:
    version, recorded = part["version"], part["rows"]
    content = _content(opened, part) if "content" in part else None
    if content and content.fingerprint != part["content"]:
        yield _difference(row, version, "content", part["content"], content.fingerprint)
    rows = _written(opened, part) if row["kind"] == "write" else content and content.rows
    if rows is not None and rows != recorded:
        yield _difference(row, version, "rows", recorded, rows)


def _content(opened: _Opened, part: Mapping[str, Any]) -> RowSums:
    handle = opened.at(part["version"])
    if part["operation"] in _FEEDS:
        key, between = opened.lake.dataset(opened.name).key, _FEEDS[part["operation"]]
        return RowSums.of(between(handle, opened.name, part["since"], part["version"], key)())
    if part["operation"] != READ:
        return RowSums.of(reading.scan(handle, opened.name))
    where = where_of(part, reading.schema_of(handle))
    return RowSums.of(reading.scan(handle, opened.name, part.get("columns"), where))


def _written(opened: _Opened, part: Mapping[str, Any]) -> int | None:
    """Rows of a commit, from the data before and after it; None: the operation writes none."""
    operation, handle = part["operation"], opened.at(part["version"])
    if operation in _EVERY_ROW:
        return _count(handle, opened.name, where_of(part, reading.schema_of(handle)))
    if operation == "append":
        return _count(handle, opened.name) - _count(opened.at(part["version"] - 1), opened.name)
    if operation == "delete":
        return _count(opened.at(part["version"] - 1), opened.name) - _count(handle, opened.name)
    if operation == "update":
        return _came(opened.at(part["version"] - 1), handle, opened.name)
    if operation == "merge":
        return _changed(opened.at(part["version"] - 1), handle, opened.name, part["keys"])
    return None


def _changed(before: DeltaTable, after: DeltaTable, name: str, keys: list[str]) -> int:
    """Rows that a merge inserted, updated or deleted; an update is one that went and one that came."""
    changes = diff.diff(before, after, name, keys).read_all().select([diff.CHANGE_TYPE, *keys])
    came = pc.is_in(changes[diff.CHANGE_TYPE], pa.array([diff.INSERT, diff.AFTER]))
    counted = changes.append_column(_CAME, came.cast(pa.int64())).group_by(keys)
    by_key = counted.aggregate([(_CAME, "sum"), (_CAME, "count")])
    gone = pc.subtract(by_key[f"{_CAME}_count"], by_key[f"{_CAME}_sum"])
    return int(pc.sum(pc.max_element_wise(by_key[f"{_CAME}_sum"], gone)).as_py() or 0)


def _came(before: DeltaTable, after: DeltaTable, name: str) -> int:
    changes = diff.diff(before, after, name, ())
    return sum(batch.column(0).to_pylist().count(diff.INSERT) for batch in changes)


def _count(handle: DeltaTable, name: str, where: Any = None) -> int:
    column = reading.schema_of(handle).names[:1]
    return sum(batch.num_rows for batch in reading.scan(handle, name, column, where))


def _difference(
    row: Mapping[str, Any], version: int, what: str, recorded: Any, actual: Any
) -> Difference:
    return Difference(row["dataset"], row["kind"], version, what, recorded, actual)
