"""The open database, and transactions on it.

docs/design/governance.md#metadata
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine

from lakeshelf.governance.metadata.audit import Audit
from lakeshelf.governance.metadata.browsers import Browsers
from lakeshelf.governance.metadata.database import engines, schema
from lakeshelf.governance.metadata.database.failures import failures_told, shown
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.datasets import GovernedDatasets
from lakeshelf.governance.metadata.events import Events
from lakeshelf.governance.metadata.idempotency import Idempotency
from lakeshelf.governance.metadata.leases import Leases
from lakeshelf.governance.metadata.outbox import WebhookOutbox
from lakeshelf.governance.metadata.people import People
from lakeshelf.governance.metadata.projects import Projects
from lakeshelf.governance.metadata.requests import Requests
from lakeshelf.governance.metadata.reviews import Reviews
from lakeshelf.governance.metadata.sessions import Sessions
from lakeshelf.governance.metadata.tables.events import AuditEvent, Event
from lakeshelf.governance.metadata.work import Acts, Jobs, Runs, Uploads


class Transaction:
    """All that is remembered, by noun; what is written becomes seen as a whole when the transaction ends.

    Attributes:
        people: Users, their identities and their tokens.
        browsers: Links that sign a browser in, and sessions of browsers.
        projects: Projects, their members, groups and named viewers.
        datasets: Datasets, their definitions, where their tables stand, and named snapshots.
        sessions: Live sessions.
        requests: Change requests, revisions, authors, reviewers, marks and settled conflicts.
        reviews: Reviews and comments.
        events: Events in the order of their numbers, and notices of them.
        audit: Acts, in chains.
        outbox: Webhooks, and events on their way to them.
        leases: Leases by name.
        idempotency: Calls by user, route and key.
        uploads: Files that become change requests.
        jobs: What takes longer than a call.
        runs: Runs of the validation.
        acts: What staff of the shop asks for.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.people = People(connection)
        self.browsers = Browsers(connection)
        self.projects = Projects(connection)
        self.datasets = GovernedDatasets(connection)
        self.sessions = Sessions(connection)
        self.requests = Requests(connection)
        self.reviews = Reviews(connection)
        self.events = Events(connection)
        self.audit = Audit(connection)
        self.outbox = WebhookOutbox(connection)
        self.leases = Leases(connection)
        self.idempotency = Idempotency(connection)
        self.uploads = Uploads(connection)
        self.jobs = Jobs(connection)
        self.runs = Runs(connection)
        self.acts = Acts(connection)

    def record(
        self,
        action: str,
        *,
        user: str,
        at: datetime,
        project: str = "",
        dataset: str = "",
        request: int | None = None,
        request_id: str = "",
        details: Object = MappingProxyType({}),
        tell: Iterable[str] = (),
    ) -> Event:
        """Write down an act beside what it changed: event, audit, messages to webhooks, notices.

        Args:
            action: What was done, such as `cr.approved`.
            user: Who acted; empty: the service itself.
            at: When.
            project: Where; empty: to users, tokens and projects themselves.
            dataset: Of which dataset.
            request: Of which change request.
            request_id: Id of the call, as the log has it.
            details: What else is known, as JSON; whoever may see the project sees it.
            tell: Users who get notice.
        """
        place: dict[str, Any] = {"project": project, "dataset": dataset, "request": request}
        said = dict(details)
        event = self.events.add(Event(0, action, **place, body=said, happened_at=at))
        act: dict[str, Any] = {
            "user": user,
            "action": action,
            "request_id": request_id,
            "details": said,
        }
        self.audit.add(AuditEvent(number=0, happened_at=at, previous="", hash="", **place, **act))
        self.outbox.send(event)
        self.events.tell(event, tell)
        return event


class Metadata:
    """An open database of SQLite or PostgreSQL; threads and processes may share it.

    Args:
        engine: Its connections, as `engines.engine` makes them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, place: str | Path) -> Self:
        """Open a database, and bring its schema up to this release.

        Args:
            place: A file of SQLite, which is made where there is none, or an address.

        Raises:
            GovernanceError: `storage_unavailable`: it cannot be reached, is of a newer release or somebody else's.
        """
        url = engines.address(place)
        with failures_told(url):
            _make_file(url)
        metadata = cls(engines.engine(url))
        try:
            metadata._bring_up()
        except BaseException:
            metadata.close()
            raise
        return metadata

    @classmethod
    def present(cls, place: str | Path) -> Self | None:
        """Open a database that is there, as it is; None: there is none, or it is of another release.

        Raises:
            GovernanceError: `storage_unavailable`: it cannot be reached, or is somebody else's.
        """
        if isinstance(place, Path) and not place.exists():
            return None
        metadata = cls(engines.engine(engines.address(place)))
        try:
            with metadata._connected(writes=False) as connection:
                current = schema.is_current(connection)
        except BaseException:
            metadata.close()
            raise
        if current:
            return metadata
        metadata.close()
        return None

    @property
    def place(self) -> str:
        """Where it is, without user and password."""
        return shown(self._engine.url)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction that writes, the only one at a time; what it raises undoes it.

        Raises:
            GovernanceError: `storage_unavailable`: nothing was written.
        """
        with self._connected(writes=True) as connection:
            yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state of the database, and waits for no writer.

        Raises:
            GovernanceError: `storage_unavailable`.
        """
        with self._connected(writes=False) as connection:
            yield Transaction(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Metadata({self.place!r})"

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        with failures_told(self._engine.url), self._engine.connect() as connection:
            engines.begin(connection, writes=writes)
            yield connection
            connection.commit()

    def _bring_up(self) -> None:
        with self._connected(writes=False) as connection:
            current = schema.is_current(connection)
        if not current:
            with self._connected(writes=True) as connection:
                schema.bring_up(connection)


def _make_file(url: URL) -> None:
    """The file of SQLite, for its user alone; what SQLite puts beside it has the same mode."""
    if url.get_backend_name() != "sqlite":
        return
    file = Path(str(url.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=True)
