"""OpenLineage events of the queries: what each reads and writes, in which versions; off unless settings name a place.

A query that starts is a run, which ends by COMPLETE or FAIL; in between there is an event every so many batches. Events
are sent beside the work: a receiver that is slow or away loses events and nothing else (docs/observability.md#lineage).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf import __version__, extras, logs
from lakeshelf.errors import ConfigurationError, first_line
from lakeshelf.logs import log
from lakeshelf.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER = f"pkg:pypi/lakeshelf@{__version__}"
"""Who tells of a run, as a package URL (purl), which names a package wherever it is had from."""
EXTRA = "openlineage"
WAITING = 1_000
"""Events that wait for their receiver; of more the oldest are lost."""
ANSWER_S, END_S = 5.0, 10.0
"""Longest wait for an answer, and for all that is left at the end."""
Send = Callable[["RunEvent"], object]


@dataclass(frozen=True)
class Described:
    """A topic or table as its declaration has it.

    Attributes:
        namespace: Where it is, such as `kafka://host:9092` or `s3://bucket`.
        name: Its name there.
        known_as: Its name in the contract.
        doc: What it is.
        columns: Name, type and meaning of each column.
    """

    namespace: str
    name: str
    known_as: str
    doc: str
    columns: Sequence[tuple[str, str, str]] = ()


@dataclass
class QueryRun:
    """A query since it started.

    Attributes:
        job: Name of the query.
        doc: What it does.
        inputs: What it reads.
        outputs: What it writes.
        id: Of the run.
        batches: How many were done.
        versions: Name in the contract → version that was read or written last.
    """

    job: str
    doc: str
    inputs: Sequence[Described]
    outputs: Sequence[Described]
    id: str = ""
    batches: int = 0
    versions: dict[str, str] = field(default_factory=dict)


class LineageSender:
    """Sends events to one receiver, in a thread of its own.

    Args:
        send: Sends an event.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[RunEvent] = deque(maxlen=WAITING)
        self._changed = threading.Condition()
        self._ending = self._failing = False
        self._thread = threading.Thread(target=self._send_all, name="lineage", daemon=True)
        self._thread.start()

    def add(self, event: RunEvent) -> None:
        """Have an event sent."""
        with self._changed:
            self._waiting.append(event)
            self._changed.notify()

    def close(self) -> None:
        """Send what is left, for as long as that may take."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(END_S)

    def _send_all(self) -> None:
        while (event := self._next()) is not None:
            self._try(event)

    def _next(self) -> RunEvent | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return self._waiting.popleft() if self._waiting else None

    def _try(self, event: RunEvent) -> None:
        """Send an event; that the receiver is away is said once until it is back."""
        try:
            self._send(event)
        except Exception as error:  # noqa: BLE001 - whatever keeps events from being sent keeps no batch
            if not self._failing:
                log.warning("lineage not sent", error=logs.masked(first_line(error)))
            self._failing = True
        else:
            self._failing = False


class Emitter:
    """Makes events of what queries do.

    Args:
        senders: Take the events.
        namespace: Namespace of the queries.
        every: Batches from one event to the next.
    """

    def __init__(self, senders: Sequence[LineageSender], namespace: str, every: int) -> None:
        self._senders, self._namespace, self._every = senders, namespace, every
        self._runs: dict[str, QueryRun] = {}

    def started(self, run: QueryRun) -> None:
        """Tell that a query starts."""
        from openlineage.client.uuid import generate_new_uuid  # noqa: PLC0415 - of the extra

        run.id = str(generate_new_uuid())
        self._runs[run.job] = run
        self._tell(run, "START")

    def batch(self, job: str, read: Mapping[str, str], written: Mapping[str, int]) -> None:
        """Note what a batch has read and written."""
        run = self._runs.get(job)
        if run is None:
            return
        run.batches += 1
        run.versions.update(read)
        run.versions.update({name: str(version) for name, version in written.items()})
        if run.batches % self._every == 0:
            self._tell(run, "RUNNING")

    def ended(self, job: str, error: str = "") -> None:
        """Tell that a query ended, in order or by an error."""
        run = self._runs.pop(job, None)
        if run is not None:
            self._tell(run, "FAIL" if error else "COMPLETE", error)

    def close(self) -> None:
        """Have all that is left sent."""
        for sender in self._senders:
            sender.close()

    def _tell(self, run: QueryRun, kind: str, error: str = "") -> None:
        event = _event(run, kind, self._namespace, logs.masked(error))
        for sender in self._senders:
            sender.add(event)


_emitters: list[Emitter] = []


def started(run: Callable[[], QueryRun]) -> None:
    """Tell that a query starts; the run is made where somebody wants to know."""
    for emitter in _emitters:
        emitter.started(run())


def batch(job: str, read: Callable[[], Mapping[str, str]], written: Mapping[str, int]) -> None:
    """Note what a batch of a query has read and written."""
    for emitter in _emitters:
        emitter.batch(job, read(), written)


def ended(job: str, error: str = "") -> None:
    """Tell that a query ended, in order or by an error."""
    for emitter in _emitters:
        emitter.ended(job, error)


@contextmanager
def emitting(settings: Settings) -> Iterator[None]:
    """Send events for as long as the block takes, if settings say where to.

    Raises:
        ConfigurationError: The file cannot be written.
        MissingExtra: The extra is not installed.
    """
    if settings.openlineage_file is None and settings.openlineage_url is None:
        yield
        return
    extras.require(EXTRA)
    every = settings.openlineage_every_batches
    senders = [LineageSender(send) for send in _receivers(settings)]
    emitter = Emitter(senders, settings.openlineage_namespace, every)
    _emitters.append(emitter)
    try:
        yield
    finally:
        _emitters.remove(emitter)
        emitter.close()


def _receivers(settings: Settings) -> Iterator[Send]:
    from openlineage.client.transport.file import FileConfig, FileTransport  # noqa: PLC0415
    from openlineage.client.transport.http import HttpConfig, HttpTransport  # noqa: PLC0415

    if settings.openlineage_file is not None:
        _require_writable(settings.openlineage_file)
        yield FileTransport(FileConfig(str(settings.openlineage_file), append=True)).emit
    if settings.openlineage_url is not None:
        retry = {"total": 1, "backoff_factor": 0.3}
        yield HttpTransport(
            HttpConfig(settings.openlineage_url, timeout=ANSWER_S, retry=retry)
        ).emit


def _require_writable(file: Path) -> None:
    if file.is_fifo():  # to open it waits for a reader, for ever
        raise ConfigurationError(
            f"lineage cannot be written to {file}: it is a pipe",
            hint="set LAKESHELF_OPENLINEAGE_FILE to a plain file",
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("a").close()
    except OSError as error:
        raise ConfigurationError(
            f"lineage cannot be written to {file}: {error.strerror}",
            hint="set LAKESHELF_OPENLINEAGE_FILE to a file that can be",
        ) from error


def _event(run: QueryRun, kind: str, namespace: str, error: str) -> RunEvent:
    from openlineage.client import event_v2 as events  # noqa: PLC0415 - of the extra
    from openlineage.client.generated import (  # noqa: PLC0415
        documentation_job,
        error_message_run,
        job_type_job,
        processing_engine_run,
    )

    engine = processing_engine_run.ProcessingEngineRunFacet(__version__, "Lakeshelf")
    facets: dict[str, Any] = {"processing_engine": engine}
    if error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "Python")
    about: dict[str, Any] = {
        "jobType": job_type_job.JobTypeJobFacet("STREAMING", "LAKESHELF", "QUERY"),
        "documentation": documentation_job.DocumentationJobFacet(run.doc),
    }
    return events.RunEvent(
        eventType=events.RunState(kind),
        eventTime=datetime.now(UTC).isoformat(),
        producer=PRODUCER,
        run=events.Run(run.id, facets),
        job=events.Job(namespace, run.job, about),
        inputs=[events.InputDataset(**_dataset(one, run.versions)) for one in run.inputs],
        outputs=[events.OutputDataset(**_dataset(one, run.versions)) for one in run.outputs],
    )


def _dataset(one: Described, versions: Mapping[str, str]) -> dict[str, Any]:
    from openlineage.client.generated import (  # noqa: PLC0415 - of the extra
        dataset_version_dataset,
        documentation_dataset,
        schema_dataset,
    )

    fields = [schema_dataset.SchemaDatasetFacetFields(*column) for column in one.columns]
    facets: dict[str, Any] = {
        "documentation": documentation_dataset.DocumentationDatasetFacet(one.doc),
        "schema": schema_dataset.SchemaDatasetFacet(fields),
    }
    if (version := versions.get(one.known_as)) is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(version)
    return {"namespace": one.namespace, "name": one.name, "facets": facets}
