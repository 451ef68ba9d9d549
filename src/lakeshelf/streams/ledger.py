"""The ledger: one row a batch that says what was read, what became of it and what was committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import tables
from lakeshelf.lake.location import Place

LEDGER = "ops/batch_ledger"
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
class Entry:
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
        }
        return pa.Table.from_pylist(
            [values], schema=arrow_contract.schema(CATALOG.tables[LEDGER].columns)
        )


def moved(offsets: Offsets) -> set[str]:
    """Topics of which a batch took something, be it no more than markers of transactions."""
    return {
        topic
        for topic, parts in offsets.items()
        if any(begin < end for begin, end in parts.values())
    }


def entries(root: Place) -> list[dict[str, Any]]:
    """All rows of the ledger, oldest first, JSON columns decoded."""
    found = tables.rows(root, LEDGER).to_pylist()
    decoded = [
        {**row, **{k: json.loads(row[k]) for k in ("offsets", "topics", "table_versions")}}
        for row in found
    ]
    return sorted(decoded, key=lambda row: (row["committed_at"], row["batch_id"]))


def reached(root: Place, topic: str, query: str) -> dict[str, int]:
    """Partition → offset up to which a query has committed everything that follows from a topic."""
    until: dict[str, int] = {}
    for row in entries(root):
        if row["query"] == query:
            for partition, (_, end) in row["offsets"].get(topic, {}).items():
                until[partition] = max(end, until.get(partition, 0))
    return until
