"""Runs: what a run read and wrote, published at its end in one commit.

A run writes its outputs one commit each, as everybody does, and `ops/runs` in one commit at its end. That commit is
the publication: before it nobody reads `at=` the run, after it everybody reads the versions that it names. A run that
raises leaves rows with status `failed`, which nobody reads; one that is killed leaves none, and the history of its
outputs tells its id.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import tables
from lakeshelf.lake.changes import Changes
from lakeshelf.lake.commits import ABSENT, Commit, Txn, Txns
from lakeshelf.lake.conditions import Where
from lakeshelf.lake.cursors import CURSORS, Consumer
from lakeshelf.lake.errors import Conflict, NameRefused, NotFound, VersionNotFound
from lakeshelf.lake.fingerprints import Content
from lakeshelf.lake.lake import Lake
from lakeshelf.lake.readable import ReadableLake
from lakeshelf.lake.records import Part, Recorded, Status, facts
from lakeshelf.lake.schemas import SchemaMode
from lakeshelf.lake.snapshot import At, Snapshot
from lakeshelf.lake.sources import Rows
from lakeshelf.lake.versions import opened_at

RUNS = "ops/runs"
_BOOKS = (RUNS, CURSORS)
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,127}")


class Run(Lake):
    """A lake whose readings and commits are recorded, to be published together (`Lake.run`).

    What it reads twice it reads at the same version, unless it has written it meanwhile.

    Attributes:
        run_id: Its name.
        started_at: When it began.
    """

    def __init__(self, lake: Lake, run_id: str | None, why: str = "", profile: str = "") -> None:
        super().__init__(lake.root, lake.catalog, writer=lake.writer, clock=lake.clock)
        self.started_at = self.clock()
        self.run_id = _new_id(self) if run_id is None else _checked(run_id)
        self.stamp = replace(
            lake.stamp,
            run_id=self.run_id,
            why=why or lake.stamp.why,
            runtime=profile or lake.stamp.runtime,
        )
        self._lake = lake
        self._is_named = run_id is not None
        self._attempt = _attempt(lake, self.run_id) if run_id is not None else ABSENT
        self._pins: dict[str, int] = {}
        self._tables: dict[tuple[str, str], DeltaTable] = {}
        self._parts: dict[tuple[str, str], list[Part]] = {}

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self._finish("published")
            return
        try:
            self._finish("failed")
        except LakeError as unwritten:
            error.add_note(f"run {self.run_id} was not recorded: {unwritten}")

    def snapshot(self, name: str, at: At | None = None) -> Snapshot:
        """As `Lake.snapshot`; without `at` the version that the run has read or written before."""
        if name in _BOOKS:
            return super().snapshot(name, at)
        found = super().snapshot(name, self._pins.get(name) if at is None else at)
        if at is None:
            self._pins[name] = found.version
        if self._is_own(name, found.version):
            return found
        self._tables[name, "read"] = found.handle
        parts = self._parts.setdefault((name, "read"), [])
        return Recorded(found.dataset, found.handle, parts)

    def history(self, name: str, limit: int | None = None) -> list[Any]:
        """As `Lake.history`; it is no reading of rows."""
        return self._lake.history(name, limit)

    def create(
        self, name: str, schema: pa.Schema | None = None, *, exist_ok: bool = False, **given: Any
    ) -> Commit:
        """As `Lake.create`."""
        return self._wrote(super().create(name, schema, exist_ok=exist_ok, **given))

    def append(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
    ) -> Commit:
        """As `Lake.append`."""
        made = super().append(name, rows, txn=txn, metadata=metadata, schema_mode=schema_mode)
        return self._wrote(made)

    def overwrite(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
    ) -> Commit:
        """As `Lake.overwrite`."""
        made = super().overwrite(name, rows, txn=txn, metadata=metadata, schema_mode=schema_mode)
        return self._wrote(made)

    def replace(
        self,
        name: str,
        rows: Rows,
        where: Where,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Commit:
        """As `Lake.replace`."""
        made = super().replace(name, rows, where, txn=txn, metadata=metadata)
        return self._wrote(made, where=where)

    def merge(
        self,
        name: str,
        rows: Rows,
        keys: Sequence[str] | None = None,
        order_by: str | Sequence[str] | None = None,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: Literal["merge"] | None = None,
    ) -> Commit:
        """As `Lake.merge`."""
        made = super().merge(
            name, rows, keys, order_by, txn=txn, metadata=metadata, schema_mode=schema_mode
        )
        return self._wrote(made, keys=tuple(keys or self.dataset(name).key))

    def delete(
        self,
        name: str,
        where: Where,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Commit:
        """As `Lake.delete`."""
        made = super().delete(name, where, txn=txn, metadata=metadata)
        return self._wrote(made, where=where)

    def update(
        self,
        name: str,
        where: Where,
        set: Mapping[str, Any],  # noqa: A002 - as `Lake.update`
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Commit:
        """As `Lake.update`."""
        made = super().update(name, where, set, txn=txn, metadata=metadata)
        return self._wrote(made, where=where)

    def restore(self, name: str, at: At, *, metadata: Mapping[str, Any] | None = None) -> Commit:
        """As `Lake.restore`."""
        return self._wrote(super().restore(name, at, metadata=metadata))

    def note(self, name: str, *, txn: Txns, metadata: Mapping[str, Any] | None = None) -> Commit:
        """As `Lake.note`."""
        return self._wrote(super().note(name, txn=txn, metadata=metadata))

    def changes(self, name: str, consumer: Consumer) -> Changes:
        """As `Lake.changes`."""
        found = super().changes(name, consumer)
        if found.start is not None and (name, "read") in self._parts:
            part = Part(found.end, "changes", since=found.start)
            part.content = Content.of(found.rows)
            part.is_whole = True
            self._parts[name, "read"].append(part)
        return found

    def _wrote(
        self, commit: Commit, keys: tuple[str, ...] = (), where: Where | None = None
    ) -> Commit:
        if commit.version is None or commit.table in _BOOKS:
            return commit
        name, version = commit.table, commit.version
        self._pins[name] = version
        latest = tables.open_table(self.root, name)
        self._tables[name, "write"] = opened_at(self.root.of(name), version, latest, name)
        part = Part(
            version,
            commit.operation,
            keys=keys,
            where=where,
            written=commit.rows,
            metadata=commit.metadata,
        )
        self._parts.setdefault((name, "write"), []).append(part)
        return commit

    def _is_own(self, name: str, version: int) -> bool:
        return any(part.version == version for part in self._parts.get((name, "write"), ()))

    def _finish(self, status: Status) -> None:
        for (name, kind), parts in self._parts.items():
            if kind == "write" and status == "published":
                last = Snapshot(self.dataset(name), self._tables[name, kind])
                parts[-1].content = Content.of(last.scan())
                parts[-1].is_whole = True
        rows = [self._row(name, kind, status) for name, kind in self._parts]
        if not rows:
            return
        made = self._record(rows)
        if made.skipped:
            raise Conflict(
                f"run {self.run_id} was published by another process meanwhile",
                hint="its own commits stand in the history of its outputs; choose another id",
            )

    def _record(self, rows: list[dict[str, Any]]) -> Commit:
        if not self._is_named:
            return self._lake.append(RUNS, rows)
        once = Txn(_app(self.run_id), self._attempt + 1, self._attempt)
        return self._lake.replace(RUNS, rows, where=[("run_id", "=", self.run_id)], txn=once)

    def _row(self, name: str, kind: str, status: Status) -> dict[str, Any]:
        parts = self._parts[name, kind]
        return {
            "run_id": self.run_id,
            "dataset": name,
            "kind": kind,
            "path": self.dataset(name).path,
            **facts(self._tables[name, kind]),
            "runtime_profile": self.stamp.runtime,
            "commit_metadata": json.dumps(dict(parts[-1].metadata)) if kind == "write" else None,
            "rows": sum(part.rows for part in parts),
            "parts": json.dumps([part.as_json() for part in parts]),
            "why": self.stamp.why or None,
            "status": status,
            "run_date": self.started_at.date(),
            "started_at": self.started_at,
            "finished_at": self.clock(),
        }


def version_of(lake: ReadableLake, run_id: str, name: str, latest: DeltaTable) -> int:
    """The version of a dataset that a published run wrote, or else read.

    Raises:
        VersionNotFound: No such run, it is not published, it did not touch the dataset, or that was created again.
    """
    found = {
        row["kind"]: row
        for row in rows_of(lake, run_id)
        if row["dataset"] == name and row["status"] == "published"
    }
    if not found:
        raise VersionNotFound(
            f"no published run {run_id!r} has touched {name}",
            hint="`lakeshelf lake runs` lists the runs",
        )
    row = found.get("write") or found["read"]
    if row["table_id"] != latest.metadata().id:
        raise VersionNotFound(
            f"{name} was created again since run {run_id}", hint="read a later run"
        )
    return int(row["version"])


def rows_of(lake: ReadableLake, run_id: str) -> list[dict[str, Any]]:
    """Rows of `ops/runs` of one run; none where there is no such run."""
    if not tables.exists(lake.root, RUNS):
        return []
    found = lake.read(RUNS, where=[("run_id", "=", run_id)]).read_all().to_pylist()
    return sorted(found, key=lambda row: (row["dataset"], row["kind"]))


def latest_first(lake: Lake) -> list[dict[str, Any]]:
    """All rows of `ops/runs`, the latest run first."""
    if not tables.exists(lake.root, RUNS):
        return []
    found = lake.read(RUNS).read_all()
    order = [("started_at", "descending"), ("run_id", "ascending"), ("dataset", "ascending")]
    return list(found.sort_by([*order, ("kind", "ascending")]).to_pylist())


def oldest_version(lake: Lake, dataset: str, retention: timedelta) -> int | None:
    """The oldest version of a dataset that a published run refers to which has not expired; None: none does.

    Args:
        lake: The lake.
        dataset: The dataset.
        retention: How long after its end a run can be read and verified.
    """
    try:
        table_id = lake.snapshot(dataset).table_id
    except NotFound:
        return None
    since = lake.clock() - retention
    found = [
        version
        for row in _published(lake, dataset)
        if row["table_id"] == table_id and row["finished_at"] > since
        for version in _referred(row)
    ]
    return min(found, default=None)


def _published(lake: Lake, dataset: str) -> list[dict[str, Any]]:
    if not tables.exists(lake.root, RUNS):
        return []
    chosen = [("dataset", "=", dataset), ("status", "=", "published")]
    return list(lake.read(RUNS, where=chosen).read_all().to_pylist())


def _referred(row: Mapping[str, Any]) -> Iterator[int]:
    """Versions that are needed to read a run and to verify it: that before a commit is compared with it."""
    yield int(row["version"])
    for part in json.loads(row["parts"]):
        yield part.get("since", part["version"])
        if row["kind"] == "write":
            yield max(part["version"] - 1, 0)


def _attempt(lake: Lake, run_id: str) -> int:
    """How often a run of that name was recorded; what it recorded as failed is replaced."""
    if any(row["status"] == "published" for row in rows_of(lake, run_id)):
        raise Conflict(f"run {run_id} is published", hint="choose another id, or none")
    if not tables.exists(lake.root, RUNS):
        return ABSENT
    recorded = tables.open_table(lake.root, RUNS).transaction_version(_app(run_id))
    return ABSENT if recorded is None else int(recorded)


def _app(run_id: str) -> str:
    return f"run:{run_id}"


def _new_id(lake: Lake) -> str:
    return f"run-{lake.clock():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def _checked(run_id: str) -> str:
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise NameRefused(
            f"{run_id!r} names no run",
            hint="begin with a letter; then letters, digits and `_.:-`, so that it is no version and no time",
        )
    return run_id
