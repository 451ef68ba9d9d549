"""What services stand on, and who calls them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.permissions import SCOPES, Scope
from lakeshelf.governance.metadata.opening import Metadata, Transaction
from lakeshelf.governance.services.memory import Memory
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root


@dataclass(frozen=True)
class Caller:
    """Who asks for something.

    Attributes:
        user: Name of the user.
        admin: Whether it manages users and projects.
        scopes: What its token may be used for.
        request_id: Id of the call, for log and audit.
        token: Id of the token that proves it, or that its session stems from; empty: none.
        session: Id of the session of its browser; empty: it came with a token.
    """

    user: str
    admin: bool = False
    scopes: frozenset[Scope] = frozenset(SCOPES)
    request_id: str = ""
    token: str = ""
    session: str = ""


@dataclass(frozen=True)
class Context:
    """What services stand on.

    Attributes:
        metadata: The database.
        root: Root of the lake.
        worker: The process that judges rows.
        clock: Gives the present time.
        new_id: Makes random ids of hexadecimal digits.
        holder: Name of this process, for leases.
        memory: What this process holds of the datasets.
    """

    metadata: Metadata
    root: Root
    worker: Worker
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def folder(self, project: str, dataset: str) -> Folder:
        """The folder of a dataset."""
        return Folder(self.root, project, dataset)

    def table(self, project: str, dataset: str, definition: Definition) -> MainTable:
        """The canonical table of a dataset."""
        return MainTable(self.folder(project, dataset), definition)


def record(
    tx: Transaction,
    caller: Caller,
    action: str,
    at: datetime,
    *,
    project: str = "",
    dataset: str = "",
    request: int | None = None,
    details: Mapping[str, Any] | None = None,
    tell: Iterable[str] = (),
) -> None:
    """Write down an act of a caller, in the transaction that holds what it changed."""
    tx.record(
        action,
        user=caller.user,
        at=at,
        project=project,
        dataset=dataset,
        request=request,
        request_id=caller.request_id,
        details=details or {},
        tell=[user for user in tell if user != caller.user],
    )
