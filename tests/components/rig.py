"""A broker, a lake and component processes that a test may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from deltalake import write_deltalake

from lakeshelf.components.clock import Ticker
from lakeshelf.components.component import Context
from lakeshelf.components.service import Leader
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.kafka import topics
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.status_files import COMPONENTS
from tests.support import eventually, make_topics

Row = dict[str, Any]
SECONDS = 180.0


class Rig:
    """One lake with its broker and, from time to time, components.

    Args:
        root: The lake.
        names: Its tables.
    """

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.settings = load_settings(lake_root=root)
        self.broker = Broker(self.settings)
        self.broker.start(die_with_parent=True)
        self.broker.wait_healthy()
        self.client = {"bootstrap.servers": self.broker.bootstrap_servers, "log_level": "0"}
        make_topics(self.client)
        for name in names:
            tables.ensure(root, CATALOG.tables[name])
        self.context = Context(self.settings, self.client, Lake(root))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *names: str, **environment: str) -> subprocess.Popen[bytes]:
        """Run components in a process of their own."""
        variables = {
            "LAKESHELF_LAKE_ROOT": str(self.settings.lake_root),
            "LAKESHELF_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "LAKESHELF_RESTART_BACKOFF_S": "0.2",
            "LAKESHELF_RESTART_BACKOFF_MAX_S": "0.5",
            "LAKESHELF_SIMULATION_SHELVES": "12",
        }
        module = (
            "-m",
            "lakeshelf.stack.supervision.components_process",
            "--components",
            ",".join(names),
        )
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *module],
                env=os.environ | variables | environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @property
    def _log(self) -> Path:
        return self.settings.stack_dir / "components.log"

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """Stop a process between two decisions; its exit code."""
        process.send_signal(signal.SIGTERM)
        return process.wait(SECONDS)

    def log(self) -> str:
        """Last lines of the components."""
        return self._log.read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(SECONDS)
        self.broker.kill()

    def tick(self, *moments: datetime, phase: str | None = None) -> None:
        """The clock ticks."""
        with Ticker(self.context) as ticker:
            for moment in moments:
                ticker.tick(moment, "stepped", 1.0, phase)

    def reached(self, name: str) -> int:
        """Ticks that a component has acted on."""
        progress = Leader(self.client, name)
        try:
            return progress.reached()
        finally:
            progress.close()

    def await_reached(self, *names: str) -> None:
        """Wait until components have acted on the latest tick."""
        end = topics.end_offsets(self.client, ["clock"])["clock"]["0"]
        for name in names:
            eventually(
                lambda name=name: self.reached(name) >= end, f"{name} at {end}: {self.log()}"
            )

    def put(self, name: str, *rows: Row) -> None:
        """Append rows to a table."""
        schema = arrow.schema(CATALOG.tables[name].columns)
        table = tables.open_table(self.settings.lake_root, name)
        write_deltalake(table, pa.Table.from_pylist(list(rows), schema), mode="append")

    def rows(self, name: str, *but: str) -> list[Row]:
        """Rows of a table in the order of its key, without the named columns."""
        found = tables.open_table(self.settings.lake_root, name).to_pyarrow_table().to_pylist()
        found.sort(key=lambda row: [str(row[k]) for k in CATALOG.tables[name].key])
        return [{k: v for k, v in row.items() if k not in but} for row in found]

    def sent(self, topic: str) -> list[Row]:
        """All messages of a topic."""
        ends = topics.end_offsets(self.client, [topic])[topic]
        left = sum(ends.values())
        consumer = Consumer({**self.client, "group.id": "tests", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, int(p), 0) for p in ends])
        found: list[Row] = []
        try:
            while len(found) < left:
                got = consumer.consume(left - len(found), SECONDS)
                assert got, f"{topic}: {len(found)} of {left} messages"
                found += [json.loads(message.value() or b"") for message in got]
        finally:
            consumer.close()
        return found

    def health(self, name: str) -> Row:
        """How a component is doing, with the process that says so; empty before any does."""
        told = COMPONENTS.read(self.settings.stack_dir)
        members = told.get(COMPONENTS.members, [])
        return next(({**h, "pid": told["pid"]} for h in members if h["component"] == name), {})
