"""The publisher at work: each bound dataset of a lake is sent when it moves, and one that is stopped stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path

from lakeshelf.contracts import Topic
from lakeshelf.contracts.layers import Ops
from lakeshelf.errors import BrokerError, LakeshelfError, first_line
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.publisher import (
    NOT_BOUND,
    PUBLISHER,
    MergePublisher,
    Published,
    stopped,
)
from lakeshelf.governance.storage.layout import OWNER, Folder
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.kafka import topics
from lakeshelf.lake import Lake
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.logs import log
from lakeshelf.status_files import PUBLICATION
from lakeshelf.streams.commit.publisher import Publisher

POLL_S, REMOTE_POLL_S = 0.2, 2.0
"""Seconds between two looks for a new version, of a folder and of a bucket."""
LOOK_S = 5.0
"""Seconds after which is asked again which datasets and topics there are."""
AGAIN_S = 5.0
"""Seconds after which a dataset that was stopped is tried again."""
STATUS_S = 1.0
ASKED = "publication"
"""Folder of the stack's with a file for each dataset of which everything is to be sent."""


@dataclass
class DatasetHealth:
    """How the publication of a dataset is doing, for `status`.

    Attributes:
        dataset: The dataset.
        topic: Its topic.
        state: `waiting` (for its first round, or to be bound), `running` or `stopped`.
        reason: Why it waits or is stopped.
        since: Since when it waits to be bound.
        version: Delta version that the topic has; None: not known yet.
        sent: Messages since the process began.
        published_at: When messages were sent last; None: not since the process began.
    """

    dataset: str
    topic: str
    state: str = "waiting"
    reason: str = ""
    since: str | None = None
    version: int | None = None
    sent: int = 0
    published_at: str | None = None

    def done(self, published: Published, at: datetime) -> None:
        """Note a round."""
        self.state, self.reason, self.version = "running", "", published.version
        self.since = None
        if count := published.rows + published.tombstones:
            self.sent += count
            self.published_at = at.isoformat()

    def failed(self, error: LakeshelfError, at: datetime) -> None:
        """Note why there was none."""
        waits = isinstance(error, GovernanceError) and error.code == NOT_BOUND
        self.state, self.reason = "waiting" if waits else "stopped", first_line(error)
        self.since = (self.since or at.isoformat()) if waits else None


