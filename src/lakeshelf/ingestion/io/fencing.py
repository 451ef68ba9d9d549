"""Fences: a batch whose worker was given up can no longer commit, whatever that worker still does.

The id of a batch is the application id of its commits. Who takes a batch over asks the table whether it was
committed; if not, it commits a higher version under that id, with no rows. A commit of the old worker that comes
later finds its version taken, one that comes at the same time conflicts.
"""

from __future__ import annotations

from deltalake import DeltaTable

from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.form.metadata import Stamp
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.write import writing

LOADED = 1
FENCED = 1 << 62


def committed(handle: DeltaTable, batch_id: str) -> bool:
    """Whether the batch committed its rows to a table."""
    version = handle.transaction_version(batch_id)
    return version is not None and version < FENCED


def fenced(handle: DeltaTable, batch_id: str) -> bool:
    """Whether the batch was given up."""
    return handle.transaction_version(batch_id) == FENCED


def fence(
    handle: DeltaTable, name: str, batch_id: str, stamp: Stamp, *, always: bool = False
) -> bool:
    """Give a batch up; whether it committed before.

    Args:
        handle: The table.
        name: Its name, for errors.
        batch_id: The batch.
        stamp: Who gives it up.
        always: Give it up even if it committed: other parts of it may follow.
    """

    def attempt() -> bool:
        if committed(handle, batch_id) and not always:
            return True
        with explained(f"batch {batch_id} of {name} was not given up"):
            writing.note(handle, name, Write((Txn(batch_id, FENCED),), stamp))
        return False

    return writing.repeated(handle, attempt)
