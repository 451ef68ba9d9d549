"""What a job is: its name, the topics that it mirrors and the tables that it keeps.

The SQL of a job is Spark SQL over named relations in braces. `{shelf_events}` is what is new on that
topic, `{cleansed_shelf_state}` the table of that name, `{touched_cleansed_shelf_state}` the keys of it
that the batch concerns, `{current}` the table that an update writes. The same text runs on Spark and,
through sqlglot, on DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from lakeshelf.contracts import CATALOG, Table
from lakeshelf.errors import ConfigurationError

Combine = Literal["sum", "min", "max"]
TIME, CLOCK, KEYS = "business_time", "clock", "keys"
VERSION = "version"
RELATION = re.compile(r"\{(\w+)\}")
TOUCHED = "touched_"


@dataclass(frozen=True)
class Movements:
    """Rows of a fold that follow from single events: a relation, a condition, and an expression a column.

    Attributes:
        source: A topic in braces, or a query over one.
        where: Which of its rows count.
        values: Column of the fold → expression over a row of the source; columns left out are neutral.
    """

    source: str
    values: Mapping[str, str]
    where: str = "true"


@dataclass(frozen=True)
class Fold:
    """A table that is a function of the *set* of events: movements, combined by key.

    Every column combines associatively and commutatively, so that neither the order of events nor how
    they fell into batches can be seen in the result (invariant I6).

    Attributes:
        table: Table that is kept.
        movements: What single events contribute.
        combine: How two values of a column become one.
        first: Columns that belong to the event with the smallest `first_by`.
        first_by: Columns that order events.
        derive: Columns that follow from the others.
        topic: Compacted topic that receives the changed rows.
    """

    kind: ClassVar[str] = "fold"

    table: str
    movements: tuple[Movements, ...]
    combine: Mapping[str, Combine]
    first: tuple[str, ...] = ()
    first_by: tuple[str, ...] = ()
    derive: Mapping[str, str] = field(default_factory=dict)
    topic: str | None = None


@dataclass(frozen=True)
class Latest:
    """A table that holds the message with the highest `version` of each key, tombstones as `deleted`.

    Attributes:
        table: Table that is kept.
        source: Compacted topic in braces.
    """

    kind: ClassVar[str] = "latest"

    table: str
    source: str
    topic: None = None


@dataclass(frozen=True)
class View:
    """A table that is computed from others for what the batch touched; only changed rows are written.

    Attributes:
        table: Table that is kept.
        sql: All rows of the touched keys.
        topic: Compacted topic that receives the changed rows, a tombstone for a removed one.
        removes: Whether the rows have a column `removed`, true for those that shall not be.
    """

    kind: ClassVar[str] = "view"

    table: str
    sql: str
    topic: str | None = None
    removes: bool = False


@dataclass(frozen=True)
class Emission:
    """Events that follow from rows that a decision has written; their ids derive from the rows.

    Attributes:
        topic: Append-only topic.
        sql: Its fields, from `{changed}`, the rows that were written and not removed.
    """

    topic: str
    sql: str


@dataclass(frozen=True)
class Scope:
    """What decisions of a batch are about, made once a batch for all of them.

    Attributes:
        name: Relation by which the decisions read it.
        keys: Keys that the batch concerns; without any, nothing is decided.
        sql: What is known of `{keys}`; None: no more than the keys.
    """

    name: str
    keys: str
    sql: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Its queries."""
        return (self.keys, self.sql or "")


@dataclass(frozen=True)
class DecisionView(View):
    """A view that follows business time: `{business_time}` is the latest tick, and without one nothing is decided.

    `{business_time}` has the columns `now`, `today`, `phase`, and three flags: `ticked`, a tick came with
    this batch; `rolled`, it began another day; `fresh`, nothing was decided before, so that every row
    has to be looked at. A decision waits until its query has read what its topics held when it
    started. The table has a column `updated_at`, by which the rows of a batch are found again after a
    crash.

    Attributes:
        emits: Events that follow.
        scope: What it is about; None: whatever its SQL says.
        conditions: The part of its SQL, named `conditions`, that says what holds of its scope; empty: none has a name.
    """

    kind: ClassVar[str] = "decision"

    emits: tuple[Emission, ...] = ()
    scope: Scope | None = None
    conditions: str = ""


