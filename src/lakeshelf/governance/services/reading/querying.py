"""The lake as somebody sees it: its tables, and the datasets of their projects."""

from __future__ import annotations

from collections.abc import Iterable

from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows.snapshot import At, Snapshot


class VisibleLake(Lake):
    """A lake in which datasets of projects that somebody is no member of are not there."""

    def __init__(self, root: Root, hidden: frozenset[str]) -> None:
        super().__init__(root)
        self._hidden = hidden

    def names(self) -> list[str]:
        """Tables that are seen."""
        return [name for name in super().names() if not self._is_hidden(name)]

    def snapshot(self, name: str, at: At | None = None) -> Snapshot:
        """A table that is seen, at a version.

        Raises:
            GovernanceError: `query_refused`.
        """
        self.require_seen([name])
        return super().snapshot(name, at)

    def require_seen(self, names: Iterable[str]) -> None:
        """Refuse tables that are not seen.

        Raises:
            GovernanceError: `query_refused`.
        """
        for name in filter(self._is_hidden, names):
            raise refused("query_refused", f"no table {name.replace('/', '.')!r}")

    def _is_hidden(self, name: str) -> bool:
        return name.partition("/")[0] in self._hidden


def lake_of(context: Context, caller: Caller) -> VisibleLake:
    """The lake as somebody sees it.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    with context.metadata.reading() as tx:
        own = {one.id for one in tx.projects.all(caller.user)}
        hidden = frozenset(one.id for one in tx.projects.all()) - own
    return VisibleLake(context.root, hidden)
