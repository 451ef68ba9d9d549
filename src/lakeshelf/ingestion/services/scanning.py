"""Scan `bronze/` and load until nothing is pending; watch it for ever."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf import crash
from lakeshelf.errors import LakeError
from lakeshelf.ingestion.domain import choosing
from lakeshelf.ingestion.domain.found import Waiting
from lakeshelf.ingestion.domain.manifest import (
    TAKEOVERS,
    WAITING,
    File,
    claimed,
    files_of,
    given_up,
)
from lakeshelf.ingestion.services.discovery import discover
from lakeshelf.ingestion.services.loading import conclude_from_tables, load, read_files
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.rows.port import Tables

SETTLE = timedelta(seconds=1)
LOOK_AGAIN_S = 0.5
Pause = Callable[[float], object]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Scan:
    """What a scan did.

    Attributes:
        registered: How many files were new.
        files: Files that this worker loaded or tried to, as they ended.
        waiting: Files that were not taken, and why.
        elsewhere: Files that other workers still work on.
    """

    registered: int
    files: tuple[File, ...]
    waiting: tuple[Waiting, ...] = ()
    elsewhere: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every row of every file was loaded, and every folder can be."""
        return not self.refused and all(file.status == "success" for file in self.files)

    @property
    def refused(self) -> dict[str, tuple[str, int]]:
        """Folder that cannot be loaded → why, and how many of its files wait for that."""
        files = Counter(one.folder for one in self.waiting if one.folder)
        why = {one.folder: one.why for one in self.waiting}
        return {folder: (why[folder], count) for folder, count in files.items()}

    def as_json(self) -> dict[str, Any]:
        """The result as JSON."""
        ended: dict[str, int] = {}
        for file in self.files:
            ended[file.status] = ended.get(file.status, 0) + 1
        return {
            "found": self.registered,
            "files": ended,
            "rows_loaded": sum(file.rows_loaded for file in self.files),
            "rows_refused": sum(file.rows_refused for file in self.files),
            "waiting": [{"path": one.path, "why": one.why} for one in self.waiting],
            "refused_folders": [
                {"folder": folder, "why": why, "files": count}
                for folder, (why, count) in self.refused.items()
            ],
            "left_out": [
                {"path": file.path, "what": file.note} for file in self.files if file.note
            ],
            "elsewhere": self.elsewhere,
        }


def scan(
    lake: Tables,
    *,
    datasets: Collection[str] = (),
    settle: timedelta = SETTLE,
    wait: bool = True,
    pause: Pause = time.sleep,
    stop: Stop = lambda: False,
    **how: Any,
) -> Scan:
    """Register what is new in `bronze/`, and load until nothing is pending.

    Any number of processes may do it at the same time: they share the files.

    Args:
        lake: The lake.
        datasets: Datasets to load; empty: all.
        settle: Age from which a file is taken for whole.
        wait: Whether to wait for other workers, and to take over what they leave when they end early.
        pause: Waits some seconds.
        stop: Whether to end after this batch.
        how: `worker`, `limits`, `lease`, `max_attempts`, `progress` of a `Workshop`.

    Raises:
        StorageError: Disk or network failed; a later scan goes on.
    """
    shop = Workshop(lake, **how)
    registered, waiting = discover(shop, settle, pause, datasets)
    done, elsewhere = load_pending(shop, datasets, wait=wait, pause=pause, stop=stop)
    return Scan(registered, tuple(done), tuple(waiting), elsewhere)


def watch(
    lake: Tables,
    report: Callable[[Scan], object],
    *,
    interval: float = 5.0,
    pause: Pause = time.sleep,
    stop: Stop = lambda: False,
    **how: Any,
) -> None:
    """Scan again and again until `stop`.

    Args:
        lake: The lake.
        report: Is told what each scan did that did something.
        interval: Seconds between two scans.
        pause: Waits some seconds.
        stop: Whether to end after this batch.
        how: As for `scan`.
    """
    while not stop():
        done = scan(lake, wait=False, pause=pause, stop=stop, **how)
        if done.registered or done.files:
            report(done)
        if not stop():
            pause(interval)