Update = Fold | Latest | View


@dataclass(frozen=True)
class Objection:
    """Records that the contract lets in and that a job refuses for what its tables say.

    It is judged by the tables as the batch leaves them, which a repeat of the batch finds again.

    Attributes:
        topic: Whose records.
        reason: Name of the rule that they break.
        sql: `kafka_partition`, `kafka_offset` and `detail` of those refused, from the records of the batch.
        informed: Whether only a query may judge that has read what its topics held when it started.
    """

    topic: str
    reason: str
    sql: str
    informed: bool = False


@dataclass(frozen=True)
class Job:
    """A streaming job.

    Attributes:
        name: Its name, also that of its folder.
        doc: One sentence for lists and documentation.
        mirrors: Event topics whose raw tables the job owns.
        updates: Tables that it keeps, in order; a later one may read an earlier one.
        objections: What it refuses; the topics are those that its updates read.
        trigger_ms: How often a batch may start.
        awaited: Whether somebody waits for its tables. A batch computes, commits and publishes these, and what they
            read, before it appends to raw tables and goes on to others.
        own: Whether it is of a project, and not of the product.
    """

    name: str
    doc: str
    mirrors: tuple[str, ...] = ()
    updates: tuple[Update, ...] = ()
    objections: tuple[Objection, ...] = ()
    trigger_ms: int = 250
    awaited: bool = False
    own: bool = False

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that the job reads, sorted."""
        named = {name for update in self.updates for name in relations(update)}
        clock = {CLOCK} if TIME in named else set()
        return tuple(sorted((named & CATALOG.topics.keys()) | set(self.mirrors) | clock))

    @property
    def published(self) -> frozenset[str]:
        """Compacted topics that receive rows of the job's tables."""
        return frozenset(update.topic for update in self.updates if update.topic is not None)

    @property
    def emitted(self) -> frozenset[str]:
        """Append-only topics that receive events of the job."""
        decisions = (update for update in self.updates if isinstance(update, DecisionView))
        return frozenset(emission.topic for update in decisions for emission in update.emits)

    @property
    def foreign(self) -> frozenset[str]:
        """Tables of other jobs that the job reads."""
        read = (*self.updates, *self.objections)
        named = {name.removeprefix(TOUCHED) for part in read for name in relations(part)}
        return frozenset(t for t in CATALOG.tables if relation(t) in named) - set(self.tables)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the job owns: raw mirrors first, then what it keeps."""
        return (
            *(f"raw/{topic}" for topic in self.mirrors),
            *(update.table for update in self.updates),
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """Topics that the job reads, then tables of other jobs, each sorted."""
        return (*self.topics, *sorted(self.foreign))

    @property
    def publishes(self) -> tuple[str, ...]:
        """Topics that receive rows of its tables, or events that follow from its decisions; sorted."""
        return tuple(sorted(self.published | self.emitted))


def contract(update: Update) -> Table:
    """The contract of the table that an update keeps."""
    return CATALOG.tables[update.table]


def relation(table: str) -> str:
    """Name of a table in SQL: `cleansed/shelf_state` is `cleansed_shelf_state`."""
    return table.replace("/", "_")


def tables_by_relation() -> dict[str, Table]:
    """Tables by their name in SQL."""
    return {relation(name): table for name, table in CATALOG.tables.items()}


def relations(part: Update | Objection) -> frozenset[str]:
    """Names in braces that a part of a job reads."""
    if isinstance(part, Fold):
        return _named(*(movement.source for movement in part.movements))
    if isinstance(part, Latest):
        return _named(part.source)
    scope = part.scope if isinstance(part, DecisionView) else None
    if scope is None:
        return _named(part.sql)
    return _named(part.sql, *scope.texts) - {scope.name, KEYS}


def _named(*texts: str) -> frozenset[str]:
    return frozenset(name for text in texts for name in RELATION.findall(text))


def validate(job: Job) -> Job:
    """Return the job when every name in it is known.

    Raises:
        ConfigurationError: A relation, table or topic that no contract declares, a table that is kept twice or
            belongs to another, a column that a fold does not keep, or a sum over a topic whose repeats nobody
            recognises.
    """
    known = CATALOG.topics.keys() | tables_by_relation().keys() | {"current", TIME}
    for part in (*job.updates, *job.objections):
        for name in relations(part):
            if name.removeprefix(TOUCHED) not in known:
                raise ConfigurationError(
                    f"job {job.name} reads {{{name}}}, which no contract declares"
                )
    for name in job.tables:
        owner = CATALOG.tables[name].owner
        if owner != job.name:
            raise ConfigurationError(f"job {job.name} writes {name}, which {owner} owns")
        if job.tables.count(name) > 1:
            raise ConfigurationError(f"job {job.name} keeps {name} twice")
    for place, update in enumerate(job.updates):
        _require_columns(job, update)
        _require_recognised(job, update)
        _require_behind(job, update, job.updates[place + 1 :])
        _require_publishable(job, update)
    for topic in job.emitted:
        CATALOG.topics[topic]  # of an unknown one the catalogue tells the neighbours
    return job


def _require_columns(job: Job, update: Update) -> None:
    """Raise where a movement lacks a key, or says what no column takes; neither would be seen in the SQL."""
    if not isinstance(update, Fold):
        return
    place, key = f"job {job.name}: the fold of {update.table}", contract(update).key
    kept = {*key, *update.combine, *update.first, *update.first_by}
    for column in sorted(kept | update.derive.keys()):
        contract(update).column(column)  # of an unknown one the table tells which it has
    for movement in update.movements:
        if lacking := [column for column in key if column not in movement.values]:
            raise ConfigurationError(f"{place} has a movement without its key {lacking[0]}")
        if others := [column for column in movement.values if column not in kept]:
            raise ConfigurationError(
                f"{place} has a value for {others[0]}, which it does not combine"
            )
    for column, function in update.combine.items():
        if function not in get_args(Combine):
            ways = ", ".join(get_args(Combine))
            raise ConfigurationError(f"{place} combines {column} by {function}; there are {ways}")


def _require_behind(job: Job, update: Update, later: Sequence[Update]) -> None:
    """Raise where an update reads which keys of a table are touched before that table is made: there would be none."""
    for other in later:
        touched = TOUCHED + relation(other.table)
        if touched in relations(update):
            raise ConfigurationError(
                f"job {job.name}: the {update.kind} of {update.table} reads {{{touched}}}, which is made behind it",
                hint=f"declare {other.table} first",
            )


def _require_publishable(job: Job, update: Update) -> None:
    """Raise where rows would go out on a topic of somebody else, or without what its messages have."""
    if update.topic is None:
        return
    topic = CATALOG.topics[update.topic]
    place = f"job {job.name} publishes {update.table} on {topic.name}"
    if topic.owner != job.name:
        raise ConfigurationError(
            f"{place}, which {topic.owner} owns", hint="declare a topic that it owns"
        )
    fields = {field.name for field in topic.fields}
    columns = {column.name for column in contract(update).columns}
    if lacking := sorted(({VERSION} | fields) - (fields & columns)):
        raise ConfigurationError(
            f"{place} without {', '.join(lacking)}",
            hint=f"give the table a column {VERSION}, and declare the topic by `topics_state.rows_of`",
        )


def _require_recognised(job: Job, update: Update) -> None:
    """Raise where a record that is sent twice would be added twice."""
    if not isinstance(update, Fold) or "sum" not in update.combine.values():
        return
    for name in sorted(relations(update) & CATALOG.topics.keys()):
        if f"raw/{name}" not in CATALOG.tables:
            raise ConfigurationError(
                f"job {job.name} adds up {name} in {update.table}, but no raw table tells its repeats",
                hint=f"declare raw/{name} and a job that mirrors {name}, or combine by min and max alone",
            )
