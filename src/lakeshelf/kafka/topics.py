"""Topics of the broker: created from the contract, compared with it, altered only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import lru_cache
from threading import Event
from typing import Any, Literal

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts.derived.kafka import settings
from lakeshelf.errors import BrokerError
from lakeshelf.kafka.consuming import RETRY_S
from lakeshelf.kafka.handles import Admin
from lakeshelf.kafka.refusals import refusal, said

TIMEOUT = 15.0
_SEE = "see `lakeshelf doctor`"
PARTITIONS = "partitions"
Outcome = Literal["created", "unchanged", "differs"]
Offsets = dict[str, dict[str, int]]
"""Topic → partition → offset."""


@dataclass(frozen=True)
class Ensured:
    """What `ensure` found or did: `differences` are (setting, broker's value, contract's value)."""

    topic: str
    outcome: Outcome
    differences: tuple[tuple[str, str, str], ...] = ()


def ensure_all(client: Mapping[str, str]) -> tuple[Ensured, ...]:
    """Create the topics that are missing; report those whose settings differ.

    Raises:
        BrokerError: The broker cannot be reached or refuses.
    """
    ensured = planned(client)
    missing = [CATALOG.topics[each.topic] for each in ensured if each.outcome == "created"]
    _create(Admin(client), missing)
    return ensured


def planned(client: Mapping[str, str]) -> tuple[Ensured, ...]:
    """What `ensure_all` would do; nothing is created.

    Raises:
        BrokerError: The broker cannot be reached or refuses.
    """
    admin = Admin(client)
    present = _present(admin, client)
    return tuple(
        _compare(admin, topic, present[name]) if name in present else Ensured(name, "created")
        for name, topic in CATALOG.topics.items()
    )


def end_offsets(
    client: Mapping[str, str], names: Iterable[str], *, committed: bool = True
) -> Offsets:
    """Topic → partition → offset up to which it can be read.

    Args:
        client: librdkafka settings that reach the broker.
        names: Topics; one that is not there has no partitions.
        committed: Leave out what stands behind the first transaction that is still open.
    """
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    return _offsets(client, names, OffsetSpec.latest(), level)  # type: ignore[no-untyped-call]


def first_offsets(client: Mapping[str, str], names: Iterable[str]) -> Offsets:
    """Topic → partition → offset of the oldest record that retention has left."""
    level = IsolationLevel.READ_COMMITTED
    return _offsets(client, names, OffsetSpec.earliest(), level)  # type: ignore[no-untyped-call]


class Stopped(BrokerError):  # noqa: N818 - says what happened
    """Who asked was told to stop before the broker answered."""


def ids(
    client: Mapping[str, str], names: Iterable[str], stop: Event | None = None
) -> dict[str, str]:
    """Topic → the id that Kafka gave it when it was made, of those that are there.

    Args:
        client: librdkafka settings that reach the broker.
        names: Topics.
        stop: Set when nobody waits for the answer any longer.

    Raises:
        BrokerError: The broker does not answer.
        Stopped: `stop` was set first.
    """
    return dict(_described(client, _asked(client, names), stop))


def asked_ids(client: Mapping[str, str], names: Iterable[str]) -> Callable[[], dict[str, str]]:
    """Ask for the ids of topics; the answer comes with the call of what this returns."""
    asked = _asked(client, names)
    return lambda: dict(_described(client, asked))


def _asked(client: Mapping[str, str], names: Iterable[str]) -> Mapping[str, Future[Any]]:
    requested = list(names)
    admin = _admin_of(client)
    if not requested:
        return {}
    answers: Mapping[str, Future[Any]] = admin.describe_topics(
        TopicCollection(requested), request_timeout=TIMEOUT
    )
    return answers


def _described(
    client: Mapping[str, str], asked: Mapping[str, Future[Any]], stop: Event | None = None
) -> Iterator[tuple[str, str]]:
    for name, future in asked.items():
        while stop is not None and not wait([future], RETRY_S).done:
            if stop.is_set():
                raise Stopped("nobody waits for the broker any longer")
        try:
            yield name, str(future.result().topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                what = f"topic {name} cannot be described"
                raise refusal(what, error, hint=_SEE, heard=_admin_of(client)) from error


def _offsets(
    client: Mapping[str, str], names: Iterable[str], spec: OffsetSpec, level: IsolationLevel
) -> Offsets:
    asking = Retrying(
        retry=retry_if_exception_type(_MovingError),
        stop=stop_after_delay(TIMEOUT),
        wait=wait_fixed(RETRY_S),
        before_sleep=lambda _: _admin.cache_clear(),
        reraise=True,
    )
    return asking(_asked_offsets, client, list(names), spec, level)


class _MovingError(BrokerError):
    """A partition is being made, moved or taken away: the broker says something else in a moment."""


MOVING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
    }
)


def _asked_offsets(
    client: Mapping[str, str], names: list[str], spec: OffsetSpec, level: IsolationLevel
) -> Offsets:
    admin = _admin_of(client)
    present = _present(admin, client)
    offsets: Offsets = {name: {} for name in names}
    specs = {
        TopicPartition(name, p): spec
        for name in offsets
        if name in present
        for p in range(present[name])
    }
    if specs:
        futures = admin.list_offsets(specs, isolation_level=level, request_timeout=TIMEOUT)
        for position, future in futures.items():
            offsets[position.topic][str(position.partition)] = _listed(admin, position, future)
    return offsets


def _listed(admin: Admin, position: TopicPartition, future: Future[Any]) -> int:
    what = f"no offset of {position.topic}/{position.partition}"
    try:
        offset = int(future.result().offset)
    except KafkaException as error:
        _admin.cache_clear()  # what it knows of a broker that was replaced is refused again and again
        if error.args[0].code() in MOVING:
            raise _MovingError(f"{what}: {said(error)}", hint=_SEE) from error
        raise refusal(what, error, hint=_SEE, heard=admin) from error
    if offset < 0:  # docs/design/pitfalls.md#trap-60
        raise _MovingError(f"{what}: the broker that starts tells none", hint=_SEE)
    return offset


def _admin_of(client: Mapping[str, str]) -> Admin:
    return _admin(tuple(sorted(client.items())))


@lru_cache(maxsize=4)
def _admin(client: tuple[tuple[str, str], ...]) -> Admin:
    """One connection for those who look again and again."""
    return Admin(dict(client))


def _present(admin: Admin, client: Mapping[str, str]) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=TIMEOUT).topics
    except KafkaException as error:
        raise refusal(
            f"no broker answers at {client.get('bootstrap.servers')}",
            error,
            hint="correct LAKESHELF_BOOTSTRAP_SERVERS or start that Kafka; where it is unset `lakeshelf up` starts one",
            heard=admin,
        ) from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _create(admin: Admin, missing: list[Topic]) -> None:
    if not missing:
        return
    new = [NewTopic(t.name, t.partitions, config=settings(t)) for t in missing]
    for name, future in admin.create_topics(new, request_timeout=TIMEOUT).items():
        _result(admin, future, f"topic {name} cannot be created")


def alter(client: Mapping[str, str], topics: Iterable[Ensured]) -> tuple[Ensured, ...]:
    """Give topics the settings that the contract says.

    Returns:
        The topics, with the differences that no broker can take away: more partitions than the contract says.

    Raises:
        BrokerError: The broker cannot be reached or refuses.
    """
    admin = Admin(client)
    return tuple(_altered(admin, ensured) for ensured in topics)


def _altered(admin: Admin, ensured: Ensured) -> Ensured:
    left = tuple(d for d in ensured.differences if d[0] == PARTITIONS and int(d[1]) > int(d[2]))
    for name, _, declared in (d for d in ensured.differences if d not in left):
        future = (
            _partitions(admin, ensured, declared)
            if name == PARTITIONS
            else _set(admin, ensured, name, declared)
        )
        _result(admin, future, f"{name} of topic {ensured.topic} cannot be altered")
    return Ensured(ensured.topic, "differs" if left else "unchanged", left)


def _partitions(admin: Admin, ensured: Ensured, count: str) -> Future[Any]:
    new = NewPartitions(ensured.topic, int(count))
    future: Future[Any] = admin.create_partitions([new], request_timeout=TIMEOUT)[ensured.topic]
    return future


def _set(admin: Admin, ensured: Ensured, name: str, value: str) -> Future[Any]:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, ensured.topic, incremental_configs=[entry])
    future: Future[Any] = admin.incremental_alter_configs([resource], request_timeout=TIMEOUT)[
        resource
    ]
    return future


def _compare(admin: Admin, topic: Topic, partitions: int) -> Ensured:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name)
    described = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource]
    config = _result(admin, described, f"topic {topic.name} cannot be described")
    declared = {**settings(topic), PARTITIONS: str(topic.partitions)}
    enough = topic.partitions if partitions > topic.partitions > 1 else partitions
    actual = {**{name: entry.value for name, entry in config.items()}, PARTITIONS: str(enough)}
    differences = tuple(
        (n, str(actual.get(n)), value) for n, value in declared.items() if actual.get(n) != value
    )
    return Ensured(topic.name, "differs" if differences else "unchanged", differences)


def _result(admin: Admin, future: Future[Any], what: str) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        raise refusal(what, error, hint=_SEE, heard=admin) from error