def load_pending(
    shop: Workshop,
    datasets: Collection[str] = (),
    *,
    wait: bool = True,
    pause: Pause = time.sleep,
    stop: Stop = lambda: False,
) -> tuple[list[File], int]:
    """Load until nothing is pending.

    1. Claim the oldest pending files of one dataset, and load them.
    2. When none are pending, take over a batch whose lease has ended: ask the dataset whether it was committed. If so,
       end it by what the tables hold. If not, fence it off, claim its files and load them.
    3. While other workers have batches, wait: they may end before they are through.

    Returns:
        The files as they ended, and how many other workers still have.
    """
    done: list[File] = []
    while not stop():
        # 1.
        files = _claim(shop, datasets)
        if files:
            done += load(shop, files)
            shop.progress("load", len(done), len(done) + _count(shop, datasets))
            continue
        # 2.
        ended = _take_over(shop, datasets)
        if ended is not None:
            done += ended
            continue
        # 3.
        left = _count(shop, datasets)
        if not left or not wait:
            return done, left
        shop.progress("wait", 0, left)
        pause(LOOK_AGAIN_S)
    return done, 0


def _claim(shop: Workshop, datasets: Collection[str]) -> list[File]:
    claim = shop.new_claim()

    def decide(waiting: pa.Table) -> Sequence[File]:
        chosen = choosing.pending(_of(waiting, datasets), shop.limits)
        return claimed(files_of(chosen), claim)

    files = shop.manifest.claim(decide)
    crash.point("files_after_claim")
    return files


def _take_over(shop: Workshop, datasets: Collection[str]) -> list[File] | None:
    """Files of a batch whose lease has ended, as they ended now; None: there is no such batch."""
    waiting = _of(shop.manifest.rows([("status", "in", list(WAITING))]), datasets)
    files = files_of(choosing.expired(waiting, shop.now(), shop.limits))
    if not files:
        return None
    old = str(files[0].batch_id)
    if _fence(shop, files, old):
        return _concluded_for(shop, old)
    return load(shop, _claim_expired(shop, [file.file_id for file in files], old))


def _fence(shop: Workshop, files: Sequence[File], batch_id: str) -> bool:
    """Give a batch up in all tables that it may still write; whether it has committed its rows."""
    target = shop.target(files[0].dataset)
    if not target.exists:
        try:
            spec = read_files(shop, files).spec
        except LakeError:
            spec = None
        if spec is not None:
            target.ensure(spec)
    if target.exists and target.fence(batch_id):
        return True
    shop.rejects.fence(batch_id)
    return False


def _concluded_for(shop: Workshop, batch_id: str) -> list[File]:
    """End a batch whose rows were committed by a worker that did not live to say so.

    A file of which no table holds anything was empty or failed: it is read again.
    """
    files = shop.manifest.files([("batch_id", "=", batch_id), ("status", "=", "running")])
    ids = [file.file_id for file in files]
    loaded = shop.target(files[0].dataset).lines(ids) if files else {}
    refused = shop.rejects.lines(ids)
    recorded = [file for file in files if loaded[file.file_id] or refused[file.file_id]]
    done = conclude_from_tables(shop, recorded, {}) if recorded else []
    unrecorded = {file.file_id for file in files} - {file.file_id for file in recorded}
    return done + load(shop, _claim_expired(shop, sorted(unrecorded), batch_id))


def _claim_expired(shop: Workshop, file_ids: Sequence[int], batch_id: str) -> list[File]:
    claim = shop.new_claim()

    def decide(current: list[File]) -> list[File]:
        left = [f for f in current if f.batch_id == batch_id and f.is_expired(claim.now)]
        spent = [f for f in left if f.attempt >= TAKEOVERS]
        return [given_up(f, claim.now) for f in spent] or claimed(left, claim)

    taken = shop.manifest.change([("file_id", "in", list(file_ids))], decide) if file_ids else []
    crash.point("files_after_claim")
    return [file for file in taken if file.status == "running"]


def _count(shop: Workshop, datasets: Collection[str]) -> int:
    waiting = shop.manifest.rows([("status", "in", list(WAITING))])
    return int(_of(waiting, datasets).num_rows)


def _of(rows: pa.Table, datasets: Collection[str]) -> pa.Table:
    if not datasets:
        return rows
    return rows.filter(pc.is_in(rows["dataset"], pa.array(sorted(datasets), pa.string())))
