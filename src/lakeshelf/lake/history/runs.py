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
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from deltalake import DeltaTable

from lakeshelf.contracts.layers import Ops
from lakeshelf.lake.form.commits import ABSENT, Commit, Txn
from lakeshelf.lake.history.changes import Changes
from lakeshelf.lake.history.cursors import CURSORS
from lakeshelf.lake.history.recording import Recorder
from lakeshelf.lake.history.records import CHANGES, TOUCHED, Access, Recorded, Status, facts
from lakeshelf.lake.place.errors import Conflict, NameRefused, VersionNotFound
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.rows.snapshot import Snapshot
from lakeshelf.lake.rows.versions import opened_at

RUNS = Ops.RUNS
_BOOKS = (RUNS, CURSORS)
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,127}")


class Book(Recorder):
    """What a run reads and writes, recorded to be published at its end.

    What it reads twice it reads at the same version, unless it has written it meanwhile.

    Args:
        lake: The lake, in which the run is recorded.
        run_id: Its name; None: a new one.
        why: Why it is done, for the history.
        profile: Runtime profile; empty: that of this process.

    Attributes:
        run_id: Its name.
        stamp: What its commits say of it.
        started_at: When it began.

    Raises:
        Conflict: A run of that name is published.
    """

    def __init__(self, lake: Tables, run_id: str | None, why: str = "", profile: str = "") -> None:
        self.started_at = lake.clock()
        self.run_id = _new_id(self.started_at) if run_id is None else _checked(run_id)
        self.stamp = replace(
            lake.stamp,
            run_id=self.run_id,
            why=why or lake.stamp.why,
            runtime=profile or lake.stamp.runtime,
        )
        self._lake = lake
        self._is_named = run_id is not None
        self._attempt = _attempt(lake.root, self.run_id) if run_id is not None else ABSENT
        self._pins: dict[str, int] = {}
        self._tables: dict[tuple[str, str], DeltaTable] = {}
        self._parts: dict[tuple[str, str], list[Access]] = {}

    def pinned(self, name: str) -> int | None:
        """The version that the run has read or written before."""
        return self._pins.get(name)

    def read(self, snapshot: Snapshot, *, latest: bool) -> Snapshot:
        """The snapshot, with what is read of it recorded."""
        name = snapshot.dataset.name
        if name in _BOOKS:
            return snapshot
        if latest:
            self._pins[name] = snapshot.version
        if self._is_own(name, snapshot.version):
            return snapshot
        self._tables[name, "read"] = snapshot.handle
        parts = self._parts.setdefault((name, "read"), [])
        return Recorded(snapshot.dataset, snapshot.handle, parts)

    def changed(self, changes: Changes) -> Changes:
        """The changes, recorded as read."""
        parts = self._parts.get((changes.dataset, "read"))
        if changes.start is not None and parts is not None:
            operation = TOUCHED if changes.touched else CHANGES
            part = Access(changes.end, operation, since=changes.start)
            part.content = RowSums.of(changes.rows)
            part.is_whole = True
            parts.append(part)
        return changes

    def wrote(
        self, commit: Commit, keys: tuple[str, ...] = (), where: Where | None = None
    ) -> Commit:
        """The commit, recorded; one that was skipped is none."""
        if commit.version is None or commit.table in _BOOKS:
            return commit
        name, version = commit.table, commit.version
        self._pins[name] = version
        latest = tables.open_table(self._lake.root, name)
        self._tables[name, "write"] = opened_at(latest.table_uri, version, latest, name)
        part = Access(
            version,
            commit.operation,
            keys=keys,
            where=where,
            written=commit.rows,
            metadata=commit.metadata,
        )
        self._parts.setdefault((name, "write"), []).append(part)
        return commit

    def finish(self, status: Status) -> None:
        """Publish what was recorded, in one commit.

        Raises:
            Conflict: Another process has published a run of that name meanwhile.
        """
        for (name, kind), parts in self._parts.items():
            if kind == "write" and status == "published":
                last = Snapshot(self._lake.dataset(name), self._tables[name, kind])
                parts[-1].content = RowSums.of(last.scan())
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

    def _is_own(self, name: str, version: int) -> bool:
        return any(part.version == version for part in self._parts.get((name, "write"), ()))

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
            "path": self._lake.dataset(name).path,
            **facts(self._tables[name, kind]),
            "runtime_profile": self.stamp.runtime,
            "commit_metadata": json.dumps(dict(parts[-1].metadata)) if kind == "write" else None,
            "rows": sum(part.rows for part in parts),
            "parts": json.dumps([part.as_json() for part in parts]),
            "why": self.stamp.why or None,
            "status": status,
            "run_date": self.started_at.date(),
            "started_at": self.started_at,
            "finished_at": self._lake.clock(),
        }


