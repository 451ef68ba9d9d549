"""Who did what, in chains that show where they were tampered with.

docs/design/governance.md#audit
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, select

from lakeshelf.governance.metadata.database.columns import canonical
from lakeshelf.governance.metadata.tables.events import AUDIT_EVENTS, AuditEvent

_AT_ONCE = 1000


@dataclass(frozen=True)
class BrokenLink:
    """Where a chain is broken.

    Attributes:
        project: The chain.
        number: The first link that is not as it was written.
        problem: What is wrong with it.
    """

    project: str
    number: int
    problem: str


class Audit:
    """Acts; the database refuses to change or delete one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, act: AuditEvent) -> AuditEvent:
        """A new link of a chain; number, previous hash and hash are given to it."""
        last = self.head(act.project)
        number, previous = (last.number + 1, last.hash) if last else (1, "")
        link = replace(act, number=number, previous=previous)
        return AUDIT_EVENTS.add(self._connection, replace(link, hash=link_hash(link)))

    def head(self, project: str) -> AuditEvent | None:
        """The newest link of a chain; None: it has none."""
        where, order = [AUDIT_EVENTS.c.project == project], [AUDIT_EVENTS.c.number.desc()]
        newest = AUDIT_EVENTS.all(self._connection, where, order=order, limit=1)
        return newest[0] if newest else None

    def chains(self) -> list[str]:
        """Projects that have a chain; the empty one is that of users, tokens and projects."""
        chains = select(AUDIT_EVENTS.c.project).distinct().order_by(AUDIT_EVENTS.c.project)
        return list(self._connection.execute(chains).scalars())

    def after(
        self, project: str, number: int = 0, *, limit: int | None = None, **equal: Any
    ) -> list[AuditEvent]:
        """Links of a chain with a higher number, in order.

        Args:
            project: The chain.
            number: The last that is known.
            limit: At most so many.
            equal: Fields such as `user`, `action`, `dataset`, `request`, and the value they have.
        """
        where = [AUDIT_EVENTS.c.project == project, AUDIT_EVENTS.c.number > number]
        where += [AUDIT_EVENTS.c[name] == value for name, value in equal.items()]
        return AUDIT_EVENTS.all(self._connection, where, limit=limit)

    def verify(self, project: str, known: AuditEvent | None = None) -> BrokenLink | None:
        """The first broken link of a chain; None: it is whole.

        Args:
            project: The chain.
            known: A link that a copy elsewhere holds: shows a chain that was cut off or written anew from its start.
        """
        number, previous = 0, ""
        for number, link in enumerate(self._links(project), 1):
            if problem := _problem(link, number, previous, known):
                return BrokenLink(project, number, problem)
            previous = link.hash
        if known and known.number > number:
            return BrokenLink(project, number + 1, "it is missing")
        return None

    def _links(self, project: str) -> Iterator[AuditEvent]:
        number = 0
        while links := self.after(project, number, limit=_AT_ONCE):
            yield from links
            number = links[-1].number


def link_hash(link: AuditEvent) -> str:
    """SHA-256 over all fields of a link but the hash."""
    parts = {
        field.name: getattr(link, field.name) for field in fields(link) if field.name != "hash"
    }
    parts["happened_at"] = link.happened_at.isoformat(timespec="microseconds")
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def _problem(link: AuditEvent, number: int, previous: str, known: AuditEvent | None) -> str:
    if link.number != number:
        return "it is missing"
    if link.previous != previous:
        return "it does not follow the link before it"
    if link.hash != link_hash(link):
        return "it was changed"
    if known and known.number == number and known.hash != link.hash:
        return "it is another one than the copy has"
    return ""
