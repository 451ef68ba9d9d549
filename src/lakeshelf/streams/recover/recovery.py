"""Ways out: fold everything again from `raw`, or go on behind records that retention has deleted.

Both need the jobs to be stopped; they take the driver's leases themselves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.errors import ConfigurationError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.place import folders, storage
from lakeshelf.lake.place.leases import Tenure
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import reading, tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import Updater
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.job import Fold, Job, Latest
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.recover import doubles, restart
from lakeshelf.streams.recover.restart import RestartPlace
from lakeshelf.streams.resume import checkpoint, continuity, leasing
from lakeshelf.streams.resume.continuity import Standing
from lakeshelf.streams.resume.starting import rebuild_marker
from lakeshelf.streams.run.runner import Driver
from lakeshelf.streams.take import refusal
from lakeshelf.streams.take.duplicates import PLACE
from lakeshelf.streams.take.refusal import QUARANTINE

Report = Callable[[str, int, int], None]
"""Called with what is being folded, rows done, rows in all."""
CHUNK_ROWS = 500_000
ASIDE = "_aside"
"""Folder of the lake for tables that are not its own."""
FOLDED_BESIDES = (Ops.STOCK_DISCREPANCIES, Curated.PRODUCT_TOTAL_STATE)
CAUSES_FIRST = ("wh_events", "shelf_events", "pos_transactions")
"""Goods leave the back room before they reach a shelf, and a shelf before they are paid for."""


@dataclass(frozen=True)
class Rebuilt:
    """Result of a rebuild.

    Attributes:
        folded: Rows of raw that were folded.
        rows: Table → rows afterwards.
        seconds: How long it took.
        aside: Where tables of raw lie now that belonged to another lake.
    """

    folded: int
    rows: Mapping[str, int]
    seconds: float
    aside: tuple[str, ...] = ()


def require_stopped(settings: Settings, jobs: Iterable[Job]) -> None:
    """Refuse before anything is started what a recovery would refuse.

    Raises:
        LakeError: The jobs are running.
    """
    driver = Driver(jobs, settings, {})
    driver.acquire(unfinished_rebuild=True)
    driver.release()


def rebuild(
    settings: Settings,
    jobs: Iterable[Job],
    report: Report = lambda *_: None,
    client: Mapping[str, str] | None = None,
    *,
    accept_loss: bool = False,
) -> Rebuilt:
    """Drop what the jobs keep and fold it again from the rows of `raw` that are not read again from Kafka.

    Every query goes on at exactly the offsets up to which `raw` was folded. A rebuild that was
    interrupted is noticed by the next start of the jobs, and begins from scratch when repeated.

    Args:
        settings: The lake.
        jobs: All jobs of the lake.
        report: Progress.
        client: librdkafka settings that reach the broker; None: topics are as they were.
        accept_loss: Go on without rows that neither `raw` nor Kafka has any more.

    Raises:
        LakeError: The jobs are running.
        StreamError: `raw` lacks rows that Kafka no longer has.
    """
    started = time.perf_counter()
    driver = Driver(jobs, settings, {})
    driver.acquire(unfinished_rebuild=True)
    try:
        marker = rebuild_marker(settings)
        for name in (ledger.LEDGER, QUARANTINE, *_kept(driver.plans)):
            tables.ensure(settings.lake_root, CATALOG.tables[name])
        standings = [continuity.examine(plan, settings, client) for plan in driver.plans]
        places = [
            restart.place(plan, settings.lake_root, standing, client, accept_loss=accept_loss)
            for plan, standing in zip(driver.plans, standings, strict=True)
        ]
        folders.write(marker, json.dumps({"started_at": time.time()}).encode())
        aside = _set_aside(Root.at(settings.lake_root), standings)
        standings = [standing.without(aside) for standing in standings]
        folded = sum(
            _rebuild_query(plan, settings, report, standing, place, driver.tenure(plan.name))
            for plan, standing, place in zip(driver.plans, standings, places, strict=True)
        )
        driver.require_terms()
        marker.unlink()
    finally:
        driver.release()
    kept = [update.table for plan in driver.plans for update in plan.updates]
    rows = {name: tables.row_count(settings.lake_root, name) for name in kept}
    return Rebuilt(folded, rows, time.perf_counter() - started, tuple(aside.values()))


def _set_aside(root: Root, standings: Iterable[Standing]) -> dict[str, str]:
    """Move tables of raw that are of another lake out of the way: table → where it is now."""
    foreign = {
        name: f"{ASIDE}/{name}-{standing.table_ids[name]}"
        for standing in standings
        for name in standing.foreign
        if name.startswith("raw/") and tables.row_count(root, name)
    }
    for name, place in foreign.items():
        storage.set_aside(root, name, place)
        tables.ensure(root, CATALOG.tables[name])
    return foreign


def accept_gap(
    settings: Settings, jobs: Iterable[Job], client: Mapping[str, str], query: str
) -> ledger.Offsets:
    """Let a query go on behind records that retention deleted before it read them; the ledger says which.

    Returns:
        Topic → partition → offsets (from, until) that are lost; empty when nothing is.

    Raises:
        ConfigurationError: No such query.
        StreamError: Its tables are ahead of its ledger, so that the gap cannot be told.
    """
    driver = Driver(jobs, settings, client)
    plan = next((p for p in driver.plans if query in (p.name, *(job.name for job in p.jobs))), None)
    if plan is None:
        raise ConfigurationError(
            f"no query {query!r}", hint=f"there is {', '.join(p.name for p in driver.plans)}"
        )
    driver.acquire()
    try:
        return _accept_gap(plan, settings, client, driver.tenure(plan.name))
    finally:
        driver.release()


def _require(tenure: Tenure | None) -> None:
    """Go on only while the term lasts; errors as for `QueryLease.require`."""
    if tenure is not None:
        tenure.require()


def _accept_gap(
    plan: QueryPlan, settings: Settings, client: Mapping[str, str], tenure: Tenure | None
) -> ledger.Offsets:
    names = [topic.name for topic in plan.topics]
    reached = {name: ledger.reached(settings.lake_root, name, plan.name) for name in names}
    standing = continuity.examine(plan, settings)
    _require_nothing_ahead(plan, standing)
    first = topics.first_offsets(client, names)
    starting = {
        name: {p: max(offset, reached[name].get(p, 0)) for p, offset in parts.items()}
        for name, parts in first.items()
    }
    gap = {
        name: {
            p: (reached[name].get(p, 0), end)
            for p, end in parts.items()
            if end > reached[name].get(p, 0)
        }
        for name, parts in starting.items()
        if not CATALOG.topics[name].compacted
    }
    lost = {name: parts for name, parts in gap.items() if parts}
    if lost:
        app_id = standing.app_id or plan.name
        number = standing.next_number(app_id)
        _require(tenure)
        begun = checkpoint.begin(settings.checkpoint_dir, plan.name, starting, app_id, number)
        _note(settings, plan, tenure, ledger.GAP, f"gap:{begun.path.name}:{number}", lost)
    return lost


def _require_nothing_ahead(plan: QueryPlan, standing: Standing) -> None:
    """Refuse where a table holds a batch of the present checkpoint that the ledger lacks."""
    base = standing.checkpoint.base if standing.checkpoint else 0
    done = max(standing.account.number, base - 1)
    for name, number in standing.written(standing.app_id or plan.name).items():
        if number > done:
            raise StreamError(
                f"{name} holds batch {number}, the ledger of {plan.name} ends at {done}",
                hint="run `lakeshelf rebuild` first",
            )


def _rebuild_query(
    plan: QueryPlan,
    settings: Settings,
    report: Report,
    standing: Standing,
    place: RestartPlace,
    tenure: Tenure | None,
) -> int:
    root = Root.at(settings.lake_root)
    app_id = standing.app_id or plan.name
    number = standing.next_number(app_id)
    following = _following(plan)
    for name in plan.tables:
        if name in following:
            _require(tenure)
            storage.remove(root, name)
        tables.ensure(root, CATALOG.tables[name])
    if tenure is not None:
        leasing.fence(plan, settings, tenure.lease)  # tables that were made again have no term
    for topic in plan.mirrors:
        doubles.remove(tables.open_table(root, f"raw/{topic}"), f"raw/{topic}")
    folded = _fold(plan, root, place, report, tenure) if plan.updates else 0
    _require(tenure)
    starting = {topic: parts for topic, parts in place.starting.items() if parts}
    begun = checkpoint.begin(settings.checkpoint_dir, plan.name, starting, app_id, number)
    offsets = {
        topic: {p: (0, end) for p, end in parts.items()} for topic, parts in starting.items()
    }
    handles = {name: tables.open_table(root, name) for name in (*plan.tables, QUARANTINE)}
    known = replace(standing, handles=handles)
    _note(
        settings,
        plan,
        tenure,
        ledger.REBUILD,
        f"rebuild:{begun.path.name}:{number}",
        offsets,
        table_versions={name: handle.version() for name, handle in handles.items()},
        table_ids=known.table_ids,
        sources=known.sources(place.earlier),
    )
    return folded


def _kept(plans: Iterable[QueryPlan]) -> list[str]:
    """Tables that a rebuild does not drop, so that they have to be readable."""
    return [name for plan in plans for name in plan.tables if name not in _following(plan)]


def _following(plan: QueryPlan) -> frozenset[str]:
    """Tables of a query that a rebuild drops, since folding again fills them; what was decided stays."""
    folded = {update.table for update in plan.updates if isinstance(update, Fold | Latest)}
    layers = {name for name in plan.tables if name.startswith(("cleansed/", "staging/"))}
    return frozenset(folded | layers | set(FOLDED_BESIDES))


def _fold(
    plan: QueryPlan, root: Root, place: RestartPlace, report: Report, tenure: Tenure | None
) -> int:
    committer = DriverCommitter(root, 0, tenure=tenure)
    app_id = f"rebuild:{time.time_ns()}"
    total, done = sum(tables.row_count(root, f"raw/{topic}") for topic in plan.mirrors), 0
    for number, (topic, rows) in enumerate(_chunks(plan, root, place)):
        relations = {t.name: intake.schema(t).empty_table() for t in plan.topics} | {topic: rows}
        latest = pc.max(rows["kafka_timestamp"]).as_py() or datetime.now(UTC)

        def txn(table: str, number: int = number) -> Txn:
            return Txn(f"{app_id}:{table}", number)

        updater = Updater(Sink(committer, committer), relations, frozenset({topic}), latest, txn)
        for update in plan.updates:
            updater.apply(update)
        committer.settle()
        done += rows.num_rows
        report(plan.name, done, total)
    return done


def _chunks(plan: QueryPlan, root: Root, place: RestartPlace) -> Iterator[tuple[str, pa.Table]]:
    """Rows of raw that are not read again, some days at a time, topic by topic."""
    rest = sorted(set(plan.mirrors).difference(CAUSES_FIRST))
    for topic in (*(t for t in CAUSES_FIRST if t in plan.mirrors), *rest):
        handle, isolated = tables.open_table(root, f"raw/{topic}"), refusal.isolated(root, topic)
        adds = added(handle, flatten=True)
        for days in _days(adds):
            among = [("event_date", ">=", days[0]), ("event_date", "<=", days[1])]
            rows = reading.rows(handle, f"raw/{topic}", where=among)
            rows = rows.filter(_not_among(rows, isolated))
            covered = rows.filter(_covered(rows, place, topic)).select(
                intake.schema(CATALOG.topics[topic]).names
            )
            if covered.num_rows:
                yield topic, covered.cast(intake.schema(CATALOG.topics[topic]))


def _days(adds: pa.Table) -> Iterator[tuple[date, date]]:
    counted = (
        adds.group_by("partition.event_date")
        .aggregate([("num_records", "sum")])
        .sort_by("partition.event_date")
    )
    days, rows = counted["partition.event_date"].to_pylist(), counted["num_records_sum"].to_pylist()
    first, size = None, 0
    for day, number in zip(days, rows, strict=True):
        first, size = (day if first is None else first), size + number
        if size >= CHUNK_ROWS or day == days[-1]:
            yield first, day
            first, size = None, 0


def _covered(rows: pa.Table, place: RestartPlace, topic: str) -> pa.Array:
    """Whether each row of raw stands where Kafka is not read again."""
    return pa.array(
        [
            place.covers(topic, *row)
            for row in zip(*(rows[name].to_pylist() for name in PLACE), strict=True)
        ],
        pa.bool_(),
    )


def _not_among(rows: pa.Table, isolated: frozenset[tuple[Any, ...]]) -> pa.Array:
    if not isolated:
        return pa.repeat(True, rows.num_rows)
    places = zip(*(rows[f.name].to_pylist() for f in intake.POSITION), strict=True)
    return pa.array([place not in isolated for place in places], pa.bool_())


def _note(
    settings: Settings,
    plan: QueryPlan,
    tenure: Tenure | None,
    kind: str,
    query_id: str,
    offsets: ledger.Offsets,
    **known: Any,
) -> None:
    books = DriverCommitter(settings.lake_root, 0, shared=True, tenure=tenure)
    entry = ledger.LedgerEntry(
        query_id=f"{plan.name}:{query_id}",
        batch_id=0,
        query=plan.name,
        kind=kind,
        offsets=offsets,
        counts={},
        duration_ms=0,
        committer="driver",
        committed_at=datetime.now(UTC),
        **{"table_versions": {}, **known},
    )
    books.append(ledger.LEDGER, entry.row(), Txn(f"{entry.query_id}:{ledger.LEDGER}", 0))
    books.settle()
