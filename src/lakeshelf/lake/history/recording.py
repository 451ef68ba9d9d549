"""Where a lake says what it reads and writes: nobody listens, unless a run does."""

from __future__ import annotations

from lakeshelf.lake.form.commits import Commit
from lakeshelf.lake.history.changes import Changes
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import Snapshot


class Recorder:
    """Records nothing; `lakeshelf.lake.history.runs.Book` does."""

    def pinned(self, name: str) -> int | None:
        """The version at which a dataset is read where none is asked for; None: the latest."""
        return None

    def read(self, snapshot: Snapshot, *, latest: bool) -> Snapshot:
        """The snapshot from which rows are read: the same, or one that records what is read.

        Args:
            snapshot: The snapshot that was opened.
            latest: Whether no version was asked for.
        """
        return snapshot

    def changed(self, changes: Changes) -> Changes:
        """Called with the changes that a consumer reads."""
        return changes

    def wrote(
        self,
        commit: Commit,
        keys: tuple[str, ...] = (),
        where: Where | None = None,
    ) -> Commit:
        """Called after each write, the skipped ones included.

        Args:
            commit: What it made.
            keys: Keys of a merge.
            where: The slice that was replaced or deleted.
        """
        return commit
