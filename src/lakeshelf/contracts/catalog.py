"""The catalogue: every topic, table and view by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lakeshelf.contracts.model import Table, Topic, View
from lakeshelf.errors import ContractError

Entry = TypeVar("Entry", Topic, Table, View)


class Names(dict[str, Entry], Generic[Entry]):
    """Entries by name, in the order of their declaration; an unknown name lists its neighbours."""

    def __init__(self, what: str, entries: Iterable[Entry]) -> None:
        super().__init__()
        self.what = what
        for entry in entries:
            if entry.name in self:
                raise ContractError(f"{what} {entry.name} is declared twice", hint="remove one")
            self[entry.name] = entry

    def hold(self, others: Names[Entry]) -> None:
        """Hold others instead."""
        self.clear()
        self.update(others)

    def __missing__(self, name: str) -> Entry:
        import difflib  # noqa: PLC0415 - slow to import, and only mistakes need it

        close = difflib.get_close_matches(name, self, n=3, cutoff=0.5) or sorted(self)[:3]
        raise ContractError(f"no {self.what} {name!r}", hint=f"did you mean {', '.join(close)}?")


@dataclass(frozen=True)
class Catalog:
    """All topics, tables and views; `topics[name]` of an unknown name raises `ContractError`."""

    topics: Names[Topic]
    tables: Names[Table]
    views: Names[View]

    @classmethod
    def of(
        cls, topics: Iterable[Topic], tables: Iterable[Table], views: Iterable[View] = ()
    ) -> Catalog:
        """A catalogue of these declarations.

        Raises:
            ContractError: Two of a name, or a table of a topic or a view of a table that is not declared.
        """
        catalog = cls(Names("topic", topics), Names("table", tables), Names("view", views))
        for table in catalog.tables.values():
            if table.topic is not None:
                catalog.topics[table.topic]
        for view in catalog.views.values():
            for name in view.tables:
                catalog.tables[name]
        return catalog

    def with_also(
        self,
        topics: Iterable[Topic] = (),
        tables: Iterable[Table] = (),
        views: Iterable[View] = (),
    ) -> Catalog:
        """A catalogue that has these too; errors as for `of`."""
        return Catalog.of(
            (*self.topics.values(), *topics),
            (*self.tables.values(), *tables),
            (*self.views.values(), *views),
        )

    def hold(self, other: Catalog) -> None:
        """Hold what another one holds instead, for all who have this one."""
        self.topics.hold(other.topics)
        self.tables.hold(other.tables)
        self.views.hold(other.views)

    @property
    def raw_topics(self) -> tuple[str, ...]:
        """Topics whose events tables below `raw/` keep, one row an event id."""
        tables = (table for table in self.tables.values() if table.name.startswith("raw/"))
        return tuple(str(t.topic) for t in tables if t.topic and t.key == ("event_id",))
