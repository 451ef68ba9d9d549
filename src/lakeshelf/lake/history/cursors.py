"""Cursors: how far a consumer has read a dataset.

A cursor stands in the table that the consumer writes, as application transactions of the very commits that hold its
output, so output and cursor cannot part:

    cursor:<consumer>:<dataset>                       → how often the output was computed from all rows (the epoch)
    cursor:<consumer>:<dataset>:<epoch>:<table id>    → version of the dataset that was read up to

A dataset that was created again has another table id, so that its cursor is missing while the epoch is there.
`ops/cursors` only lists who reads what, so that maintenance finds the cursors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from deltalake import DeltaTable

from lakeshelf.contracts.layers import Ops
from lakeshelf.lake.form.commits import ABSENT, Commit, Txn, Write
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import NameRefused
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import ReadTables, Tables
from lakeshelf.lake.write import writing

CURSORS = Ops.CURSORS
NOTE_AFTER = 100
"""Versions without effect after which a cursor is moved by a commit of its own, so that they are not read again
for ever: at most a hundred, plus what came since."""


@dataclass(frozen=True)
class Consumer:
    """Who reads changes.

    Attributes:
        id: Its name; the same in every run of it.
        output: Dataset that its output goes to, which holds its cursor.
    """

    id: str
    output: str

    def __post_init__(self) -> None:
        names.checked(self.output)
        if not isinstance(self.id, str) or not self.id or ":" in self.id:
            raise NameRefused(f"{self.id!r} names no consumer", hint="write a word without a colon")


@dataclass(frozen=True)
class Cursor:
    """How far a consumer has read a dataset.

    Attributes:
        consumer: The consumer.
        dataset: The dataset.
        table_id: The dataset's table.
        epoch: How often the output was computed from all rows; 0: never.
        position: Version that was read up to; None: none of this table.
    """

    consumer: Consumer
    dataset: str
    table_id: str
    epoch: int = 0
    position: int | None = None

    def moved(self, end: int) -> tuple[Txn, ...]:
        """Transactions of an output that takes up changes to version `end`."""
        base = _base(self.consumer, self.dataset)
        return Txn(self.app(self.epoch), end, self.position), Txn(base, self.epoch, self.epoch)

    def begun(self, end: int) -> tuple[Txn, ...]:
        """Transactions of an output that is computed from all rows of version `end`."""
        epoch = self.epoch + 1
        before = self.epoch or ABSENT
        return Txn(self.app(epoch), end), Txn(_base(self.consumer, self.dataset), epoch, before)

    def app(self, epoch: int) -> str:
        """Application whose version is the position in an epoch."""
        return f"{_base(self.consumer, self.dataset)}:{epoch}:{self.table_id}"


def read(output: DeltaTable | None, consumer: Consumer, dataset: str, table_id: str) -> Cursor:
    """The cursor that an output table records; at the start where `output` is None."""
    start = Cursor(consumer, dataset, table_id)
    if output is None:
        return start
    epoch = output.transaction_version(_base(consumer, dataset)) or 0
    cursor = Cursor(consumer, dataset, table_id, epoch)
    return Cursor(consumer, dataset, table_id, epoch, output.transaction_version(cursor.app(epoch)))


def of(root: Root, consumer: Consumer, dataset: str, table_id: str) -> Cursor:
    """The cursor of a consumer in a dataset, whose table has that id."""
    return read(_opened(root, consumer.output), consumer, dataset, table_id)


def register(lake: Tables, consumer: Consumer, dataset: str) -> None:
    """List a consumer in `ops/cursors`, once."""
    # Read before the list is: of two that register at once, the write of the second is overtaken.
    app = f"registered:{consumer.id}:{dataset}:{consumer.output}"
    table = _opened(lake.root, CURSORS)
    recorded = table.transaction_version(app) if table else None
    before = ABSENT if recorded is None else recorded
    if consumer in _registered(lake.root, dataset):
        return
    row = {
        "consumer": consumer.id,
        "dataset": dataset,
        "output": consumer.output,
        "created_at": lake.clock(),
    }
    lake.append(CURSORS, [row], txn=Txn(app, before + 1, before))


def consumers(root: Root) -> Iterator[tuple[Consumer, str]]:
    """Registered consumers, each with a dataset that it reads."""
    if not tables.exists(root, CURSORS):
        return
    for row in tables.whole_rows(root, CURSORS).to_pylist():
        yield Consumer(row["consumer"], row["output"]), row["dataset"]


def standing(lake: ReadTables) -> Iterator[dict[str, Any]]:
    """Where each registered consumer stands: `consumer`, `dataset`, `output`, `position`, `latest`.

    The position is None where it has read nothing of the dataset's table, `latest` where there is no table.
    """
    for consumer, dataset in consumers(lake.root):
        source = lake.snapshot(dataset) if tables.exists(lake.root, dataset) else None
        yield {
            "consumer": consumer.id,
            "dataset": dataset,
            "output": consumer.output,
            "position": (
                of(lake.root, consumer, dataset, source.table_id).position if source else None
            ),
            "latest": source.version if source else None,
        }


def forget(lake: Tables, consumer: str) -> Commit:
    """Take a consumer off the list, so that it holds back nothing any more; its outputs stay as they are."""
    return lake.replace(CURSORS, [], where=[("consumer", "=", consumer)])


def is_far_behind(txns: tuple[Txn, ...]) -> bool:
    """Whether a cursor that is not moved would leave more than `NOTE_AFTER` versions to be read again."""
    return any(txn.after is not None and txn.version - txn.after >= NOTE_AFTER for txn in txns)


def oldest_version(root: Root, dataset: str) -> int | None:
    """The oldest version of a dataset that a registered consumer still needs; None: no consumer needs one.

    A consumer that has read up to version 7 needs 7, to compare with, and the feed from 8 on.
    """
    readers = _registered(root, dataset)
    source = _opened(root, dataset) if readers else None
    if source is None:
        return None
    table_id = str(source.metadata().id)
    positions = [of(root, consumer, dataset, table_id).position for consumer in readers]
    return min((position for position in positions if position is not None), default=None)


def as_of(lake: ReadTables, output: str, then: DeltaTable) -> tuple[Txn, ...]:
    """Transactions that put the cursors of an output back to where they were in an earlier version of it."""
    now = _opened(lake.root, output)
    txns: list[Txn] = []
    for consumer, dataset in consumers(lake.root):
        if consumer.output == output and tables.exists(lake.root, dataset):
            table_id = lake.snapshot(dataset).table_id
            txns += _put_back(
                read(now, consumer, dataset, table_id), read(then, consumer, dataset, table_id)
            )
    return tuple(txns)


def _put_back(now: Cursor, then: Cursor) -> list[Txn]:
    if now.epoch == then.epoch and now.position == then.position:
        return []
    # A new epoch: at the position of then, or at none, which leads to a full refresh.
    epoch = Txn(_base(now.consumer, now.dataset), now.epoch + 1)
    if then.position is None:
        return [epoch]
    return [Txn(now.app(now.epoch + 1), then.position), epoch]


def _registered(root: Root, dataset: str) -> list[Consumer]:
    return [consumer for consumer, read_by_it in consumers(root) if read_by_it == dataset]


def _opened(root: Root, name: str) -> DeltaTable | None:
    return tables.open_table(root, name) if tables.exists(root, name) else None


def _base(consumer: Consumer, dataset: str) -> str:
    return f"cursor:{consumer.id}:{dataset}"


def noted(handle: DeltaTable, write: Write, commit: Commit) -> Commit:
    """The commit; one without rows where a cursor would otherwise fall too far behind."""
    if not commit.skipped or not is_far_behind(write.txns):
        return commit
    note = partial(writing.note, handle, commit.table, write)
    return writing.committed(handle, commit.table, "note", write, note)
