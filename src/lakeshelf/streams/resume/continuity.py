"""Whether a query goes on exactly where its tables end: ledger, tables, checkpoint and topics have to agree.

The ledger is what they are compared with: it names the offsets up to which everything is committed, the versions that
came of it, and the tables and topics by their ids. Where one of the others was lost, is an older copy or belongs
somewhere else, going on would count records twice or not at all, so a query does not start.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import LakeError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.form import metadata
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.rows import reading, tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.ledger import Account, Offsets
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.breaks import Break, ways
from lakeshelf.streams.resume.checkpoint import Checkpoint, Starting
from lakeshelf.streams.resume.identities import foreign, ids_of, is_foreign
from lakeshelf.streams.take.refusal import QUARANTINE

BATCH = "batch"
"""Entry of a commit that names the batch which it is part of."""
COMMITS = 100
"""So many commits back a batch is looked for that was not finished."""


@dataclass(frozen=True)
class Standing:
    """Where a query stands.

    Attributes:
        account: What the ledger says.
        handles: Tables that can be opened, among them that of the refused records.
        checkpoint: The one in force; None: there is none, or its pointer cannot be read.
        topic_ids: Topic → id in Kafka, of those that are there; empty without a client.
        breaks: Why it must not go on.
    """

    account: Account
    handles: Mapping[str, DeltaTable]
    checkpoint: Checkpoint | None
    topic_ids: Mapping[str, str]
    breaks: tuple[Break, ...]

    @property
    def app_id(self) -> str:
        """Application id of its batches so far; empty: it had none."""
        held = self.checkpoint.app_id if self.checkpoint else None
        return self.account.app_id or held or ""

    @property
    def table_ids(self) -> dict[str, str]:
        """Table → id in Delta."""
        return ids_of(self.handles)

    @property
    def foreign(self) -> frozenset[str]:
        """Tables of another lake: the ledger knows others under their names, and knows some that are here."""
        return foreign(self.account, self.table_ids)

    @property
    def has_foreign_ledger(self) -> bool:
        """Whether the ledger is that of another lake: it knows none of the tables that are here."""
        return is_foreign(self.account, self.table_ids)

    def without(self, names: Container[str]) -> Standing:
        """The same without some tables."""
        left = {name: handle for name, handle in self.handles.items() if name not in names}
        return replace(self, handles=left)

    def written(self, app_id: str) -> dict[str, int]:
        """Table → number of the last batch that it holds."""
        numbers = {
            name: handle.transaction_version(f"{app_id}:{name}")
            for name, handle in self.handles.items()
        }
        return {name: number for name, number in numbers.items() if number is not None}

    def next_number(self, app_id: str) -> int:
        """A number above those of all batches so far."""
        known = self.account.number if self.account.app_id == app_id else -1
        begun = self.checkpoint.next_number() if self.checkpoint else -1
        return max((known, begun, *self.written(app_id).values())) + 1

    def sources(self, earlier: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Any]:
        """Topics by their ids as the ledger keeps them."""
        known = {} if self.has_foreign_ledger else self.account.sources
        return {
            topic: {"earlier": known.get(topic, {}).get("earlier", {}), "id": topic_id}
            for topic, topic_id in self.topic_ids.items()
        } | {
            topic: {"earlier": dict(times), "id": self.topic_ids.get(topic)}
            for topic, times in (earlier or {}).items()
        }


def examine(
    plan: QueryPlan, settings: Settings, client: Mapping[str, str] | None = None
) -> Standing:
    """Compare ledger, tables, checkpoint and, given a client, topics of a query.

    Raises:
        LakeError: The ledger cannot be read.
        BrokerError: Kafka does not answer.
    """
    account = _account(plan, settings)
    handles, unreadable = _opened(plan, settings, account)
    held, lost = _checkpoint(plan, settings, account)
    ids = topics.ids(client, [topic.name for topic in plan.topics]) if client else {}
    breaks = [*unreadable, *_altered(account, handles)]
    if is_foreign(account, ids_of(handles)):
        return Standing(account, handles, held, ids, tuple(breaks))
    breaks += lost
    if held is not None and not lost:
        breaks += _positions(plan, account, held)
        breaks += _unread(plan, held)
    if not lost:
        breaks += _numbers(plan, account, handles, held)
    if client:
        breaks += _replaced(plan, account, ids, client)
    standing = Standing(account, handles, held, ids, tuple(breaks))
    return replace(standing, breaks=(*breaks, *_undone(plan, standing)))


def require(name: str, standing: Standing) -> Standing:
    """The standing of a query that may go on.

    Raises:
        StreamError: It must not.
    """
    if standing.breaks:
        first = next((b for b in standing.breaks if not b.continuable), standing.breaks[0])
        raise StreamError(f"query {name} does not start: {first.what}", hint=ways(first))
    return standing


def unfinished(plan: QueryPlan, standing: Standing) -> tuple[int, Offsets] | None:
    """The batch that some tables hold and the ledger does not: its number and offsets; None without one.

    Raises:
        StreamError: There are several, no commit tells its offsets, or they do not begin where the ledger ends.
    """
    app_id = standing.app_id or plan.name
    _require_one_identity(standing, app_id)
    last = standing.account.number if standing.account.app_id == app_id else -1
    ahead = {name: number for name, number in standing.written(app_id).items() if number > last}
    offsets = {
        batch["number"]: batch["offsets"]
        for name in {*ahead, ledger.LEDGER} & standing.handles.keys()
        for batch in _batches(standing.handles[name], app_id)
        if batch["number"] > last
    }
    numbers = sorted({*ahead.values(), *offsets})
    if not numbers:
        return None
    if len(numbers) > 1:
        raise StreamError(f"batches {numbers} are not in the ledger")
    if numbers[0] not in offsets:
        raise StreamError(f"no commit tells the offsets of batch {numbers[0]} of {min(ahead)}")
    number, under_way = numbers[0], offsets[numbers[0]]
    _require_adjacent(under_way, standing)
    if others := _others(plan, under_way):
        raise StreamError(
            f"batch {number} was begun with topic {min(others)}, which no job here reads"
        )
    return number, under_way


def _undone(plan: QueryPlan, standing: Standing) -> Iterator[Break]:
    """What keeps a query from going on where its ledger ends, where nothing else does."""
    if standing.breaks and all(b.continuable for b in standing.breaks):
        try:
            unfinished(plan, standing)
        except StreamError as error:
            yield Break(error.message)


def _require_one_identity(standing: Standing, app_id: str) -> None:
    """Refuse where the checkpoint wrote under an id that the ledger does not have."""
    held = standing.checkpoint
    if held is None or not held.path.exists():
        return
    other = held.identity()
    if other != app_id and (written := standing.written(other)):
        raise StreamError(f"{min(written)} holds batches of {other}, which the ledger lacks")


def _require_adjacent(offsets: Offsets, standing: Standing) -> None:
    for topic, parts in offsets.items():
        known = standing.account.reached.get(topic, {})
        for p, (begin, _) in parts.items():
            if topic != CLOCK and begin != known.get(p, begin):
                raise StreamError(
                    f"the unfinished batch begins at {topic}/{p} offset {begin}, the ledger ends at {known[p]}"
                )


def _batches(handle: DeltaTable, app_id: str) -> Iterator[dict[str, Any]]:
    """Batches in the metadata of a table's latest commits; the ledger's also hold one that is done in parts."""
    for entry in handle.history(COMMITS):
        batch = metadata.custom(entry).get(BATCH)
        if batch and batch["app_id"] == app_id:
            yield batch


def _account(plan: QueryPlan, settings: Settings) -> Account:
    try:
        return ledger.account(settings.lake_root, plan.name)
    except NotFound:
        return Account()  # what the tables hold tells whether there should be more


def _opened(
    plan: QueryPlan, settings: Settings, account: Account
) -> tuple[dict[str, DeltaTable], list[Break]]:
    handles: dict[str, DeltaTable] = {}
    unreadable: list[Break] = []
    for name in (*plan.tables, QUARANTINE, ledger.LEDGER):
        try:
            handles[name] = tables.open_table(settings.lake_root, name)
        except NotFound:
            if name in account.versions:
                unreadable.append(Break(f"table {name} is missing", name))
        except LakeError as error:
            unreadable.append(Break(error.message, name))
        else:
            if newer := tables.newer(handles[name], CATALOG.tables[name]):
                unreadable.append(Break(newer.message, name, way=newer.hint))
    return handles, unreadable


def _altered(account: Account, handles: Mapping[str, DeltaTable]) -> Iterator[Break]:
    """Tables that are not those which the ledger knows."""
    if is_foreign(account, ids_of(handles)):
        yield Break("its ledger is of another lake: it knows none of the tables", ledger.LEDGER)
        return
    for name, handle in handles.items():
        table_id, known = str(handle.metadata().id), account.table_ids.get(name)
        version, last = handle.version(), account.versions.get(name, -1)
        if known not in (None, table_id):
            yield Break(f"{name} is another table than the ledger knows ({table_id})", name)
        elif version < last:
            yield Break(f"{name} ends at version {version}, the ledger knows version {last}", name)


def _checkpoint(
    plan: QueryPlan, settings: Settings, account: Account
) -> tuple[Checkpoint | None, list[Break]]:
    """The checkpoint in force, and what keeps Spark from going on from it."""
    folder = settings.checkpoint_dir
    if not checkpoint.has_begun(folder, plan.name):
        begun = bool(account.reached or checkpoint.generations(folder, plan.name))
        return None, [Break("its checkpoint is gone", continuable=True)] if begun else []
    try:
        held = checkpoint.current(folder, plan.name)
        if held.path.exists():
            held.identity()
    except StreamError as error:
        return None, [Break(error.message, continuable=True)]
    damage = checkpoint.problems(held)
    return held, [Break(f"its checkpoint is damaged: {what}", continuable=True) for what in damage]


def _positions(plan: QueryPlan, account: Account, held: Checkpoint) -> Iterator[Break]:
    """Where a checkpoint goes on elsewhere than where the ledger ends."""
    done, begun = held.last_committed(), held.unfinished()
    at = held.starting if done is None else held.until(done)
    following = None if begun is None else held.until(begun)
    differing = _difference(plan, account, held, at)
    finished = following is not None and account.number == held.base + (begun or 0)
    if finished and following is not None and not _difference(plan, account, held, following):
        return
    if differing:
        yield Break(f"its checkpoint stands {differing}", continuable=True)
    elif account.app_id == _identity(plan, held) and account.number >= held.next_number():
        yield Break(
            f"its checkpoint goes on with batch {held.next_number()}, the ledger ends with {account.number}",
            continuable=True,
        )


def _unread(plan: QueryPlan, held: Checkpoint) -> Iterator[Break]:
    """Topics of a checkpoint that the query does not read; Spark would take their partitions for lost."""
    last = max((n for n in (held.last_committed(), held.unfinished()) if n is not None), default=-1)
    for topic in sorted(_others(plan, held.until(last))):
        yield Break(
            f"its checkpoint reads topic {topic}, which no job here reads", continuable=True
        )


def _others(plan: QueryPlan, names: Iterable[str]) -> set[str]:
    return set(names) - {topic.name for topic in plan.topics}


def _difference(plan: QueryPlan, account: Account, held: Checkpoint, at: Starting) -> str:
    """The first place at which offsets differ from the ledger's; empty: none.

    The clock is left out: a batch of nothing but ticks that changed nothing has no row.
    """
    for topic in (t.name for t in plan.topics if t.name != CLOCK):
        reached, begun = account.reached.get(topic, {}), held.starting.get(topic, {})
        for p in sorted({*reached, *at.get(topic, {})}, key=int):
            stands = max(0, at.get(topic, {}).get(p, 0))
            end = reached.get(p, max(0, begun.get(p, 0)))
            if stands != end:
                return f"at {topic}/{p} offset {stands}, the ledger ends at {end}"
    return ""


def _numbers(
    plan: QueryPlan,
    account: Account,
    handles: Mapping[str, DeltaTable],
    held: Checkpoint | None,
) -> Iterator[Break]:
    """Tables that hold batches of which neither ledger nor checkpoint knows."""
    app_id = _identity(plan, held)
    known = account.number + 1 if account.app_id == app_id else 0
    coming = max(known, held.next_number() if held else 0)
    begun = held.unfinished() if held else None
    allowed = None if held is None or begun is None else held.base + begun
    for name, handle in handles.items():
        number = handle.transaction_version(f"{app_id}:{name}")
        if number is not None and number >= coming and number != allowed:
            what = f"{name} holds batch {number}, of which the ledger knows nothing"
            yield Break(what, name, continuable=True)
        elif number is None and account.number < 0 and _is_read_anew(plan, held, name):
            in_parts = any(batch["number"] == allowed for batch in _batches(handle, app_id))
            unknown = 0 if in_parts else reading.count(handle, name)
            if unknown:
                yield Break(f"{name} has rows of which the ledger knows nothing: {unknown:,}", name)


def _identity(plan: QueryPlan, held: Checkpoint | None) -> str:
    if held is None:
        return plan.name
    return held.identity() if held.path.exists() else held.app_id or plan.name


def _is_read_anew(plan: QueryPlan, held: Checkpoint | None, table: str) -> bool:
    """Whether the topic of a raw table is read from its beginning."""
    topic = table.removeprefix("raw/")
    return topic in plan.mirrors and (held is None or topic not in held.starting)


def _replaced(
    plan: QueryPlan, account: Account, ids: Mapping[str, str], client: Mapping[str, str]
) -> Iterator[Break]:
    """Topics that are not those which were read, or that have lost their end."""
    read = {t.name: account.reached[t.name] for t in plan.topics if t.name in account.reached}
    ends = topics.end_offsets(client, read)
    for topic, reached in read.items():
        known, present = account.sources.get(topic, {}).get("id"), ids.get(topic)
        short = [p for p, offset in reached.items() if offset > ends[topic].get(p, 0)]
        if present is None and any(reached.values()):
            yield Break(f"topic {topic} is gone", topic)
        elif present is not None and known not in (None, present):
            yield Break(
                f"topic {topic} was deleted and made again (id {present}, read was {known})", topic
            )
        elif present is not None and short:
            end = f"{ends[topic].get(short[0], 0)} in partition {short[0]}"
            yield Break(
                f"topic {topic} ends at offset {end}, read was up to {reached[short[0]]}", topic
            )