def ask_for_all(stack_dir: Path, dataset: str) -> None:
    """Have the publisher send every key of a dataset once more."""
    file = _asked(stack_dir, dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def _asked(stack_dir: Path, dataset: str) -> Path:
    return stack_dir / ASKED / f"{dataset.replace('/', '.')}.all"


class Following:
    """Follows the bound datasets of a lake.

    Args:
        root: The lake.
        stack_dir: Folder of the stack's state.
        client: librdkafka settings that reach the broker.
        seconds: Monotonic clock.
    """

    def __init__(
        self,
        root: Root,
        stack_dir: Path,
        client: Mapping[str, str],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake = Lake(root, who=PUBLISHER, writer=PUBLISHER)
        self._stack_dir = stack_dir
        self._client = client
        self._seconds = seconds
        self._maintenance = Maintenance()
        self._followed: dict[str, _Followed] = {}
        self._unreadable: list[DatasetHealth] = []
        self._look_at = self._tell_at = seconds()

    @property
    def pause_s(self) -> float:
        """Seconds to wait between two turns."""
        return REMOTE_POLL_S if self._lake.root.folder is None else POLL_S

    @property
    def health(self) -> list[DatasetHealth]:
        """How each dataset is doing."""
        return [*(one.health for one in self._followed.values()), *self._unreadable]

    def run(self, stop: threading.Event) -> None:
        """Send what moves until `stop` is set.

        Raises:
            BrokerError: The broker does not answer.
        """
        while not stop.is_set():
            self.turn()
            stop.wait(self.pause_s)

    def turn(self) -> None:
        """Send what has moved since the last turn.

        Raises:
            BrokerError: The broker does not answer.
        """
        now = self._seconds()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look()
        for followed in self._followed.values():
            self._attend(followed, now)
        self._serve()
        if now >= self._tell_at:
            self._tell_at = now + STATUS_S
            PUBLICATION.write(self._stack_dir, [asdict(health) for health in self.health])

    def _look(self) -> None:
        """Find datasets and topics that are new, or were made anew."""
        known = dict(self._bound())
        ids = topics.ids(self._client, {topic.name for _, topic, _ in known.values()})
        for name, (table, topic, table_id) in known.items():
            place = (table_id, ids.get(topic.name))
            if name not in self._followed or self._followed[name].place != place:
                self._followed[name] = _Followed(table, topic, place, self._health(name, topic))
        for name in self._followed.keys() - known.keys():
            del self._followed[name]

    def _health(self, name: str, topic: Topic) -> DatasetHealth:
        before = self._followed.get(name)
        return before.health if before else DatasetHealth(name, topic.name)

    def _bound(self) -> dict[str, tuple[MainTable, Topic, str]]:
        bound_tables: dict[str, tuple[MainTable, Topic, str]] = {}
        self._unreadable = []
        for name in storage.project_tables(self._lake.root):
            try:
                bound_tables |= self._opened(name)
            except LakeshelfError as error:
                self._unreadable.append(DatasetHealth(name, ""))
                self._unreadable[-1].failed(error, self._lake.clock())
        return bound_tables

    def _opened(self, name: str) -> dict[str, tuple[MainTable, Topic, str]]:
        """A dataset with its table, topic and the table's id; nothing where it is not bound to a topic."""
        snapshot = self._lake.snapshot(name)
        topic = binding.topic_of(snapshot.handle)
        if topic is None or snapshot.dataset.owner != OWNER:
            return {}
        folder = Folder(self._lake.root, *name.split("/"))
        return {name: (MainTable(folder, bound(topic)), topic, snapshot.table_id)}

    def _attend(self, followed: _Followed, now: float) -> None:
        asked = _asked(self._stack_dir, followed.health.dataset)
        whole = asked.exists()
        if not (whole or followed.is_due(now)):
            return
        try:
            published = followed.publish(self._lake, self._publisher, whole=whole)
        except BrokerError:
            raise
        except LakeshelfError as error:
            self._failed(followed, error)
            followed.again_at = now + AGAIN_S
            return
        if whole:
            asked.unlink(missing_ok=True)
        followed.health.done(published, self._lake.clock())
        if published.rows or published.tombstones:
            self._maintenance.attend([tables.open_table(self._lake.root, Ops.PUBLICATIONS)])

    def _failed(self, followed: _Followed, error: LakeshelfError) -> None:
        health = followed.health
        before = health.state
        health.failed(error, self._lake.clock())
        if health.state != before:
            log.warning(f"publication {health.state}", dataset=health.dataset, error=str(error))

    def _serve(self) -> None:
        """Do what somebody asks of the table of what was sent."""
        name, root = Ops.PUBLICATIONS, self._lake.root
        for _ in requests.asked(self._stack_dir, [name]):
            requests.serve(self._stack_dir, name, partial(tables.open_table, root, name))

    @cached_property
    def _publisher(self) -> Publisher:
        return Publisher(self._client)


@dataclass
class _Followed:
    """A dataset that is followed.

    Attributes:
        place: Id of its table, and id of its topic, None where that is not there.
        health: How it is doing.
        again_at: When it is tried again, whether or not it moves; None: when it moves.
    """

    table: MainTable
    topic: Topic
    place: tuple[str, str | None]
    health: DatasetHealth
    again_at: float | None = 0.0

    def is_due(self, now: float) -> bool:
        """Whether there is something to do."""
        if self.again_at is not None:
            return now >= self.again_at
        version = (self.health.version or 0) + 1
        return storage.has_version(self.table.folder.root, self.table.folder.main, version)

    def publish(self, lake: Lake, publisher: Publisher, *, whole: bool) -> Published:
        """Send what was touched."""
        _, topic_id = self.place
        if topic_id is None:
            raise stopped(
                self.health.dataset,
                self.topic.name,
                "finds no such topic",
                "run `lakeshelf bootstrap`",
            )
        sender = MergePublisher(lake, self.table, self.topic, publisher)
        published = sender.publish(topic_id, whole=whole)
        self.again_at = None
        return published
