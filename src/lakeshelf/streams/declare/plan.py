"""Which queries run: jobs that share an event topic, or of which one reads what another keeps, share one.

So a topic is parsed and cleared of duplicates once, and what a job publishes need not come back through
Kafka to the next job. Events that a job emits do come back: `raw` mirrors them like all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.errors import ConfigurationError
from lakeshelf.streams.declare.job import Job, Latest, Objection, Update
from lakeshelf.streams.declare.urgency import Ordered, ordered


@dataclass(frozen=True)
class QueryPlan:
    """One streaming query: the jobs fused into it.

    Attributes:
        jobs: Jobs, owners of raw tables first.
    """

    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """Name of the query, for checkpoints, ledger and status: that of its first job."""
        return self.jobs[0].name

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Topics that the query subscribes to: what its jobs read and none of them publishes."""
        read = {topic for job in self.jobs for topic in job.topics}
        return tuple(CATALOG.topics[name] for name in sorted(read - self.published))

    @property
    def published(self) -> frozenset[str]:
        """Topics that receive rows of the query's tables."""
        return frozenset(topic for job in self.jobs for topic in job.published)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Event topics that the query mirrors."""
        return tuple(topic for job in self.jobs for topic in job.mirrors)

    @cached_property
    def ordered(self) -> Ordered:
        """Tables that the query keeps, in the order in which they are made."""
        return ordered(self.jobs)

    @property
    def updates(self) -> tuple[Update, ...]:
        """All tables that the query keeps, in that order."""
        return (*self.ordered.now, *self.ordered.later)

    @property
    def objections(self) -> tuple[Objection, ...]:
        """What the query refuses for what its tables say."""
        return tuple(objection for job in self.jobs for objection in job.objections)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the query writes."""
        return tuple(table for job in self.jobs for table in job.tables)

    @property
    def trigger_ms(self) -> int:
        """How often a batch may start: as its most eager job asks."""
        return min(job.trigger_ms for job in self.jobs)

    def latest(self, topic: str) -> Latest | None:
        """The update that holds the messages of a compacted topic, if there is one."""
        held = (u for u in self.updates if isinstance(u, Latest) and u.source == f"{{{topic}}}")
        return next(held, None)


def plan(jobs: Iterable[Job]) -> tuple[QueryPlan, ...]:
    """Fuse jobs that share an event topic.

    Raises:
        ConfigurationError: A job reads an event topic or a table whose owner is not among the jobs.
    """
    groups: list[list[Job]] = []
    for job in jobs:
        joined = [group for group in groups if any(_share(job, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(other for group in joined for other in group), job])
    plans = tuple(QueryPlan(_in_order(group)) for group in groups)
    for query in plans:
        _require_owners(query)
    return tuple(sorted(plans, key=lambda p: p.name))


def require_whole(queries: Iterable[QueryPlan], every: Iterable[QueryPlan]) -> None:
    """Refuse some jobs of a query without the others: another driver could take the query over with other jobs.

    Args:
        queries: Those that are to run.
        every: Those of all jobs.

    Raises:
        ConfigurationError: A query lacks jobs.
    """
    whole = {query.name: {job.name for job in query.jobs} for query in every}
    for query in queries:
        names = {job.name for job in query.jobs}
        other = next((jobs for jobs in whole.values() if names < jobs), None)
        if other is not None:
            raise ConfigurationError(
                f"{', '.join(sorted(names))} share a query with {', '.join(sorted(other - names))}",
                hint="name them all, or no job: drivers of a lake in a bucket divide whole queries",
            )


def _share(one: Job, other: Job) -> bool:
    events = {topic for topic in one.topics if not CATALOG.topics[topic].compacted}
    return bool(events & set(other.topics) or _reads(one, other) or _reads(other, one))


def _reads(one: Job, other: Job) -> bool:
    return bool(other.published & set(one.topics) or one.foreign & set(other.tables))


def _in_order(group: list[Job]) -> tuple[Job, ...]:
    """Jobs so that each comes behind those whose topics it reads; else owners of raw tables and eager ones first.

    Jobs of a project come behind all others, so that the query keeps its name and with it its checkpoint.
    """
    waiting = sorted(group, key=lambda job: (job.own, not job.mirrors, job.trigger_ms, job.name))
    ordered: list[Job] = []
    while waiting:
        chosen = next(
            (job for job in waiting if not any(_reads(job, w) for w in waiting if w is not job)),
            waiting[0],
        )
        waiting.remove(chosen)
        ordered.append(chosen)
    return tuple(ordered)


def _require_owners(query: QueryPlan) -> None:
    absent = dict((*_absent_mirrors(query), *_absent_tables(query)))
    if absent:
        raise ConfigurationError(
            next(iter(absent.values())), hint=f"run it together with {', '.join(sorted(absent))}"
        )


def _absent_mirrors(query: QueryPlan) -> Iterator[tuple[str, str]]:
    """Jobs that the query lacks, each with why: they recognise the duplicates of what it reads."""
    for topic in query.topics:
        if f"raw/{topic.name}" in CATALOG.tables and topic.name not in query.mirrors:
            owner = CATALOG.tables[f"raw/{topic.name}"].owner
            readers = ", ".join(job.name for job in query.jobs if topic.name in job.topics)
            yield owner, f"{readers} reads {topic.name}, whose duplicates {owner} recognises"


def _absent_tables(query: QueryPlan) -> Iterator[tuple[str, str]]:
    """Jobs that the query lacks, each with why: they keep tables that it reads."""
    for job in query.jobs:
        for table in sorted(job.foreign.difference(query.tables)):
            owner = CATALOG.tables[table].owner
            yield owner, f"{job.name} reads {table}, which {owner} keeps"
