"""Commits: what a write says of itself, and what it came to.

delta-rs stores application transactions without enforcing them, so a version is looked up on the
very handle that writes (docs/design/pitfalls.md#trap-35).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction

from lakeshelf.lake.form.metadata import Stamp, encoded, stamp
from lakeshelf.lake.form.schemas import fingerprint
from lakeshelf.lake.place.errors import LeaseLost, NameRefused, VersionNotFound

HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""Looking for expired entries would read the state of every file of the log at each commit; `maintenance` does it."""


ABSENT = -1
"""Version of an application that has not written the table."""


@dataclass(frozen=True)
class Txn:
    """Identity of one write: it is committed once, however often it is tried.

    Attributes:
        app_id: Who writes, for example `<query id>:cleansed/shelf_state`.
        version: Which write of that writer, for example the batch id.
        after: The version that has to stand there before (`ABSENT`: none), so that of two who go on from the same
            place one is skipped; None: any older one.
        metadata: Entries of the commit, for whoever has to finish what the write is part of.
    """

    app_id: str
    version: int
    after: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)


Txns = tuple[str, int] | Txn | tuple[Txn, ...]
"""Identity of a write as it is given: (application, number), or identities, of which the first decides."""


def identities(identity: Txns | None) -> tuple[Txn, ...]:
    """The identities of a write, as a tuple.

    Raises:
        NameRefused: One is no identity.
    """
    if identity is None or identity == ():
        return ()
    txns: tuple[Any, ...] = identity if isinstance(identity, tuple) else (identity,)
    if len(txns) == 2 and not isinstance(txns[0], Txn):
        txns = (Txn(*txns),)
    if not all(_is_identity(txn) for txn in txns):
        raise NameRefused(
            f"{identity!r} is no identity of a write",
            hint="give (application, number), a text and a number from 0 to 2**63 - 1",
        )
    return txns


def _is_identity(txn: Any) -> bool:
    if not isinstance(txn, Txn) or not isinstance(txn.app_id, str) or not txn.app_id:
        return False
    return type(txn.version) is int and 0 <= txn.version < 2**63


@dataclass(frozen=True)
class Commit:
    """What a write came to.

    Attributes:
        table: The dataset.
        version: Version that it made; None: nothing was committed.
        operation: What was done.
        rows: Rows that were written.
        metadata: The caller's entries of the commit.
        skipped: Why nothing was committed; empty otherwise.
    """

    table: str
    version: int | None
    operation: str
    rows: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    skipped: str = ""


@dataclass(frozen=True)
class Write:
    """What every write carries.

    Attributes:
        txns: Identities: the write is made unless the first stands in the table; all are recorded.
        stamp: Who writes, and why.
        metadata: The caller's own entries of the commit.
        expected: The version that the table has to be at: the commit follows it, or there is none; None: any.
        writer: The owner whose tables it may write (`lakeshelf.lake.form.owners`); None: none that name one.
        fence: The lease under which it is made, and its term; a table in which a later one stands refuses it.
    """

    txns: tuple[Txn, ...] = ()
    stamp: Stamp = field(default_factory=stamp)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expected: int | None = None
    writer: str | None = None
    fence: Txn | None = None

    def __post_init__(self) -> None:
        encoded(self.stamp, self.metadata)
        if self.expected is not None and (type(self.expected) is not int or self.expected < 0):
            raise VersionNotFound(
                f"{self.expected!r} is no version", hint="expect the number of one that was read"
            )

    @classmethod
    def once(cls, *txns: Txn, fence: Txn | None = None) -> Write:
        """A write that is made unless the first identity stands in the table."""
        metadata = {name: value for txn in txns for name, value in txn.metadata.items()}
        return cls(txns, metadata=metadata, fence=fence)

    @property
    def retries(self) -> int | None:
        """How often delta-rs may commit on a later version than it read: never, where one is expected.

        With a single one it lets commits go by that changed no rows that were read, such as empty ones
        (docs/design/pitfalls.md#trap-55).
        """
        return None if self.expected is None else 0

    def properties(
        self,
        schema: pa.Schema | None = None,
        order_by: tuple[str, ...] = (),
        *,
        replaces_all: bool = False,
    ) -> CommitProperties:
        """Properties of the commit.

        Args:
            schema: Columns that are written.
            order_by: Columns that they are sorted by.
            replaces_all: Whether it takes the place of all rows: delta-rs would let it by over a merge of files,
                whose rows would stay (docs/design/pitfalls.md#trap-57), so it is made on the newest version only.
        """
        stamped = self.stamp.of(fingerprint(schema) if schema is not None else "", order_by)
        return CommitProperties(
            custom_metadata=encoded(stamped, self.metadata),
            max_commit_retries=0 if replaces_all else self.retries,
            app_transactions=[Transaction(t.app_id, t.version) for t in self._recorded],
        )

    @property
    def _recorded(self) -> tuple[Txn, ...]:
        return self.txns if self.fence is None else (*self.txns, self.fence)

    def is_done(self, handle: DeltaTable) -> bool:
        """Whether the write stands in the table, or another has gone on in its stead.

        Raises:
            LeaseLost: The table is fenced off against the term under which the write is made. Where that happens
                after this look, delta-rs refuses the commit for the application that both record.
        """
        if self.fence is not None:
            _require_term(handle, self.fence)
        stands = bool(self.txns) and is_committed(handle, self.txns[0])
        return stands or any(_is_overtaken(handle, txn) for txn in self.txns)

    def skipped(self, name: str, operation: str, why: str = "already committed") -> Commit:
        """The result of a write that makes no commit."""
        return Commit(name, None, operation, 0, self.metadata, why)


def is_committed(handle: DeltaTable, txn: Txn) -> bool:
    """Whether the write `txn` stands in the table already."""
    recorded = handle.transaction_version(txn.app_id)
    return recorded is not None and recorded >= txn.version


def _is_overtaken(handle: DeltaTable, txn: Txn) -> bool:
    recorded = handle.transaction_version(txn.app_id)
    return txn.after is not None and txn.after != (ABSENT if recorded is None else recorded)


def _require_term(handle: DeltaTable, fence: Txn) -> None:
    recorded = handle.transaction_version(fence.app_id)
    if recorded is not None and recorded > fence.version:
        raise LeaseLost(
            f"{fence.app_id} of term {fence.version} is over: term {recorded} has begun",
            hint="nothing is to be done: another driver goes on with the query",
        )
