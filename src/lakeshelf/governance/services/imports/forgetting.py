"""Uploads whose time is over."""

from __future__ import annotations

from datetime import timedelta

from lakeshelf.governance.domain.requests.lifecycle import OPEN
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.changes.finishing import SERVICE
from lakeshelf.governance.services.context import Context, record
from lakeshelf.lake.place import storage

KEPT = timedelta(days=7)
"""How long an upload stays after something was last done with it."""
UPLOAD = "upload"
"""Entry of the origin of a change request: the upload that it was made of."""


def forget_uploads(context: Context) -> list[Upload]:
    """Remove uploads that are older than `KEPT`, with their files; what an open change request was made of stays."""
    now = context.clock()
    with context.metadata.transaction() as tx:
        needed = _needed(tx)
        over = [one for one in tx.uploads.old(now - KEPT) if one.id not in needed]
        for one in over:
            tx.uploads.remove(one)
            details = {UPLOAD: one.id, "file": one.file_name, "sha256": one.sha256}
            record(
                tx, SERVICE, "upload.forgotten", now,
                project=one.project, dataset=one.dataset, details=details,
            )  # fmt: skip
    for one in over:
        storage.remove(context.root, context.folder(one.project, one.dataset).upload(one.id))
    return over


def _needed(tx: Transaction) -> frozenset[str]:
    requests = tx.requests.all(statuses=(*OPEN, "merging", "merged"))
    return frozenset(one.origin[UPLOAD] for one in requests if UPLOAD in one.origin)
