# ruff: noqa: S608 - the SQL is put together from constants of this module
"""The records of a replay, without Kafka: what is sent, in which order, and how much of it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from replay_faults import RECORD, inject, schedule, share_of
from replay_malformed import counts as malformed_counts
from replay_messages import MOVEMENTS, OPENING, PROFILES
from replay_messages import PROMOTIONS as PROMOTED
from replay_plan import (
    EVENT_TOPICS,
    FOOT_TRAFFIC,
    POS_TRANSACTIONS,
    PROMOTIONS,
    SHELF_EVENTS,
    SHELF_PROFILES,
    WH_EVENTS,
    ReplayPlan,
    Totals,
)
from replay_tables import OPENING_MS, build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

BATCH_ROWS = 8_192
SHELVES_A_QUERY = 25_000
LINES_A_QUERY = 25_000

HEADERS: Mapping[str, tuple[tuple[str, bytes], ...]] = MappingProxyType(
    {
        topic: (("version", b"1"), ("producer", CATALOG.topics[topic].owner.encode()))
        for topic in (SHELF_PROFILES, PROMOTIONS)
    }
)
"""Headers of the messages of a topic, which name its owner by the contract; topics that are not named have none."""


class Replay:
    """A plan with its receipts at hand; from `opened`.

    Attributes:
        plan: The plan.
        totals: Exact number of its records.
    """

    def __init__(self, plan: ReplayPlan, db: duckdb.DuckDBPyConnection) -> None:
        self.plan = plan
        self.totals = _totals(plan, db)
        self._db = db

    def records(self) -> Iterator[pa.RecordBatch]:
        """Batches of `replay_faults.RECORD`: profiles and promotions first, then the events with their faults."""
        if self.plan.profiles:
            yield from self._by_shelf(PROFILES, {})
        yield from self._query(PROMOTED, {"opening": OPENING_MS})
        yield from inject(self._events(), schedule(self.plan, _events_of(self.totals.clean)))

    def _events(self) -> Iterator[pa.RecordBatch]:
        window = int(self.plan.reorder.total_seconds() * 1000)
        shuffle = {"seed": self.plan.seed % 1_000_003, "window": window}
        yield from self._by_shelf(OPENING, shuffle)
        bounds = self._bounds(window)
        for since, until in pairwise(bounds):
            yield from self._query(MOVEMENTS, {**shuffle, "since": since, "until": until})

    def _bounds(self, window: int) -> list[int]:
        """Instants with about `LINES_A_QUERY` lines between them; all events lie within."""
        inner = self._db.execute(
            "SELECT DISTINCT checkout_ms FROM"
            " (SELECT checkout_ms, row_number() OVER (ORDER BY checkout_ms) AS n FROM line)"
            " WHERE n % ? = 0 ORDER BY 1",
            [LINES_A_QUERY],
        ).fetchall()
        last = self._db.execute("SELECT max(exit_ms) FROM basket").fetchone()
        end = (last[0] or 0) if last else 0
        return [OPENING_MS, *(ms for (ms,) in inner), end + window + 1]

    def _by_shelf(self, sql: str, values: dict[str, int]) -> Iterator[pa.RecordBatch]:
        shelves = _count(self._db, "shelf")
        for first in range(0, shelves, SHELVES_A_QUERY):
            yield from self._query(
                sql,
                {**values, "first": first, "last": first + SHELVES_A_QUERY, "opening": OPENING_MS},
            )

    def _query(self, sql: str, values: dict[str, int]) -> Iterator[pa.RecordBatch]:
        for batch in self._db.execute(sql, values).to_arrow_reader(BATCH_ROWS):
            clean = batch.append_column("fault", pa.nulls(batch.num_rows, pa.string()))
            yield clean.cast(RECORD)


@contextmanager
def opened(plan: ReplayPlan) -> Iterator[Replay]:
    """A plan with its receipts at hand, in a temporary folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="replay-") as folder, build(plan, Path(folder)) as db:
        yield Replay(plan, db)


def events(plan: ReplayPlan) -> Iterator[pa.RecordBatch]:
    """The records of a plan in the order they are sent, as batches of `replay_faults.RECORD`."""
    with opened(plan) as replay:
        yield from replay.records()


def totals(plan: ReplayPlan) -> Totals:
    """Exact number of records of a plan."""
    with opened(plan) as replay:
        return replay.totals


def _totals(plan: ReplayPlan, db: duckdb.DuckDBPyConnection) -> Totals:
    clean = _clean(plan, db)
    sent = _events_of(clean)
    malformed = malformed_counts(share_of(sum(sent.values()), plan.malformed))
    duplicates = {topic: share_of(number, plan.duplicates) for topic, number in sent.items()}
    late = {topic: share_of(number, plan.late) for topic, number in sent.items()}
    topics = {
        topic: number + duplicates.get(topic, 0) + sum(malformed.get(topic, {}).values())
        for topic, number in clean.items()
    }
    return Totals(topics, clean, malformed, duplicates, late)


def _clean(plan: ReplayPlan, db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    shelves, supplies, baskets = (_count(db, table) for table in ("shelf", "supply", "basket"))
    clean = {
        FOOT_TRAFFIC: 2 * baskets,
        SHELF_EVENTS: _count(db, "line WHERE quantity > 0") + shelves + supplies,
        POS_TRANSACTIONS: baskets,
        WH_EVENTS: shelves + 2 * supplies,
    }
    promotions = {PROMOTIONS: _count(db, "promotion")} if plan.promotions else {}
    return clean | ({SHELF_PROFILES: shelves} if plan.profiles else {}) | promotions


def _events_of(clean: Mapping[str, int]) -> dict[str, int]:
    return {topic: clean[topic] for topic in EVENT_TOPICS}


def _count(db: duckdb.DuckDBPyConnection, table: str) -> int:
    row = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])
