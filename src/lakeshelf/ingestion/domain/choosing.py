"""Which files a worker takes next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

SHRINK = 10
"""A batch whose worker ended is tried again in batches so much smaller: one of its files may be what ends workers."""


@dataclass(frozen=True)
class BatchLimits:
    """How much a batch takes at most; one file it always takes.

    Attributes:
        files: Files.
        size: Bytes.
    """

    files: int = 400
    size: int = 64 << 20

    def after(self, attempts: int) -> BatchLimits:
        """Limits of a batch whose files were tried so often."""
        return BatchLimits(max(1, self.files // SHRINK**attempts), self.size)


def pending(waiting: pa.Table, limits: BatchLimits) -> pa.Table:
    """The oldest pending files of one dataset that nobody rebuilds, as many as a batch takes; may be none.

    Args:
        waiting: Rows of the manifest that are pending or running.
        limits: How much a batch takes.
    """
    rebuilding = waiting.filter(pc.equal(waiting["mode"], "rebuild"))["dataset"]
    free = pc.and_not(
        pc.equal(waiting["status"], "pending"),
        pc.is_in(waiting["dataset"], pc.unique(rebuilding.combine_chunks())),
    )
    files = waiting.filter(free).sort_by("file_id")
    if not files.num_rows:
        return files
    same = pc.equal(files["dataset"], files["dataset"][0])
    return _cut(files.filter(same), limits)


def expired(waiting: pa.Table, now: datetime, limits: BatchLimits) -> pa.Table:
    """The oldest files of one batch whose lease has ended; may be none."""
    ended = pc.and_(
        pc.equal(waiting["status"], "running"),
        pc.less_equal(waiting["lease_until"], pa.scalar(now, waiting["lease_until"].type)),
    )
    files = waiting.filter(ended).sort_by("file_id")
    if not files.num_rows:
        return files
    same = files.filter(pc.equal(files["batch_id"], files["batch_id"][0]))
    return _cut(same, limits.after(pc.max(same["attempt"]).as_py()))


def _cut(rows: pa.Table, limits: BatchLimits) -> pa.Table:
    sizes = pc.cumulative_sum(rows["size"])
    fitting = pc.sum(pc.less_equal(sizes, limits.size)).as_py() or 0
    return rows.slice(0, max(1, min(limits.files, fitting)))
