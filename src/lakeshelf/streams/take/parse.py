"""Kafka records to typed columns: a pure transformation that Spark runs.

`from_json` accepts more than the contract does (a number for a string, what follows the object, times
without a zone). Whatever this fast path is not sure of is `suspect` and goes, as it came, to the
reference validator `lakeshelf.contracts.validate`, which alone decides; the fast path may suspect too
much, never too little. One thing is not looked at, as it costs a search of the whole text: a number
beyond DOUBLE where its value does not count, in a field that the contract does not declare or in
one that is written twice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from lakeshelf.contracts import (
    DATE,
    DOUBLE,
    STRING,
    TIMESTAMP,
    Bounds,
    Decimal,
    Field,
    ListOf,
    Topic,
)
from lakeshelf.contracts.derived.spark import data_type
from lakeshelf.contracts.model import KEY_SEPARATOR, nested

POSITION = ("topic", "kafka_partition", "kafka_offset", "kafka_timestamp")
TIME_IN_UTC = r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$"
PLAIN_DATE = r"^\d{4}-\d\d-\d\d\z"
NOT_WRITTEN_AS_TEXT = r"^([\[{]|(-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false)$)"
BEYOND_DOUBLE = ("Infinity", "-Infinity", '"Infinity"', '"-Infinity"')
FIRST_YEAR = "0001"
CORRUPT = "_corrupt"
EVENT_YEARS = ("2000", "2100")


def received(records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
    """Kafka records as they came: what is parsed elsewhere.

    Args:
        records: Columns of Spark's Kafka source, `headers` included when a topic is compacted.
        topics: Topics that may occur.

    Returns:
        `topic`, `kafka_partition`, `kafka_offset`, `kafka_timestamp`, `original_key`, `original_value`,
        `producer` and `header_version` (null on events).
    """
    return _with_headers(records, topics).select(
        "topic",
        F.col("partition").cast("bigint").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("kafka_timestamp"),
        F.col("key").alias("original_key"),
        F.col("value").alias("original_value"),
        "producer",
        "header_version",
    )


def originals(batch: DataFrame) -> list[dict[str, Any]]:
    """Records of a batch as they came: where they stood, `key` and `value`."""
    key, value = (F.col(f"original_{name}").alias(name) for name in ("key", "value"))
    records: list[dict[str, Any]] = batch.select(*POSITION, key, value).toArrow().to_pylist()
    return records


def parse(records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
    """Records of Spark's Kafka source, `headers` included when a topic is compacted; see `parsed`."""
    return parsed(received(records, topics), topics)


