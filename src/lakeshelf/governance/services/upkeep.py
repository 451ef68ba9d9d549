"""What one process at a time does for all: stopped merges, expiry, marks, clean-up, maintenance.

docs/design/governance.md#processes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread

from deltalake import DeltaTable
from pyarrow import fs

from lakeshelf.errors import LakeError, LakeshelfError
from lakeshelf.governance.domain.requests.lifecycle import CONTENT_OPEN, OPEN
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import DatasetMeta, GovernedDataset
from lakeshelf.governance.metadata.tables.requests import ChangeRequest, RequestMark
from lakeshelf.governance.services import auditing, counting
from lakeshelf.governance.services.changes import ending, merging, proposals, recovery, requests
from lakeshelf.governance.services.changes.finishing import SERVICE, place
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import meta_of, table_of
from lakeshelf.governance.services.imports.forgetting import forget_uploads
from lakeshelf.governance.storage.layout import OWNER
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests as maintenance
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.logs import log

PAUSE_S = 30.0
LOOK_S = 1.0
"""How often it is looked for maintenance that somebody asks for."""
IDLE = timedelta(hours=24)
"""After how long a session that nobody edits ends."""
KEPT = timedelta(days=90)
"""How long it is remembered what staff asked for."""
ORPHANED = timedelta(days=7)
"""How old a folder is at least that is removed because nothing refers to it."""


def lock_of(stack: Path) -> FileLock:
    """The lock under which one process does it: that of the owner of governed datasets."""
    return FileLock(stack / "locks" / f"{OWNER}.lock", "governed datasets")


@dataclass
class Upkeep:
    """Does what is due, while this process holds the lock.

    Attributes:
        context: What it stands on.
        stack: Folder of the stack, with its locks and requests for maintenance.
        seconds: Monotonic clock.
        beside: What runs as long as the lock is held; each ends when its event is set.
    """

    context: Context
    stack: Path
    seconds: Callable[[], float]
    beside: Sequence[Callable[[Event], None]] = ()
    _due: float = field(default=0.0, init=False)
    _maintenance: Maintenance = field(default_factory=Maintenance, init=False)

    def run(self, stop: Event) -> None:
        """Do it until told to stop; wait for the lock where another process has it."""
        lock = lock_of(self.stack)
        while not stop.is_set():
            try:
                lock.acquire()
            except LakeError:
                stop.wait(PAUSE_S)
                continue
            try:
                with self._beside():
                    while not stop.wait(LOOK_S):
                        self.look()
            finally:
                lock.release()

    @contextmanager
    def _beside(self) -> Iterator[None]:
        end = Event()
        threads = [Thread(target=work, args=(end,)) for work in self.beside]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            end.set()
            for thread in threads:
                thread.join()

    def look(self) -> None:
        """Serve who asks for maintenance, and do the rest when it is due."""
        self._attempt("maintenance", lambda: maintain(self.context, self.stack))
        if self.seconds() >= self._due:
            self._due = self.seconds() + PAUSE_S
            self.all()

    def all(self) -> None:
        """Do everything but maintenance once; what fails does not keep the rest from being done."""
        for name, work in WORK.items():
            self._attempt(name, lambda work=work: work(self.context))  # type: ignore[misc]
        self._attempt("copy of the audit", self._attend_copy)

    def _attend_copy(self) -> None:
        """Keep the files of the copy of the audit few."""
        if tables.exists(self.context.root, auditing.NAME):
            self._maintenance.attend([tables.open_table(self.context.root, auditing.NAME)])

    @staticmethod
    def _attempt(name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except LakeshelfError as error:
            log.warning("upkeep failed", work=name, error=str(error))
        except Exception as error:  # noqa: BLE001 - what is wrong with one must not end the others
            log.error("upkeep failed", work=name, error=str(error), exc_info=error)


def maintain(context: Context, stack: Path) -> None:
    """Optimize or vacuum datasets for which somebody asks."""
    if not (stack / maintenance.FOLDER).is_dir():
        return
    with context.metadata.reading() as tx:
        mains = [table_of(context, tx, one.project, one.id) for one in tx.datasets.all()]
    opened: dict[str, Callable[[], DeltaTable]] = {
        main.folder.name: lambda main=main: main.opened().snapshot.handle  # type: ignore[misc]
        for main in mains
    }
    opened[auditing.NAME] = partial(tables.open_table, context.root, auditing.NAME)
    for name in maintenance.asked(stack, opened):
        maintenance.serve(stack, name, opened[name])


def stand(context: Context) -> list[DatasetMeta]:
    """Remember where tables stand whose commit was made and not written down; those that were."""
    with context.metadata.reading() as tx:
        known = [(one, tx.datasets.meta(one.project, one.id)) for one in tx.datasets.all()]
        tables_ = [(table_of(context, tx, one.project, one.id), meta) for one, meta in known]
    moved = [stands for table, meta in tables_ if (stands := _moved(context, table, meta))]
    if moved:
        with context.metadata.transaction() as tx:
            return [tx.datasets.stands(meta) for meta in moved]
    return []


def _moved(context: Context, table: MainTable, meta: DatasetMeta) -> DatasetMeta | None:
    """Where a table stands that has moved; None: it has not, or it cannot be read, which keeps no other waiting."""
    try:
        opened = table.opened()
        if opened.version > meta.delta_version:
            return meta_of(context, opened, meta.last_commit_id)
    except LakeshelfError as error:
        log.warning("table not read", table=table.folder.name, error=str(error))
    return None


def mark_open(context: Context) -> list[RequestMark]:
    """Compare every request under review with the newest version of its table; authors are told of conflicts."""
    with context.metadata.reading() as tx:
        stale = [one for one in tx.requests.all(statuses=CONTENT_OPEN) if _is_behind(tx, one)]
    return [mark for request in stale if (mark := _marked_or_none(context, request)) is not None]


def _marked_or_none(context: Context, request: ChangeRequest) -> RequestMark | None:
    """As `marked`; one whose rows cannot be read does not keep the others from being compared."""
    try:
        return marked(context, request)
    except LakeshelfError as error:
        log.warning("not compared", **place(request), error=str(error))
        return None


def _is_behind(tx: Transaction, request: ChangeRequest) -> bool:
    if request.kind == proposals.DEFINITION:
        return False
    known = tx.requests.marked(request.project, request.number)
    newest = tx.datasets.meta(request.project, request.dataset).delta_version
    return known is None or known.main_version < newest


def marked(context: Context, request: ChangeRequest) -> RequestMark | None:
    """Compare a request with the newest version of its table; None: it has changed meanwhile."""
    now = context.clock()
    with context.metadata.reading() as tx:
        proposal = proposals.load(context, tx, request)
        opened = table_of(context, tx, request.project, request.dataset).opened()
    clashes = proposals.clashes(proposal.definition, opened, proposal.merged(opened))
    behind = opened.changed_since(request.base_version)
    answer = requests.mark(request, clashes, behind, opened.version, now)
    with context.metadata.transaction() as tx:
        present = tx.requests.get(request.project, request.number)
        if (present.revision, present.status) != (request.revision, request.status):
            return None
        before = tx.requests.marked(request.project, request.number)
        tx.requests.mark(answer)
        if before is None or before.state != answer.state:
            audience = tx.requests.authors(request.project, request.number)
            details = {"state": answer.state, "conflicts": answer.conflicts}
            record(tx, SERVICE, "cr.marked", now, **place(request), details=details, tell=audience)
    return answer


def merge_approved(context: Context) -> list[ChangeRequest]:
    """Merge what is approved and asked to be merged then, on behalf of who submitted it."""
    with context.metadata.reading() as tx:
        approved = tx.requests.all(statuses=["approved"])
    merged = []
    for request in (one for one in approved if one.merge_when_approved):
        try:
            merged.append(merged_by_itself(context, request))
        except LakeshelfError as error:
            log.info("not merged by itself", request=request.number, error=str(error))
    return merged


def merged_by_itself(context: Context, request: ChangeRequest) -> ChangeRequest:
    """Merge an approved request on behalf of who submitted it.

    Raises:
        GovernanceError: As `merging.merge`.
    """
    caller = Caller(str(request.submitted_by))
    digest = str(request.content_hash)
    return merging.merge(context, caller, request.project, request.number, digest)


def end_idle(context: Context) -> int:
    """End sessions that nobody has edited for `IDLE`, and remove their edits; how many these were."""
    now = context.clock()
    with context.metadata.transaction() as tx:
        idle = tx.sessions.idle(now - IDLE)
        for session in idle:
            tx.sessions.end(session.id, now)
            record(
                tx,
                SERVICE,
                "session.expired",
                now,
                project=session.project,
                dataset=session.dataset,
                tell=[session.user],
            )
    for session in idle:
        folder = context.folder(session.project, session.dataset)
        storage.remove(context.root, folder.session(session.id))
    return len(idle)


def forget(context: Context) -> None:
    """Forget calls, sessions of browsers, jobs and acts whose time is over; interrupt jobs whose process has ended."""
    now = context.clock()
    with context.metadata.transaction() as tx:
        tx.idempotency.forget(now)
        tx.browsers.forget(now)
        tx.jobs.interrupt(now)
        tx.jobs.forget(now - ORPHANED)
        tx.acts.forget(now - KEPT)


def remove_orphans(context: Context) -> list[str]:
    """Remove folders below those of a dataset to which nothing refers and that are older than `ORPHANED`."""
    with context.metadata.reading() as tx:
        kept = {
            f"{context.folder(one.project, one.id).path}/{folder}": needed(tx, one)
            for one in tx.datasets.all()
            for folder, needed in NEEDED.items()
        }
    removed = []
    for folder, names in kept.items():
        for path in _old(context, folder, names):
            storage.remove(context.root, path)
            removed.append(path)
    return removed


def _needed_sessions(tx: Transaction, dataset: GovernedDataset) -> frozenset[str]:
    return frozenset(one.id for one in tx.sessions.open(dataset.project))


def _needed_requests(tx: Transaction, dataset: GovernedDataset) -> frozenset[str]:
    statuses = (*OPEN, "merging", "merged")
    answer = tx.requests.all(dataset.project, dataset.id, statuses=statuses)
    return frozenset(str(one.number) for one in answer)


def _needed_uploads(tx: Transaction, dataset: GovernedDataset) -> frozenset[str]:
    return frozenset(one.id for one in tx.uploads.all(dataset.project, dataset.id))


NEEDED: dict[str, Callable[[Transaction, GovernedDataset], frozenset[str]]] = {
    "live_edit": _needed_sessions,
    "staging": _needed_requests,
    "imports": _needed_uploads,
    "audit/validation_runs": lambda tx, dataset: tx.runs.ids(dataset.project, dataset.id),
}
"""Folder of a dataset → names below it that something refers to."""


def _old(context: Context, path: str, kept: frozenset[str]) -> Iterator[str]:
    files, base = storage.filesystem(context.root)
    selector = fs.FileSelector(f"{base}/{path}", allow_not_found=True)
    for one in files.get_file_info(selector):
        if one.base_name not in kept and _is_old(one.mtime, context.clock()):
            yield f"{path}/{one.base_name}"


def _is_old(touched: datetime | None, now: datetime) -> bool:
    return touched is not None and touched <= now - ORPHANED


WORK: dict[str, Callable[[Context], object]] = {
    "recovery": recovery.recover,
    "tables": stand,
    "expiry": ending.expire,
    "marks": mark_open,
    "merges": merge_approved,
    "sessions": end_idle,
    "uploads": forget_uploads,
    "orphans": remove_orphans,
    "memory": forget,
    "audit": auditing.mirror,
    "counts": counting.tell_requests,
}
"""What is done every `PAUSE_S`, in this order."""
