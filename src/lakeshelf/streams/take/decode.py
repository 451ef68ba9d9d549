"""Kafka records to typed columns in the driver's process: what `parse` is for Spark, in DuckDB.

The same contract and the same mistrust: what is not certainly valid is `suspect`, and the reference
validator decides. A message in canonical form has the names and types of the contract; any other is
judged by its shape: `json_structure` tells names and types, the messages of a batch have few distinct
shapes, and each is compared with the contract once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import (
    BOOLEAN,
    CATALOG,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    ListOf,
    Topic,
)
from lakeshelf.contracts.model import KEY_SEPARATOR, nested
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.canonical import pattern
from lakeshelf.streams.take.parse import EVENT_YEARS, FIRST_YEAR, PLAIN_DATE, TIME_IN_UTC, VERSION

NOT_JSON_AFTER_ALL = r"(?i)nan|inf|,\s*[\]}]"
"""What DuckDB reads as JSON and the contract does not: NaN, Infinity, trailing commas."""

MOST_BYTES, MOST_OPENED = 64 * 1024, 256
"""Bytes and opening brackets of a message whose shape is looked for: `json_structure` recurses, and the
shapes that were judged are remembered. Whatever has more is judged by the contract."""
SHAPES_REMEMBERED = 4096

NUMBERS = {"UBIGINT", "BIGINT", "DOUBLE"}
READ_AS: dict[Any, str] = {
    STRING: "VARCHAR",
    DATE: "VARCHAR",
    TIMESTAMP: "VARCHAR",
    LONG: "HUGEINT",
    DOUBLE: "DOUBLE",
}
WRITTEN_AS: dict[Any, set[str]] = {
    STRING: {"VARCHAR"},
    DATE: {"VARCHAR"},
    TIMESTAMP: {"VARCHAR"},
    LONG: {"UBIGINT", "BIGINT"},
    DOUBLE: NUMBERS,
    BOOLEAN: {"BOOLEAN"},
}
LARGEST_LONG, LARGEST_DOUBLE = 2**63 - 1, 1.7976931348623157e308


def decode(duck: Duck, records: pa.Table, topics: Sequence[Topic]) -> pa.Table:
    """One row a record, in the columns of `lakeshelf.streams.take.parse.parse`.

    Args:
        duck: Engine.
        records: `topic`, `kafka_partition`, `kafka_offset`, `kafka_timestamp`, `original_key`,
            `original_value`, `producer`, `header_version`.
        topics: Topics that may occur.
    """
    shaped = duck.native(_shapes(tuple(topics)), records=records)
    distinct = duck.native(
        "SELECT DISTINCT topic, shape FROM shaped WHERE shape IS NOT NULL", shaped=shaped
    )
    fitting = [_judged(row["topic"], row["shape"]) for row in distinct.to_pylist()]
    shapes = pa.Table.from_pylist([row for row in fitting if row is not None], schema=_FITTING)
    present = frozenset(records["topic"].unique().to_pylist())
    return duck.native(_statement(tuple(topics), present), shaped=shaped, shapes=shapes)


_FITTING = pa.schema([("topic", pa.string()), ("shape", pa.string()), ("names", pa.int64())])


def _judged(topic: str, shape: str) -> dict[str, Any] | None:
    names = _fits(topic, shape)
    return None if names is None else {"topic": topic, "shape": shape, "names": names}


@cache
def _shapes(topics: tuple[Topic, ...]) -> str:
    canonical = " ".join(
        f"WHEN topic = '{t.name}' THEN regexp_full_match(text, '{pattern(t)}')" for t in topics
    )
    return f"""
        SELECT *, CASE
            WHEN NOT canonical AND {_BOUNDED} AND json_valid(text) AND NOT regexp_matches(text, '{NOT_JSON_AFTER_ALL}')
            THEN CAST(json_structure(text) AS VARCHAR) END AS shape
        FROM (SELECT *, coalesce(CASE {canonical} END, false) AS canonical
            FROM (SELECT *, TRY(decode(original_value)) AS text FROM records))"""


_BOUNDED = (
    f"strlen(text) <= {MOST_BYTES} "
    f"AND strlen(text) - strlen(translate(text, '{{[', '')) <= {MOST_OPENED}"
)


@lru_cache(SHAPES_REMEMBERED)
def _fits(topic: str, shape: str) -> int | None:
    """How many names a message of this shape has outside lists of objects; None if it does not fit."""
    try:
        read = json.loads(shape)
    except RecursionError:
        return None
    if not isinstance(read, dict) or not all(
        _field_fits(f, read) for f in CATALOG.topics[topic].fields
    ):
        return None
    return None if _too_deep(read) else _names(read, CATALOG.topics[topic])


def _field_fits(field: Field, shape: dict[str, Any]) -> bool:
    found = shape.get(field.name, "NULL")
    if found == "NULL":
        return not field.required
    if inner := nested(field):
        return found == ["NULL"] or (
            isinstance(found, list)
            and isinstance(found[0], dict)
            and all(_field_fits(f, found[0]) for f in inner)
        )
    if isinstance(field.type, ListOf):
        return False
    return isinstance(found, str) and found in WRITTEN_AS.get(field.type, NUMBERS)


def _too_deep(shape: dict[str, Any]) -> bool:
    """Whether something unknown nests: only flat unknown fields are certainly within the limits."""
    return any(isinstance(value, dict) for value in shape.values()) or any(
        isinstance(value, list) and any(isinstance(v, dict | list) and _nests(v) for v in value)
        for value in shape.values()
    )


def _nests(shape: Any) -> bool:
    parts = shape.values() if isinstance(shape, dict) else [shape]
    return any(isinstance(part, dict | list) for part in parts)


def _names(shape: dict[str, Any], topic: Topic) -> int | None:
    declared = {f.name for f in topic.fields if nested(f)}
    lists = {
        name
        for name, value in shape.items()
        if isinstance(value, list) and isinstance(value[0], dict)
    }
    return len(shape) if lists <= declared else None


@cache
def _statement(topics: tuple[Topic, ...], present: frozenset[str]) -> str:
    here = [topic for topic in topics if topic.name in present]
    raw = ", ".join(
        f"CASE WHEN s.topic = '{t.name}' AND (s.canonical OR f.names IS NOT NULL) "
        f"THEN json_transform(s.text, '{json.dumps(_read_as(t.fields))}') END AS {t.name}"
        for t in here
    )
    good = " ".join(f"WHEN topic = '{t.name}' THEN {_good(t)}" for t in here)
    good = good or "WHEN false THEN false"  # the first batch of an empty topic has no rows
    typed = ", ".join(
        f"CASE WHEN NOT suspect AND original_value IS NOT NULL AND topic = '{t.name}' THEN {_typed(t)} END AS {t.name}"
        if t.name in present
        else f"CAST(NULL AS {_struct_type(t.fields)}) AS {t.name}"
        for t in topics
    )
    compacted = ", ".join(f"'{t.name}'" for t in topics if t.compacted) or "NULL"
    return f"""
        WITH raw AS (
            SELECT s.*, f.names{", " if raw else ""}{raw}
            FROM shaped AS s LEFT JOIN shapes AS f ON f.topic = s.topic AND f.shape = s.shape),
        judged AS (SELECT *, NOT coalesce(CASE {good} ELSE false END, false) AS suspect FROM raw)
        SELECT topic, kafka_partition, kafka_offset, kafka_timestamp,
            CASE WHEN suspect THEN original_key END AS key,
            CASE WHEN topic IN ({compacted}) THEN TRY(decode(original_key)) END AS key_text,
            CASE WHEN suspect THEN original_value END AS value,
            suspect, original_value IS NULL AS tombstone, producer, header_version, {typed}
        FROM judged"""


def _read_as(fields: Sequence[Field]) -> dict[str, Any]:
    def one(field: Field) -> Any:
        if inner := nested(field):
            return [_read_as(inner)]
        if isinstance(field.type, ListOf):
            return [READ_AS[field.type.element]]
        return "BOOLEAN" if field.type == BOOLEAN else READ_AS.get(field.type, "VARCHAR")

    return {field.name: one(field) for field in fields}


def _good(topic: Topic) -> str:
    valid = " AND ".join(
        [
            f"CASE WHEN canonical THEN true ELSE names IS NOT NULL AND {_names_once(topic)} END",
            *(_field_good(f"{topic.name}.{f.name}", f) for f in topic.fields),
            *_rules_good(topic),
        ]
    )
    if not topic.compacted:
        return f"({valid})"
    key = "TRY(decode(original_key))"
    own = _key_fits(topic.key_only, key) if topic.key_only else f"{key} = {_key(topic)}"
    versioned = f"(header_version IS NULL OR header_version = {topic.name}.version::VARCHAR)"
    tombstone = (
        f"original_value IS NULL AND regexp_matches(header_version, '{VERSION}') "
        f"AND {_key_whole(topic, key)}"
    )
    return (
        f"({key} <> '' AND producer = '{topic.owner}' "
        f"AND (({tombstone}) OR ({valid} AND {versioned} AND {own})))"
    )


def _names_once(topic: Topic) -> str:
    return f"len(string_split(text, '\":')) - 1 = names{_names_in_lists(topic)}"


def _names_in_lists(topic: Topic) -> str:
    """Names in the objects of lists: as many as values were read, so none is unknown, null or given twice."""
    lists = ((f"{topic.name}.{f.name}", nested(f)) for f in topic.fields if nested(f))
    return "".join(
        f" + coalesce(list_sum(list_transform({name}, x -> "
        f"{' + '.join(f'(x.{i.name} IS NOT NULL)::INT' for i in inner)})), 0)"
        for name, inner in lists
    )


def _key(topic: Topic) -> str:
    if topic.fixed_key:
        return f"'{topic.fixed_key}'"
    parts = (f"{topic.name}.{name}" for name in topic.key)
    return f" || '{KEY_SEPARATOR}' || ".join(parts)


def _key_whole(topic: Topic, key: str) -> str:
    """Whether a key that no value confirms has all its parts."""
    if topic.fixed_key:
        return f"{key} = '{topic.fixed_key}'"
    if any(topic.field(name).type != STRING for name in topic.key):
        return "false"
    parts = f"string_split({key}, '{KEY_SEPARATOR}')"
    fitting = " AND ".join(
        f"length({parts}[{i + 1}]) <= {topic.field(name).longest}"
        for i, name in enumerate(topic.key)
    )
    return f"(len({parts}) = {len(topic.key)} AND NOT list_contains({parts}, '') AND {fitting})"


def _key_fits(fields: Sequence[Field], key: str) -> str:
    return " AND ".join(f"length({key}) <= {field.longest}" for field in fields)


def _field_good(name: str, field: Field) -> str:
    content = " AND ".join([*_content_good(name, field), "true"])
    if not field.required:
        return f"({name} IS NULL OR ({content}))"
    filled = f" AND {name} <> ''" if field.type == STRING else ""
    return f"({name} IS NOT NULL{filled} AND {content})"


def _content_good(name: str, field: Field) -> Iterator[str]:
    if inner := nested(field):
        yield f"len({name}) <= {field.most}"
        each = " AND ".join(_field_good(f"x.{i.name}", i) for i in inner)
        yield f"coalesce(list_bool_and(list_transform({name}, x -> coalesce(x IS NOT NULL AND {each}, false))), true)"
        return
    if field.most is not None:
        yield f"len({name}) <= {field.most}"
        yield f"coalesce(list_bool_and(list_transform({name}, x -> length(x) <= {field.longest})), true)"
        return
    if field.longest is not None and not field.enum:
        yield f"length({name}) <= {field.longest}"
    if field.type == LONG:
        yield f"{name} BETWEEN {-LARGEST_LONG - 1} AND {LARGEST_LONG}"
    if field.type == DOUBLE:
        yield f"abs({name}) <= {LARGEST_DOUBLE}"
    if field.type == TIMESTAMP:
        yield f"regexp_full_match({name}, '{TIME_IN_UTC}') AND TRY_CAST({name} AS TIMESTAMPTZ) IS NOT NULL"
    if field.type == DATE:
        yield f"regexp_full_match({name}, '{PLAIN_DATE}') AND TRY_CAST({name} AS DATE) IS NOT NULL"
    if field.type in (TIMESTAMP, DATE):
        yield f"{name} >= '{FIRST_YEAR}'"
    if isinstance(field.type, Decimal):
        yield f"TRY_CAST({name} AS {field.type}) IS NOT NULL"
    number = f"CAST({name} AS DOUBLE)" if isinstance(field.type, Decimal) else name
    if field.enum:
        yield f"{name} IN ({', '.join(map(repr, field.enum))})"
    if field.minimum is not None:
        yield f"{number} >= {field.minimum}"
    if field.maximum is not None:
        yield f"{number} <= {field.maximum}"


def _rules_good(topic: Topic) -> Iterator[str]:
    value = topic.name
    if topic.event_types:
        yield f"{value}.event_type IN ({', '.join(map(repr, topic.event_types))})"
    if any(f.name == "event_time" for f in topic.fields):
        yield f"{value}.event_time BETWEEN '{EVENT_YEARS[0]}' AND '{EVENT_YEARS[1]}'"
    for name, other in topic.equal:
        yield f"{value}.{name} = {value}.{other}"
    for name, inner in topic.unique:
        each = f"list_transform({value}.{name}, x -> x.{inner})"
        yield f"len(list_distinct({each})) = len({value}.{name})"
    for rule in topic.rules:
        held = [f"{value}.{name} IS NOT NULL" for name in rule.required]
        held += [
            f"{value}.{name} <> ''" for name in rule.required if topic.field(name).type == STRING
        ]
        for b in rule.bounds:
            nonzero = f" AND {value}.{b.field} <> 0" if b.nonzero else ""
            within = f"{value}.{b.field} BETWEEN {b.minimum} AND {b.maximum}{nonzero}"
            held.append(f"({value}.{b.field} IS NULL OR ({within}))")
        types = ", ".join(map(repr, rule.event_types))
        yield f"({value}.event_type NOT IN ({types}) OR ({' AND '.join(held)}))"


def _typed(topic: Topic) -> str:
    return _struct(topic.fields, topic.name)


def _struct(fields: Sequence[Field], of: str) -> str:
    return "{" + ", ".join(f"'{f.name}': {_cast(f, f'{of}.{f.name}')}" for f in fields) + "}"


def _cast(field: Field, name: str) -> str:
    if inner := nested(field):
        return f"list_transform({name}, x -> {_struct(inner, 'x')})"
    return f"TRY_CAST({name} AS {_type(field)})"


def _type(field: Field) -> str:
    if inner := nested(field):
        return f"{_struct_type(inner)}[]"
    if isinstance(field.type, ListOf):
        return "VARCHAR[]"
    names: dict[Any, str] = {STRING: "VARCHAR", TIMESTAMP: "TIMESTAMPTZ"}
    return names.get(field.type, str(field.type))


def _struct_type(fields: Sequence[Field]) -> str:
    return "STRUCT(" + ", ".join(f'"{f.name}" {_type(f)}' for f in fields) + ")"