def parsed(records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
    """One row a record, with a struct column a topic that is null on records of other topics.

    Args:
        records: What `received` gives.
        topics: Topics that may occur.

    Returns:
        `topic`, `kafka_partition`, `kafka_offset`, `kafka_timestamp`; `key` and `value` (null unless suspect),
        `original_key`, `original_value`; `bytes` of the value; `suspect`; `key_text`, `producer` and
        `header_version` (null on events); and a struct a topic.
    """
    read = records.withColumns(
        {
            "key": F.col("original_key"),
            "value": F.col("original_value"),
            "text": F.col("original_value").cast("string"),
        }
    )
    for topic in topics:
        read = read.withColumn(topic.name, F.when(F.col("topic") == topic.name, _from_json(topic)))
    judged = read.withColumn("suspect", ~F.coalesce(_any_good(topics), F.lit(False)))
    compacted = F.col("topic").isin([topic.name for topic in topics if topic.compacted])
    return judged.select(
        *POSITION,
        F.when(F.col("suspect"), F.col("key")).alias("key"),
        F.when(compacted & ~F.col("suspect"), F.col("key").cast("string")).alias("key_text"),
        F.when(F.col("suspect"), F.col("value")).alias("value"),
        "original_key",
        "original_value",
        F.octet_length("original_value").alias("bytes"),
        "suspect",
        "producer",
        "header_version",
        *(
            F.when(
                (F.col("topic") == topic.name) & ~F.col("suspect"),
                _typed(topic),
            ).alias(topic.name)
            for topic in topics
        ),
    )


def _with_headers(read: DataFrame, topics: Sequence[Topic]) -> DataFrame:
    def header(name: str) -> Column:
        if not any(topic.compacted for topic in topics):
            return F.lit(None).cast("string")
        matches = F.filter("headers", lambda h: h["key"] == name)
        return F.get(matches, F.lit(0))["value"].cast("string")

    version, producer = (F.make_valid_utf8(header(name)) for name in ("version", "producer"))
    return read.withColumn("producer", producer).withColumn("header_version", version)


def _from_json(topic: Topic) -> Column:
    fields = [t.StructField(f.name, _read_type(f)) for f in topic.fields]
    options = {
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": CORRUPT,
        "allowNonNumericNumbers": "false",
        "allowSingleQuotes": "false",
    }
    return F.from_json(
        "text", t.StructType([*fields, t.StructField(CORRUPT, t.StringType())]), options
    )


def _read_type(field: Field) -> t.DataType:
    """Type to read: times and dates as text, decimals as numbers, so that only the contract casts."""
    if inner := nested(field):
        return t.ArrayType(t.StructType([t.StructField(f.name, _read_type(f)) for f in inner]))
    if field.type in (TIMESTAMP, DATE):
        return t.StringType()
    return t.DoubleType() if isinstance(field.type, Decimal) else data_type(field.type)


def _typed(topic: Topic) -> Column:
    value = F.col(topic.name)
    return F.struct(
        *(value[f.name].try_cast(data_type(f.type)).alias(f.name) for f in topic.fields)
    )


def _any_good(topics: Sequence[Topic]) -> Column:
    goods = [(F.col("topic") == topic.name) & _good(topic) for topic in topics]
    return reduce(lambda a, b: a | b, goods)


def _good(topic: Topic) -> Column:
    """Whether a record is certainly valid."""
    value = F.col(topic.name)
    valid = _all(
        [
            F.is_valid_utf8(F.col("text")),
            value[CORRUPT].isNull(),
            _one_object(topic),
            *(_field_good(value[f.name], f) for f in topic.fields),
            *_rules_good(topic, value),
        ]
    )
    if not topic.compacted:
        return valid
    key = F.col("key").cast("string")
    named = key.isNotNull() & (key != "") & F.is_valid_utf8(key)
    owned = named & (F.col("producer") == topic.owner)
    return valid & owned & _version_matches(topic) & _key_matches(topic, key)


def _version_matches(topic: Topic) -> Column:
    header_version = F.col("header_version")
    return header_version.isNull() | (header_version == F.col(topic.name)["version"].cast("string"))


def _key_matches(topic: Topic, key: Column) -> Column:
    if topic.fixed_key:
        return key == topic.fixed_key
    if topic.key_only:
        return _all(F.length(key) <= F.lit(field.longest) for field in topic.key_only)
    return key == F.concat_ws(
        KEY_SEPARATOR, *(F.col(topic.name)[name].cast("string") for name in topic.key)
    )


def _one_object(topic: Topic) -> Column:
    """Whether the text is certainly one object and nothing else, without escapes.

    `from_json` stops where the object ends, so all closing braces that the text has must be those of
    what was read, and the last one must end it. Escapes may hide half characters.
    """
    text = F.col("text")
    framed = text.startswith("{") & text.endswith("}") & ~F.contains(text, F.lit("\\"))
    lists = [F.col(topic.name)[field.name] for field in topic.fields if nested(field)]
    if not lists:
        return framed & (F.instr(text, "}") == F.length(text))
    without = F.replace(text, F.lit("}"), F.lit(""))
    objects = reduce(
        lambda a, b: a + b, (F.coalesce(F.array_size(list_), F.lit(0)) for list_ in lists)
    )
    return framed & (F.octet_length(text) - F.octet_length(without) == objects + 1)


def _rules_good(topic: Topic, value: Column) -> Iterable[Column]:
    if topic.event_types:
        yield value["event_type"].isin(*topic.event_types)
    if any(f.name == "event_time" for f in topic.fields):
        yield value["event_time"].between(*EVENT_YEARS)
    for name, other in topic.equal:
        yield value[name] == value[other]
    for later, earlier, days in topic.within:
        time, first = (value[name].try_cast("timestamp") for name in (later, earlier))
        yield time.between(first, first + F.expr(f"INTERVAL {days} DAYS"))
    for name, inner in topic.unique:
        yield F.size(F.array_distinct(value[name][inner])) == F.size(value[name])
    for rule in topic.rules:
        needed = [_present(value[name], topic.field(name)) for name in rule.required]
        bounded = [_absent_or(value[b.field], _within(value[b.field], b)) for b in rule.bounds]
        yield ~value["event_type"].isin(*rule.event_types) | _all([*needed, *bounded])


def _within(column: Column, bounds: Bounds) -> Column:
    inside = column.between(bounds.minimum, bounds.maximum)
    return inside & (column != 0) if bounds.nonzero else inside


def _field_good(column: Column, field: Field) -> Column:
    content = _content_good(column, field)
    return _present(column, field) & content if field.required else _absent_or(column, content)


def _present(column: Column, field: Field) -> Column:
    return column.isNotNull() & (column != "") if field.type == STRING else column.isNotNull()


def _content_good(column: Column, field: Field) -> Column:
    if inner := nested(field):
        return (F.size(column) <= F.lit(field.most)) & F.forall(
            column,
            lambda item: item.isNotNull() & _all([_field_good(item[f.name], f) for f in inner]),
        )
    if isinstance(field.type, ListOf):
        return F.lit(False)
    checks = [F.lit(True)]
    if field.type == STRING:
        checks.append((F.length(column) <= F.lit(field.longest)) & _certainly_text(column))
    if field.type == DOUBLE:
        checks.append(F.abs(column) <= sys.float_info.max)
    if field.type == TIMESTAMP:
        checks.append(column.rlike(TIME_IN_UTC) & column.try_cast("timestamp").isNotNull())
    if field.type == DATE:
        checks.append(column.rlike(PLAIN_DATE) & column.try_cast("date").isNotNull())
    if field.type in (TIMESTAMP, DATE):
        checks.append(column >= FIRST_YEAR)
    if field.type == DOUBLE:
        checks.append(F.abs(column) < float("inf"))
    if isinstance(field.type, Decimal):
        checks.append(column.try_cast(data_type(field.type)).isNotNull())
    if field.enum:
        checks.append(column.isin(*field.enum))
    if field.minimum is not None:
        checks.append(column >= field.minimum)
    if field.maximum is not None:
        checks.append(column <= field.maximum)
    return _all(checks)


def _certainly_text(column: Column) -> Column:
    """Whether a text was not written as a number, truth value, list or object, which `from_json` takes as text."""
    capital = (column >= "A") & (column < "[")
    plain = capital | ~column.rlike(NOT_WRITTEN_AS_TEXT)
    return plain & ~column.isin(*BEYOND_DOUBLE)


def _absent_or(column: Column, condition: Column) -> Column:
    return column.isNull() | condition


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(lambda a, b: a & b, conditions)
