"""Jobs of this process: held as long as it lives, told to stop, and ended once.

docs/design/governance.md#jobs
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.tables.work import BackgroundJob
from lakeshelf.governance.metadata.work import CANCELLED, DONE, FAILED, QUEUED, RUNNING
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.refusals import governed, shape
from lakeshelf.logs import log

THREADS = 2
"""Jobs that one process does at a time."""
BEAT_S = 1.0
"""How often a process says that it lives, and looks for jobs that are to stop."""
LATE = timedelta(seconds=20)
"""After how long without a word a process counts as ended, and its jobs as interrupted."""


class JobStopped(Exception):  # noqa: N818 - it is no error
    """A job was told to stop."""


@dataclass
class Running:
    """A job that this process does.

    Attributes:
        job: The job, as it was when it was asked for.
    """

    job: BackgroundJob
    _stopping: threading.Event = field(default_factory=threading.Event)
    _stop: Callable[[], object] = lambda: None

    @property
    def is_stopping(self) -> bool:
        """Whether it is to stop."""
        return self._stopping.is_set()

    def stop_by(self, stop: Callable[[], object]) -> None:
        """How what it waits for is ended, from another thread; it is called again until the job has ended."""
        self._stop = stop
        if self.is_stopping:
            stop()

    def stop(self) -> None:
        """Tell it to stop."""
        self._stopping.set()
        self._stop()

    def require_going(self) -> None:
        """Go no further when it is to stop.

        Raises:
            Stopped: It is.
        """
        if self.is_stopping:
            raise JobStopped


Work = Callable[[Running], Object]


class Runner:
    """Does jobs, each in a thread of its own.

    Args:
        context: What it stands on; jobs are of its holder.
        threads: How many at a time; others wait.
    """

    def __init__(self, context: Context, threads: int = THREADS) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="job")
        self._going: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._busy, self._closed = threading.Event(), threading.Event()
        self._beating: threading.Thread | None = None

    def start(
        self, caller: Caller, kind: str, params: Object, work: Work
    ) -> tuple[BackgroundJob, Future[None]]:
        """Have a job done; what its work answers is its result."""
        running = self._made(caller, kind, params, QUEUED)
        return running.job, self._pool.submit(self._done, running, work)

    def hold(self, caller: Caller, kind: str, params: Object) -> Running:
        """A job that is done elsewhere in this process, which ends it by `end`."""
        return self._made(caller, kind, params, RUNNING)

    def report(self, running: Running, progress: Object) -> None:
        """Tell how far a job is."""
        with self._context.metadata.transaction() as tx:
            tx.jobs.report(running.job, progress)

    def end(self, running: Running, status: str, result: Object) -> None:
        """End a job; where that cannot be written down, it counts as interrupted later."""
        try:
            with self._context.metadata.transaction() as tx:
                tx.jobs.end(running.job, status, result, self._context.clock())
        except LakeshelfError as error:
            log.error("job not ended", job=running.job.id, status=status, error=str(error))
        finally:
            with self._lock:
                self._going.pop(running.job.id, None)

    def fail(self, running: Running, error: Exception) -> None:
        """End a job by what went wrong with it, or by what it was told."""
        if running.is_stopping:
            self.end(running, CANCELLED, {})
            return
        content = governed(error)
        if content.code == "internal":
            log.error("job failed", job=running.job.id, kind=running.job.kind, exc_info=error)
        self.end(running, FAILED, shape(content, self._context.root))

    def stop(self, job: BackgroundJob) -> None:
        """Tell a job to stop, if this process does it."""
        with self._lock:
            running = self._going.get(job.id)
        if running is not None:
            running.stop()

    def close(self) -> None:
        """End; jobs that have not ended are interrupted."""
        self._closed.set()
        self._busy.set()
        with self._context.metadata.transaction() as tx:
            tx.jobs.interrupt(self._context.clock(), self._context.holder)
        with self._lock:
            going = list(self._going.values())
        for running in going:
            running.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def beat(self) -> None:
        """Say that this process lives, and tell those jobs to stop that somebody cancelled, here or elsewhere."""
        until = self._context.clock() + LATE
        with self._context.metadata.transaction() as tx:
            cancelled = tx.jobs.hold(self._context.holder, until)
        for job in cancelled:
            self.stop(job)

    def _made(self, caller: Caller, kind: str, params: Object, status: str) -> Running:
        now, holder = self._context.clock(), self._context.holder
        started = now if status == RUNNING else None
        job = BackgroundJob(
            id=self._context.new_id(),
            project="",
            user=caller.user,
            kind=kind,
            params=params,
            status=status,
            created_at=now,
            worker=holder,
            deadline=now + LATE,
            started_at=started,
        )
        with self._context.metadata.transaction() as tx:
            tx.jobs.add(job)
        running = Running(job)
        with self._lock:
            self._going[job.id] = running
            if self._beating is None:
                self._beating = threading.Thread(target=self._beats, name="jobs", daemon=True)
                self._beating.start()
        self._busy.set()
        return running

    def _done(self, running: Running, work: Work) -> None:
        try:
            with self._context.metadata.transaction() as tx:
                waits = tx.jobs.begin(running.job, self._context.clock())
            if waits:
                self.end(running, DONE, work(running))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is told by the job
            self.fail(running, error)
        finally:
            with self._lock:
                self._going.pop(running.job.id, None)

    def _beats(self) -> None:
        while not self._closed.is_set():
            self._busy.wait()
            with self._lock:
                if not self._going:
                    self._busy.clear()
                    continue
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - what goes wrong with one job lets no other go
                log.warning("jobs not held", exc_info=error)
            self._closed.wait(BEAT_S)
