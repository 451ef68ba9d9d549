"""A bound dataset beside its topic on a broker, with everybody who writes one of the two."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka.admin import AdminClient

from lakeshelf import crash
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.messages import encode
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.adoption import Adopted, Adoption
from lakeshelf.governance.publication.publisher import PUBLISHER, MergePublisher, Published
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import records
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.take.refusal import accepted
from tests.support import eventually, make_topics

TOPIC = CATALOG.topics["shelf_policies"]
WHEN = datetime(2026, 3, 1, 9, tzinfo=UTC)
Row = dict[str, Any]


def policy(min_qty: int, actor: str | None = "ann") -> Row:
    """A policy that differs by its least quantity."""
    values = {"threshold_pct": 30.0, "target_pct": 80.0, "near_expiry_days": 5, "active": True}
    return {**values, "min_qty": min_qty, "actor": actor}


@dataclass
class Bench:
    """One dataset, `retail/shelf_policies`.

    Args:
        root: The lake.
        client: librdkafka settings that reach the broker.
    """

    root: Path
    client: Mapping[str, str]
    edits: int = 0
    sent: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.sent = Publisher(self.client)
        tables.ensure(self.root, CATALOG.tables[Ops.PUBLICATIONS])

    @property
    def table(self) -> MainTable:
        """The canonical table."""
        return MainTable(Folder(Root.at(self.root), "retail", TOPIC.name), bound(TOPIC))

    def make_topic(self) -> None:
        """Make the topic, anew where it is there."""
        before = topics.ids(self.client, [TOPIC.name]).get(TOPIC.name)
        if before is not None:
            admin = AdminClient(dict(self.client))
            admin.delete_topics([TOPIC.name])[TOPIC.name].result()
            eventually(lambda: not topics.ids(self.client, [TOPIC.name]), "the topic is gone")
        make_topics(self.client)
        eventually(lambda: topics.ids(self.client, [TOPIC.name]), "the topic has an id")

    def make(self) -> None:
        """Make the dataset and bind it."""
        self.table.create()
        assert binding.ensure_bound(self.table, self.client)

    @property
    def topic_id(self) -> str:
        """Id of the topic."""
        return topics.ids(self.client, [TOPIC.name])[TOPIC.name]

    def edit(self, **rows: int | None) -> int | None:
        """Merge rows, of each key the one of that quantity, or none; the version, None if nothing changes."""
        self.edits += 1
        kept = [{"shelf_id": key, **policy(n)} for key, n in rows.items() if n is not None]
        gone = [{"shelf_id": key} for key, n in rows.items() if n is None]
        commit = self.table.opened().apply(
            pa.Table.from_pylist(kept, self.table.definition.schema),
            pa.Table.from_pylist(gone, pa.schema([("shelf_id", pa.string())])),
            ("cr:1", self.edits),
            {"kind": "edit"},
        )
        return commit.version

    def tell(self, key: str, version: int, min_qty: int | None) -> None:
        """Somebody else sends a policy, or its tombstone."""
        if min_qty is None:
            gone = pa.table({"shelf_id": [key], "version": [version]})
            self.sent.send(self.sent.tombstones(TOPIC, gone))
        else:
            stamps = {"version": version, "updated_at": WHEN}
            self.sent.encoded(TOPIC, [(key, encode(TOPIC, policy(min_qty) | stamps).decode())])
        self.sent.flush()

    def publish(self, *, whole: bool = False) -> Published:
        """The publisher looks once."""
        lake = Lake(self.root, writer=PUBLISHER)
        publisher = MergePublisher(lake, self.table, TOPIC, self.sent)
        return publisher.publish(self.topic_id, whole=whole)

    def adopt(self) -> list[Adopted]:
        """The service reads the topic to its end, in a life of its own."""
        done: list[Adopted] = []
        with closing(Adoption([self.table], self.client)) as adoption:
            end = topics.end_offsets(self.client, [TOPIC.name])[TOPIC.name]["0"]

            def at_the_end() -> bool:
                done.extend(adoption.turn(0.2))
                return end == 0 or adoption._tails[TOPIC.name].read.get(0, 0) >= end

            eventually(at_the_end, "the topic is read")
        return done

    def settle(self) -> None:
        """Everybody goes on until nothing is left to do."""
        while self.adopt() or self.publish() != Published(self.table.opened().version):
            pass

    def restarted(self) -> None:
        """The dataset goes, and is made anew and bound."""
        shutil.rmtree(self.root / self.table.folder.path)
        self.make()

    def messages(self) -> list[Row]:
        """All valid messages of the topic, in its order."""
        return [row for row in map(accepted, records(self.client, TOPIC.name)) if row is not None]

    def in_force(self) -> dict[str, tuple[int, str | None]]:
        """What a reader of the topic knows: of each key the message of the highest version."""
        latest: dict[str, Row] = {}
        for row in self.messages():
            if row["version"] > latest.get(row["shelf_id"], {"version": -1})["version"]:
                latest[row["shelf_id"]] = row
        return {key: _said(row) for key, row in latest.items() if not row["deleted"]}

    def main(self) -> dict[str, tuple[int, str | None]]:
        """What the dataset says."""
        rows = self.table.opened().reader().read_all().to_pylist()
        return {row["shelf_id"]: _said(row) for row in rows}

    def values(self) -> dict[str, int]:
        """Quantity of each key of the dataset."""
        return {key: n for key, (n, _) in self.main().items()}

    def killed(self, act: str, point: str) -> None:
        """A process of its own publishes or adopts, and ends at a crash point."""
        process = subprocess.run(
            [sys.executable, "-m", __name__, str(self.root), json.dumps(dict(self.client)), act],
            env=os.environ | {crash.VARIABLE: point},
            check=False,
        )
        assert process.returncode == -signal.SIGKILL, point


def _said(row: Row) -> tuple[int, str | None]:
    return row["min_qty"], row["actor"]


if __name__ == "__main__":
    getattr(Bench(Path(sys.argv[1]), json.loads(sys.argv[2])), sys.argv[3])()
