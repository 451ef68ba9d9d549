"""What a contract is made of: fields, topics, tables.

Everything is data and frozen. A declaration that cannot be raises `ContractError` when it is
made, so a catalogue that imports is a catalogue that holds together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lakeshelf.contracts.types import (
    DATE,
    NAME,
    TIMESTAMP,
    Field,
    ListOf,
    Struct,
    require,
)
from lakeshelf.errors import ContractError

Cleanup = Literal["delete", "compact"]
Profile = Literal["append_log", "state", "shared", "spark_only"]

CLEANUPS: tuple[Cleanup, ...] = ("delete", "compact")
PROFILES: tuple[Profile, ...] = ("append_log", "state", "shared", "spark_only")
KEY_SEPARATOR = "::"
WEEK_MS = 7 * 24 * 3600 * 1000
EVENT_YEARS = (2000, 2100)
"""First and last calendar year, UTC, that an `event_time` may lie in."""

_TABLE = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_IN_BRACES = re.compile(r"\{([a-z_]+/[a-z_]+)\}")


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value of a field, and whether zero is among them."""

    field: str
    minimum: int
    maximum: int
    nonzero: bool = False


@dataclass(frozen=True)
class Rule:
    """What holds beyond the fields' declarations for messages of some event types.

    Attributes:
        event_types: The event types it is about.
        required: Fields that such a message must have although others need not.
        bounds: Tighter bounds of its numbers.
    """

    event_types: tuple[str, ...]
    required: tuple[str, ...] = ()
    bounds: tuple[Bounds, ...] = ()


@dataclass(frozen=True)
class Topic:
    """One Kafka topic; values are JSON objects.

    Attributes:
        name: Name of the topic.
        key: Names whose values, joined by `::`, are the record's key; empty with `fixed_key`.
        cleanup: `delete` (append-only) or `compact` (latest value a key).
        owner: Who alone publishes a compacted key; `any` for a topic with many producers.
        fields: Fields of the value, in the order of the reference.
        doc: One paragraph.
        partitions: Partitions at creation.
        retention_ms: How long an append-only topic keeps a record.
        event_types: All event types; empty: any.
        rules: Conditions by event type.
        key_only: Fields that stand in the key and not in the value.
        fixed_key: The one key of a topic that has a single value.
        max_message_bytes: Largest record, where Kafka's default does not do.
        equal: Pairs of fields that always have the same value.
        unique: (list, field of its elements): no two elements of the list share a value.
        within: (time, earlier date, days): the first lies so many days after the second began, at most.
    """

    name: str
    key: tuple[str, ...]
    cleanup: Cleanup
    owner: str
    fields: tuple[Field, ...]
    doc: str
    partitions: int = 1
    retention_ms: int | None = None
    event_types: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    key_only: tuple[Field, ...] = ()
    fixed_key: str = ""
    max_message_bytes: int | None = None
    equal: tuple[tuple[str, str], ...] = ()
    unique: tuple[tuple[str, str], ...] = ()
    within: tuple[tuple[str, str, int], ...] = ()

    def __post_init__(self) -> None:
        where = f"topic {self.name}"
        require(bool(NAME.fullmatch(self.name)), f"{where!r} has no usable name")
        require(self.cleanup in CLEANUPS, f"{where}: no cleanup policy {self.cleanup}")
        require(bool(self.owner and self.doc and self.fields), f"{where} lacks owner, doc, fields")
        require(self.partitions > 0, f"{where} has {self.partitions} partitions")
        require(bool(self.key) != bool(self.fixed_key), f"{where} needs one of key, fixed_key")
        _unique(where, self.key_only + self.fields)
        _known(where, self.key, self.key_only + self.fields)
        _check_rules(self)
        require(
            (self.cleanup == "delete") == (self.retention_ms is not None),
            f"{where} ({self.cleanup}) has retention_ms {self.retention_ms}",
        )

    @property
    def compacted(self) -> bool:
        """Whether the topic keeps the latest value of each key."""
        return self.cleanup == "compact"

    def key_of(self, row: Mapping[str, object]) -> str:
        """The record's key for a row or message that has the key's fields."""
        return self.fixed_key or KEY_SEPARATOR.join(str(row[name]) for name in self.key)

    def field(self, name: str) -> Field:
        """The field of that name.

        Raises:
            ContractError: The topic has no such field.
        """
        return _named(f"topic {self.name}", self.key_only + self.fields, name)


