"""A broker and a streams driver of one lake, as real processes that a test may kill."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from deltalake import DeltaTable

from lakeshelf.components.registry import module
from lakeshelf.errors import LakeshelfError
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.reconcile import Reconciliation, reconcile
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.observing import lag
from lakeshelf.status_files import STREAMS
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import plan, registry
from tests.support import eventually

STOCK = "shelf-aggregator"
STOCK_JOBS = "shelf-aggregator,wh-aggregator,batch-state-updater,wh-batch-state-updater"
FOLD_SECONDS = 400.0
PATIENCE_S = 300.0
"""What a process may take on a machine on which four tests run at once."""
OUTSIDE = {
    "updated_at",
    "version",
    "ingested_at",
    "kafka_partition",
    "kafka_offset",
    "kafka_timestamp",
}
COMPARED = (
    "raw/shelf_events",
    "raw/wh_events",
    "raw/pos_transactions",
    "raw/foot_traffic",
    "cleansed/shelf_state",
    "cleansed/wh_state",
    "cleansed/shelf_batch_state",
    "cleansed/wh_batch_state",
)


class Rig:
    """One lake with its broker and, from time to time, a driver.

    Args:
        root: The lake.
        seed: Seed of everything random, shown when a test fails.
    """

    def __init__(self, root: Path | str, seed: int = 0) -> None:
        self.settings: Settings = load_settings(lake_root=root)
        self.random = random.Random(seed)
        self.broker = Broker(self.settings)
        self.broker.start()
        self.broker.wait_healthy(PATIENCE_S)
        self.client = client_settings(self.settings)
        topics.ensure_all(self.client)
        tables.ensure_all(root)
        self.jobs = registry.discover(self.settings.home)
        self.plans = plan.plan(self.jobs.values())
        self.driver: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        jobs: str = "",
        max_batch_rows: int = 200_000,
        program: str = "",
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a driver.

        Args:
            jobs: Names, separated by commas; empty: all.
            max_batch_rows: Most records a batch.
            program: Another main module.
            environment: Further variables.
        """
        main = [program] if program else ["-m", "lakeshelf.stack.supervision.streams_process"]
        command = [sys.executable, *main, "--jobs", jobs]
        variables = {
            "LAKESHELF_LAKE_ROOT": str(self.settings.lake_root),
            "LAKESHELF_MAX_BATCH_ROWS": str(max_batch_rows),
            "LAKESHELF_RESTART_BACKOFF_S": "0.2",
            "LAKESHELF_RESTART_BACKOFF_MAX_S": "1",
        }
        log = (self.settings.stack_dir / "driver.log").open("ab")
        self.driver = subprocess.Popen(
            command, env=os.environ | variables | environment, stdout=log, stderr=log
        )
        return self.driver

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the driver at a batch boundary; its exit code."""
        assert self.driver is not None
        self.driver.send_signal(number)
        return self.driver.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill the driver at once."""
        assert self.driver is not None
        self.driver.kill()
        self.driver.wait(60)

    def close(self) -> None:
        """End everything."""
        if self.driver is not None and self.driver.poll() is None:
            self.kill()
        with suppress(Exception):
            self.broker.kill()

    def send(self, **wanted: Any) -> Any:
        """Replay receipts; the report of the replay."""
        replay = module(self.settings.home, "replay")
        plan_ = replay.ReplayPlan(**{"stores": 1, "baskets": 200, **wanted})
        return replay.replay(plan_, self.client["bootstrap.servers"], settings={"log_level": 0})

    def await_folded(self, seconds: float = FOLD_SECONDS) -> None:
        """Wait until every query stands at the end of its topics."""
        eventually(self._folded, f"everything folded; {self.errors()}", seconds)

    def _folded(self) -> bool:
        assert self.driver is not None
        assert self.driver.poll() is None, self.log()
        return self.is_folded()

    def is_folded(self) -> bool:
        """Whether every query stands at the end of its topics, as far as it can be told."""
        with suppress(Exception):
            return lag.total(lag.behind(self.settings, self.client, self.plans)) == 0
        return False

    def batches(self, query: str = STOCK) -> int:
        """Batches of a query that the ledger has."""
        return sum(row["query"] == query for row in ledger.entries(self.settings.lake_root))

    def errors(self) -> dict[str, str]:
        """Failure of each query that has one."""
        queries = STREAMS.read(self.settings.stack_dir).get(STREAMS.members, [])
        return {query["query"]: query["error"] for query in queries if query["error"]}

    def log(self) -> str:
        """Last lines of the driver."""
        return (self.settings.stack_dir / "driver.log").read_text(errors="replace")[-3000:]

    def records(self) -> dict[str, int]:
        """Records of each mirrored topic."""
        mirrored = [topic for found in self.plans for topic in found.mirrors]
        return {
            topic: sum(ends.values())
            for topic, ends in topics.end_offsets(self.client, mirrored).items()
        }

    def sent(self) -> int:
        """Records of all mirrored topics; 0 while the broker does not answer."""
        with suppress(LakeshelfError, KafkaException):
            return sum(self.records().values())
        return 0

    def reconcile(self, baskets: int = 200) -> Reconciliation:
        """The tables against the receipts and the invariants."""
        return reconcile(self.settings.lake_root, self.records(), stores=1, baskets=baskets)

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows of the tables that must not depend on how they came about."""
        return {name: rows(self.settings.lake_root, name) for name in COMPARED}


def rows(root: Path, name: str) -> list[tuple[Any, ...]]:
    """Compared columns of a table, ordered."""
    table = DeltaTable(str(root / name)).to_pyarrow_table()
    kept = table.select([column for column in table.column_names if column not in OUTSIDE])
    return sorted(tuple(map(repr, row.values())) for row in kept.to_pylist())


def red(found: Reconciliation) -> list[str]:
    """Names of the checks that found a difference."""
    return [check.name for check in found.checks if not check.ok]
