"""Who commits the batches of a query: one committer, or by size the driver what is small and Spark what is large.

Both leave the same rows under the same identities (docs/design/exactly-once.md#committers), so a batch that is repeated
may be done by the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lakeshelf.kafka.follower import PartitionFollower
from lakeshelf.lake.place.leases import Tenure
from lakeshelf.lake.rows import tables
from lakeshelf.logs import log
from lakeshelf.settings import BY_SIZE, CommitterName, Settings
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.commit.ledger import Offsets, most_records
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.declare.plan import QueryPlan

BACK = 2
"""Spark goes on until a batch has no more than half of what the driver may have: a change costs about a second."""
RECOUNT_BATCHES = 200
"""Small batches after which the tables are counted again: they grow, and each count opens all of them."""


class Committing:
    """Chooses the committer of each batch, and makes the sink that goes with it.

    Args:
        plan: The query.
        settings: Lake, committer and bounds.
        client: librdkafka settings that reach the broker.
    """

    def __init__(self, plan: QueryPlan, settings: Settings, client: Mapping[str, str]) -> None:
        self._follower = PartitionFollower(client, f"lakeshelf-{plan.name}")
        self._plan = plan
        self._settings = settings
        self._by_size = settings.committer == BY_SIZE
        self._since_count = 0
        self._fitted: bool | None = None
        self._committer: CommitterName | None = (
            None if settings.committer == BY_SIZE else settings.committer
        )

    def choose(self, offsets: Offsets) -> bool:
        """Choose who commits the next batch; whether that is another than before.

        Args:
            offsets: Of the batch.
        """
        before = self._committer
        if self._by_size:
            self._committer = self._sized(most_records(offsets))
        if changed := self._committer != before:
            log.info("committer chosen", committer=self._committer)
        return changed

    def _sized(self, rows: int) -> CommitterName:
        most = self._settings.driver_batch_rows
        if rows > (most // BACK if self._committer == "spark" else most):
            self._fitted = None
            return "spark"
        self._since_count += 1
        if self._fitted is None or self._since_count >= RECOUNT_BATCHES:
            self._since_count, self._fitted = 0, self._fits()
        return "driver" if self._fitted else "spark"

    def _fits(self) -> bool:
        """Whether the driver may hold what the tables have that the query keeps."""
        names = {update.table for update in self._plan.updates}
        held = sum(tables.row_count(self._settings.lake_root, name) for name in names)
        return held <= self._settings.driver_state_rows

    def close(self) -> None:
        """Let go of the broker."""
        self._follower.close()

    def sink(self, tenure: Tenure | None) -> Sink[Any]:
        """A new sink.

        Args:
            tenure: The term under which it may commit; None: nobody else could.
        """
        root, window = self._settings.lake_root, self._settings.duplicate_window_rows
        parses: Literal["stream", "batch"] = "batch" if self._by_size else "stream"
        committers: dict[str, Any] = {
            "driver": DriverCommitter(root, window, tenure=tenure, follower=self._follower),
            "spark": SparkCommitter(root, tenure, parses=parses),
        }
        committer = self._committer or "driver"
        others = {
            table: committers[name]
            for table, name in self._settings.table_committers.items()
            if name != committer and table in self._plan.tables
        }
        books = DriverCommitter(root, 0, shared=True, tenure=tenure)
        return Sink(committers[committer], books, others)
