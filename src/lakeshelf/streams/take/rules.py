"""What a contract says of several fields of a message, and by event type, as truth values of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import STRING, Bounds, Rule, Topic
from lakeshelf.contracts.model import EVENT_YEARS

FIRST, END = (datetime(year, 1, 1, tzinfo=UTC) for year in (EVENT_YEARS[0], EVENT_YEARS[1] + 1))


def conditions(topic: Topic, columns: Mapping[str, pa.Array]) -> Iterator[pa.Array]:
    """Truth values of messages, all of which must hold; null where that cannot be told.

    Args:
        topic: The contract.
        columns: Field → its values.
    """
    if "event_time" in columns and not topic.compacted:
        times = columns["event_time"]
        first, end = (pa.scalar(time, times.type) for time in (FIRST, END))
        yield pc.and_(pc.greater_equal(times, first), pc.less(times, end))
    for name, other in topic.equal:
        neither = pc.and_(pc.is_null(columns[name]), pc.is_null(columns[other]))
        yield pc.or_kleene(neither, pc.equal(columns[name], columns[other]))
    for later, earlier, days in topic.within:
        passed = pc.subtract(columns[later], columns[earlier].cast(columns[later].type))
        after, before = (pa.scalar(timedelta(n), passed.type) for n in (0, days))
        yield pc.and_(pc.greater_equal(passed, after), pc.less_equal(passed, before))
    for name, inner in topic.unique:
        yield _is_unique(columns[name], inner)
    for rule in topic.rules:
        concerned = pc.is_in(columns["event_type"], pa.array(rule.event_types))
        for met in _of(topic, rule, columns):
            yield pc.or_kleene(pc.invert(concerned), met)


def _of(topic: Topic, rule: Rule, columns: Mapping[str, pa.Array]) -> Iterator[pa.Array]:
    for name in rule.required:
        yield _is_present(topic, name, columns[name])
    for bounds in rule.bounds:
        yield _is_within(columns[bounds.field], bounds)


def _is_present(topic: Topic, name: str, values: pa.Array) -> pa.Array:
    """Whether there is a value; an empty text names nothing."""
    if topic.field(name).type == STRING:
        return pc.fill_null(pc.not_equal(values, ""), False)
    return pc.is_valid(values)


def _is_within(values: pa.Array, bounds: Bounds) -> pa.Array:
    inside = pc.and_(
        pc.greater_equal(values, bounds.minimum), pc.less_equal(values, bounds.maximum)
    )
    if bounds.nonzero:
        inside = pc.and_(inside, pc.not_equal(values, 0))
    return pc.fill_null(inside, True)


def _is_unique(lists: pa.Array, inner: str) -> pa.Array:
    """Whether no two elements of a list have the same value there."""
    owners = pc.list_parent_indices(lists)
    values = pc.struct_field(pc.list_flatten(lists), inner)
    groups = pa.table({"owner": owners, "value": values}).group_by(
        ["owner", "value"], use_threads=False
    )
    counts = groups.aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))["owner"]
    return pc.invert(pc.is_in(pa.array(range(len(lists)), owners.type), repeated))
