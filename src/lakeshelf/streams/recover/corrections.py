"""Corrected records go back to the topics that they were refused on.

A corrected record is an ordinary message on its topic with the corrected value; if it keeps the
`event_id` of the refused one, it is that event, and sent twice it counts once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.place.location import Place
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.recover import rehearsal
from lakeshelf.streams.recover.quarantine import listed
from lakeshelf.streams.recover.rehearsal import Candidate

MOST_BYTES = 1_000_000
"""Most bytes of a record that a client of Kafka sends by default."""


def send(
    root: Place,
    client: Mapping[str, str],
    corrected: Iterable[Mapping[str, Any]],
    plans: Iterable[QueryPlan] = (),
) -> int:
    """Send corrected records to the topics that they were refused on.

    Args:
        root: Lake root.
        client: librdkafka settings that reach the broker.
        corrected: Records with `topic`, `partition`, `offset` as listed, and the corrected `value` (and
            `key`, if that was wrong too).
        plans: Queries that would refuse records for what their tables say now.

    Returns:
        How many were sent; none is when one of them would be refused again.

    Raises:
        ConfigurationError: A record that quarantine does not hold, or that would be refused again.
    """
    return publish(client, checked(root, corrected, plans))


def checked(
    root: Place, corrected: Iterable[Mapping[str, Any]], plans: Iterable[QueryPlan] = ()
) -> list[Candidate]:
    """Corrected records as they are sent; arguments as for `send`.

    Raises:
        ConfigurationError: A record that quarantine does not hold, or that would be refused again.
    """
    held = {(row["topic"], row["partition"], row["offset"]): row for row in listed(root)}
    ready = [(_place(record), _corrected(held, record)) for record in corrected]
    candidates = [candidate for _, candidate in ready]
    for n, refused in rehearsal.refusals(root, plans, candidates):
        raise _refused_again(ready[n][0], refused.reason, refused.detail)
    return candidates


def publish(client: Mapping[str, str], candidates: Sequence[Candidate]) -> int:
    """Send records that were checked, and wait until the broker has them; how many."""
    publisher = Publisher(client)
    for sent in candidates:
        publisher.records(sent.topic, [sent.key], [sent.value])
    publisher.flush()
    return len(candidates)


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in ("topic", "partition", "offset"))


def _label(where: tuple[Any, ...]) -> str:
    topic, partition, offset = where
    return f"record {offset} of {topic}, partition {partition}"


def _corrected(held: Mapping[Any, dict[str, Any]], record: Mapping[str, Any]) -> Candidate:
    where = _place(record)
    if where not in held:
        raise ConfigurationError(
            f"quarantine holds no {_label(where)}", hint="see `lakeshelf quarantine list --json`"
        )
    topic = CATALOG.topics[str(where[0])]
    if topic.compacted:
        raise ConfigurationError(
            f"{topic.name} has one owner, {topic.owner}", hint="correct it there"
        )
    value = _bytes(record, "value") or b""
    refusal = check(topic, value)
    if refusal is not None:
        raise _refused_again(where, refusal.reason, refusal.detail)
    if len(value) > MOST_BYTES:
        detail = f"{len(value):,} bytes, a record has at most {MOST_BYTES:,}"
        raise _refused_again(where, "too large", detail)
    return Candidate(topic.name, _bytes(record, "key") or _bytes(held[where], "key"), value)


def _refused_again(where: tuple[Any, ...], reason: str, detail: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_label(where)} is refused again: {reason}, {detail}; nothing was sent",
        hint="correct its value, or leave it out",
    )


def _bytes(record: Mapping[str, Any], name: str) -> bytes | None:
    if (encoded := record.get(f"{name}_base64")) is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise ConfigurationError(
                f"{_label(_place(record))}: {name}_base64 is no base64: {error}",
                hint="leave it as it was listed",
            ) from error
    text = record.get(name)
    return text.encode() if isinstance(text, str) else None
