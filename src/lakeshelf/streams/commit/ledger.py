"""The ledger: one row a batch that says what was read, what became of it and what was committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Ops
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables

LEDGER = Ops.BATCH_LEDGER
BATCH, REBUILD, GAP = "batch", "rebuild", "gap_accepted"
"""Kinds of rows."""
JSON = ("offsets", "topics", "table_versions")
OWN = ("sources", "table_ids")
"""Columns in JSON that a row has only when something is new."""
Offsets = Mapping[str, Mapping[str, tuple[int, int]]]
"""Topic → partition → offsets from (inclusive) and until (exclusive)."""


@dataclass
class Counts:
    """What became of the records of one topic in one batch; `rows_in` is the sum of the others."""

    rows_in: int = 0
    valid: int = 0
    quarantined: int = 0
    duplicate: int = 0


@dataclass(frozen=True)
class LedgerEntry:
    """One row of the ledger."""

    query_id: str
    batch_id: int
    query: str
    kind: str
    offsets: Offsets
    counts: Mapping[str, Counts]
    table_versions: Mapping[str, int]
    duration_ms: int
    committer: str
    committed_at: datetime
    sources: Mapping[str, Any] | None = None
    table_ids: Mapping[str, str] | None = None

    def row(self) -> pa.Table:
        """The row in the shape of the table."""
        total = {
            name: sum(getattr(c, name) for c in self.counts.values()) for name in vars(Counts())
        }
        values: dict[str, Any] = {
            **{
                k: getattr(self, k)
                for k in ("query_id", "batch_id", "query", "kind", "duration_ms", "committer")
            },
            **total,
            "offsets": json.dumps(self.offsets, sort_keys=True),
            "topics": json.dumps(
                {topic: asdict(c) for topic, c in self.counts.items()}, sort_keys=True
            ),
            "table_versions": json.dumps(dict(self.table_versions), sort_keys=True),
            "committed_at": self.committed_at,
            **{name: _text(getattr(self, name)) for name in OWN},
        }
        return pa.Table.from_pylist(
            [values], schema=arrow_contract.schema(CATALOG.tables[LEDGER].columns)
        )


def entries(root: Place, query: str | None = None) -> list[dict[str, Any]]:
    """Rows of the ledger, of one query or of all, oldest first, JSON columns decoded."""
    where = None if query is None else [("query", "=", query)]
    rows = tables.rows(root, LEDGER, where=where)
    return sorted(_decoded(rows), key=lambda row: (row["committed_at"], row["batch_id"]))


def page(
    root: Place, query: str | None, offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Some rows of the ledger as `entries` gives them, the newest first, and how many there are in all."""
    where = None if query is None else [("query", "=", query)]
    order = (("committed_at", "descending"), ("batch_id", "descending"))
    rows, total = tables.page(root, LEDGER, order, where, offset, limit)
    return _decoded(rows), total


def _decoded(rows: pa.Table) -> list[dict[str, Any]]:
    return [
        {**row, **{k: json.loads(row[k]) for k in (*JSON, *OWN) if row.get(k)}}
        for row in rows.to_pylist()
    ]


def moved(offsets: Offsets) -> set[str]:
    """Topics of which a batch took something, be it no more than markers of transactions."""
    return set(moved_ranges(offsets))


def most_records(offsets: Offsets) -> int:
    """Records of a batch, at most: markers of transactions have offsets too, and compaction leaves gaps."""
    return sum(end - start for parts in offsets.values() for start, end in parts.values())


def moved_ranges(offsets: Offsets) -> Offsets:
    """Offsets of the partitions of which a batch took something."""
    parts = {t: {p: o for p, o in known.items() if o[0] < o[1]} for t, known in offsets.items()}
    return {topic: known for topic, known in parts.items() if known}


@dataclass
class Account:
    """What the ledger says of a query: where it stands, and in what.

    Attributes:
        app_id: Application id of its last batch; empty: it has none.
        number: Number of that batch.
        reached: Topic → partition → offset up to which everything is committed that follows from it.
        versions: Table → version of the last commit that the ledger knows.
        table_ids: Table → its id in Delta.
        sources: Topic → `id`, and `earlier` as in the ledger.
    """

    app_id: str = ""
    number: int = -1
    reached: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    table_ids: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)

    def take(self, row: Mapping[str, Any]) -> None:
        """Go on with another row, which may be of before the last one if the clock was set back."""
        if row["kind"] == REBUILD:
            self.reached, self.versions = {}, {}
        if row["kind"] == BATCH:
            other = row["query_id"] != self.app_id
            self.number = row["batch_id"] if other else max(self.number, row["batch_id"])
            self.app_id = row["query_id"]
        for topic, partitions in row["offsets"].items():
            known = self.reached.setdefault(topic, {})
            known |= {p: max(end, known.get(p, 0)) for p, (_, end) in partitions.items()}
        self.versions |= {
            table: max(version, self.versions.get(table, -1))
            for table, version in row["table_versions"].items()
        }
        self.table_ids |= row.get("table_ids") or {}
        self.sources |= row.get("sources") or {}


@dataclass(frozen=True)
class KnownIds:
    """Topics and tables by their ids, where the ledger does not have them yet."""

    sources: Mapping[str, Any] | None = None
    table_ids: Mapping[str, str] | None = None

    @classmethod
    def new(
        cls, held: Account, sources: Mapping[str, Any], table_ids: Mapping[str, str]
    ) -> KnownIds:
        """What of these the account does not have."""
        return cls(
            None if sources.items() <= held.sources.items() else sources,
            None if table_ids.items() <= held.table_ids.items() else table_ids,
        )


def account(root: Place, query: str) -> Account:
    """What the ledger says of a query."""
    account = Account()
    for row in entries(root, query):
        account.take(row)
    return account


def reached(root: Place, topic: str, query: str) -> dict[str, int]:
    """Partition → offset up to which a query has committed everything that follows from a topic."""
    return account(root, query).reached.get(topic, {})


def _text(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(dict(values), sort_keys=True)