@dataclass(frozen=True)
class Table:
    """One Delta table.

    Attributes:
        name: Folder below the lake's root, `layer/name`.
        key: Columns that identify a row.
        owner: The one process that writes it.
        columns: Columns in the order of the table; internal ones last.
        doc: One paragraph.
        partition_by: Partition columns.
        profile: `append_log` (rows are only added), `state` (a commit every few hundred
            milliseconds replaces rows), `shared` (written seldom, history and change feed kept),
            `spark_only` (written by Spark alone, with deletion vectors; everybody reads it).
        topic: The topic that the table mirrors or feeds.
        constraints: (name, SQL) of checks that bounds and enums of columns do not say.
        stats: Further columns that file statistics are kept of, beside the key.
    """

    name: str
    key: tuple[str, ...]
    owner: str
    columns: tuple[Field, ...]
    doc: str
    partition_by: tuple[str, ...] = ()
    profile: Profile = "state"
    topic: str | None = None
    constraints: tuple[tuple[str, str], ...] = ()
    stats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"table {self.name}"
        require(bool(_TABLE.fullmatch(self.name)), f"{where!r} has no usable name")
        require(self.profile in PROFILES, f"{where}: no profile {self.profile}")
        require(bool(self.owner and self.doc and self.key), f"{where} lacks owner, doc or key")
        _unique(where, self.columns)
        _known(where, self.key + self.partition_by + self.stats, self.columns)
        flags = [column.internal for column in self.columns]
        require(flags == sorted(flags), f"{where}: internal columns come last")
        names = [name for name, _ in self.constraints]
        require(len(set(names)) == len(names), f"{where} names a constraint twice")

    @property
    def public(self) -> tuple[Field, ...]:
        """Columns that readers may rely on and messages carry."""
        return tuple(column for column in self.columns if not column.internal)

    def column(self, name: str) -> Field:
        """The column of that name.

        Raises:
            ContractError: The table has no such column.
        """
        return _named(f"table {self.name}", self.columns, name)


@dataclass(frozen=True)
class View:
    """A query over tables that analysts read like a table; nothing of it is stored.

    Attributes:
        name: `layer/name`, as of a table.
        columns: Columns in the order of the query.
        doc: One paragraph.
        sql: The query, in the dialect of `lakeshelf sql`; tables stand in braces.
    """

    name: str
    columns: tuple[Field, ...]
    doc: str
    sql: str

    def __post_init__(self) -> None:
        where = f"view {self.name}"
        require(bool(_TABLE.fullmatch(self.name)), f"{where!r} has no usable name")
        require(bool(self.doc and self.tables), f"{where} lacks doc or tables")
        _unique(where, self.columns)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that it reads."""
        return tuple(dict.fromkeys(_IN_BRACES.findall(self.sql)))

    def over(self, relations: Mapping[str, str]) -> str:
        """The query over relations: table → what stands for it."""
        return _IN_BRACES.sub(lambda match: relations[match[1]], self.sql)


def nested(field: Field) -> tuple[Field, ...]:
    """Fields of the elements of a list of objects; empty for any other field."""
    if isinstance(field.type, ListOf) and isinstance(field.type.element, Struct):
        return field.type.element.fields
    return ()


def without(fields: Iterable[Field], *names: str) -> tuple[Field, ...]:
    """The fields but for those named."""
    return tuple(field for field in fields if field.name not in names)


def _unique(where: str, fields: tuple[Field, ...]) -> None:
    names = [field.name for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"{where} declares {', '.join(twice)} twice")


def _known(where: str, names: Iterable[str], fields: tuple[Field, ...]) -> None:
    missing = sorted(set(names) - {field.name for field in fields})
    require(not missing, f"{where} names {', '.join(missing)}, which it does not declare")


def _check_rules(topic: Topic) -> None:
    where = f"topic {topic.name}"
    _known(where, (name for pair in topic.equal for name in pair), topic.fields)
    for later, earlier, _ in topic.within:
        _known(where, (later, earlier), topic.fields)
        types = (topic.field(later).type, topic.field(earlier).type)
        require(types == (TIMESTAMP, DATE), f"{where}: {later} is no time within days of {earlier}")
    for name, inner in topic.unique:
        _known(where, (name,), topic.fields)
        _known(f"{where}.{name}", (inner,), nested(topic.field(name)))
    for rule in topic.rules:
        _known(where, (*rule.required, *(b.field for b in rule.bounds)), topic.fields)
        unknown = sorted(set(rule.event_types) - set(topic.event_types))
        require(not unknown, f"{where} has a rule for event type {', '.join(unknown)}")


def _named(where: str, fields: tuple[Field, ...], name: str) -> Field:
    for field in fields:
        if field.name == name:
            return field
    known = ", ".join(field.name for field in fields)
    raise ContractError(f"{where} has no {name}", hint=f"it has {known}")