def version_of(root: Root, run_id: str, name: str, latest: DeltaTable) -> int:
    """The version of a dataset that a published run wrote, or else read.

    Raises:
        VersionNotFound: No such run, it is not published, it did not touch the dataset, or that was created again.
    """
    by_kind = {
        row["kind"]: row
        for row in rows_of(root, run_id)
        if row["dataset"] == name and row["status"] == "published"
    }
    if not by_kind:
        raise VersionNotFound(
            f"no published run {run_id!r} has touched {name}",
            hint="`lakeshelf lake runs` lists the runs",
        )
    row = by_kind.get("write") or by_kind["read"]
    if row["table_id"] != latest.metadata().id:
        raise VersionNotFound(
            f"{name} was created again since run {run_id}", hint="read a later run"
        )
    return int(row["version"])


def rows_of(root: Root, run_id: str) -> list[dict[str, Any]]:
    """Rows of `ops/runs` of one run; none where there is no such run."""
    if not tables.exists(root, RUNS):
        return []
    rows = tables.whole_rows(root, RUNS, [("run_id", "=", run_id)]).to_pylist()
    return sorted(rows, key=lambda row: (row["dataset"], row["kind"]))


def latest_first(root: Root) -> list[dict[str, Any]]:
    """All rows of `ops/runs`, the latest run first."""
    if not tables.exists(root, RUNS):
        return []
    rows = tables.whole_rows(root, RUNS)
    order = [("started_at", "descending"), ("run_id", "ascending"), ("dataset", "ascending")]
    return list(rows.sort_by([*order, ("kind", "ascending")]).to_pylist())


def oldest_version(root: Root, dataset: str, retention: timedelta, now: datetime) -> int | None:
    """The oldest version of a dataset that a published run refers to which has not expired; None: none does.

    Args:
        root: Root of the lake.
        dataset: The dataset.
        retention: How long after its end a run can be read and verified.
        now: The present time.
    """
    if not tables.exists(root, RUNS) or not tables.exists(root, dataset):
        return None
    table_id = str(tables.open_table(root, dataset).metadata().id)
    chosen = [("dataset", "=", dataset), ("status", "=", "published")]
    versions = [
        version
        for row in tables.rows(root, RUNS, where=chosen).to_pylist()
        if row["table_id"] == table_id and row["finished_at"] > now - retention
        for version in _referred(row)
    ]
    return min(versions, default=None)


def _referred(row: Mapping[str, Any]) -> Iterator[int]:
    """Versions that are needed to read a run and to verify it: that before a commit is compared with it."""
    yield int(row["version"])
    for part in json.loads(row["parts"]):
        yield part.get("since", part["version"])
        if row["kind"] == "write":
            yield max(part["version"] - 1, 0)


def _attempt(root: Root, run_id: str) -> int:
    """How often a run of that name was recorded; what it recorded as failed is replaced."""
    if any(row["status"] == "published" for row in rows_of(root, run_id)):
        raise Conflict(f"run {run_id} is published", hint="choose another id, or none")
    if not tables.exists(root, RUNS):
        return ABSENT
    recorded = tables.open_table(root, RUNS).transaction_version(_app(run_id))
    return ABSENT if recorded is None else int(recorded)


def _app(run_id: str) -> str:
    return f"run:{run_id}"


def _new_id(now: datetime) -> str:
    return f"run-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def _checked(run_id: str) -> str:
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise NameRefused(
            f"{run_id!r} names no run",
            hint="begin with a letter; then letters, digits and `_.:-`, so that it is no version and no time",
        )
    return run_id
