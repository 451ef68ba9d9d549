# ruff: noqa: PLC0415 - what is heavy, or of the extra kafka, is imported by the call that needs it
"""The shop and the stack beside the API: what its resources know, by the functions of the commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.shop.running import Message, Numbers, Process, Shop
from lakeshelf.settings import Settings

if TYPE_CHECKING:
    from lakeshelf.stack.observing.doctor import Diagnosis
    from lakeshelf.streams.declare.job import Job


def shop(settings: Settings) -> Shop:
    """The shop and the stack of these settings."""
    return Shop(
        engines=partial(_engines, settings),
        today=partial(_today, settings),
        topic_id=partial(_topic_id, settings),
        publish_again=partial(_publish_again, settings),
        numbers=partial(_numbers, settings),
        status=partial(_status, settings),
        lags=partial(_lags, settings),
        examine=partial(_examined, settings),
        components=partial(_components, settings),
        now=partial(_now, settings),
        send=partial(_sent, settings),
        correct=partial(_corrected, settings),
    )


def _publish_again(settings: Settings, dataset: str) -> None:
    from lakeshelf.governance.publication.following import ask_for_all

    ask_for_all(settings.stack_dir, dataset)


def client(settings: Settings) -> dict[str, str]:
    """Librdkafka settings that reach the broker.

    Raises:
        GovernanceError: `service_unavailable`: it does not run.
    """
    from lakeshelf.stack.embedded.clients import listening_client

    with _answering():
        return listening_client(settings)


@contextmanager
def _answering() -> Iterator[None]:
    """Refuse what a stack that is down, or its broker, does not answer.

    Raises:
        GovernanceError: `service_unavailable`.
    """
    from confluent_kafka import KafkaException

    from lakeshelf.kafka.refusals import said

    try:
        yield
    except (LakeshelfError, KafkaException) as error:
        message = error.message if isinstance(error, LakeshelfError) else said(error)
        hint = getattr(error, "hint", "") or "`lakeshelf up` starts it"
        raise refused("service_unavailable", message, hint=hint) from error


def _engines(settings: Settings) -> Mapping[str, Job]:
    from lakeshelf.streams.declare import registry

    return registry.discover(*settings.homes)


def _now(settings: Settings) -> datetime:
    from lakeshelf.shop.acts import business_now

    reachable = client(settings)
    with _answering():
        return business_now(reachable)


def _today(settings: Settings) -> date | None:
    try:
        return _now(settings).date()
    except LakeshelfError:
        return None


def _sent(settings: Settings, messages: Sequence[Message]) -> None:
    from lakeshelf.shop.acts import send_all

    reachable = client(settings)
    with _answering():
        send_all(reachable, messages)


def _corrected(settings: Settings, records: Sequence[Mapping[str, Any]]) -> int:
    from lakeshelf.streams.declare import plan
    from lakeshelf.streams.recover import corrections

    plans = plan.plan(_engines(settings).values())
    candidates = corrections.checked(settings.lake_root, records, plans)
    reachable = client(settings)
    with _answering():
        return corrections.publish(reachable, candidates)


def _topic_id(settings: Settings, topic: str) -> str | None:
    from lakeshelf.kafka import topics

    return topics.ids(client(settings), [topic]).get(topic)


def _numbers(settings: Settings) -> Numbers:
    from lakeshelf.stack.observing.live import Numbers as Live

    return Live(settings)


def _status(settings: Settings) -> dict[str, Any]:
    from lakeshelf.stack.observing.status import collect

    return collect(settings)


def _lags(settings: Settings) -> dict[str, dict[str, int]]:
    from lakeshelf.stack.observing import lag
    from lakeshelf.streams.declare import plan

    plans = plan.plan(_engines(settings).values())
    reachable = client(settings)
    with _answering():
        return lag.behind(settings, reachable, plans)


def _examined(settings: Settings) -> Iterable[Diagnosis]:
    from lakeshelf.stack.observing.doctor import examine

    return examine(settings)


def _components(settings: Settings) -> list[Process]:
    from lakeshelf.components import flows, registry

    return [
        Process(name, "component", app.doc, sorted(flows.reads(app)), flows.writes(app))
        for name, app in registry.discover(*settings.homes).items()
    ]
