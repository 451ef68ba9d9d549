"""Clients of librdkafka that remember why they have no connection.

librdkafka tells the reason to a callback alone; the call that fails says "broker transport failure".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka.refusals import said


class _Handle(Protocol):
    def set_sasl_credentials(self, username: str, password: str) -> None: ...


class ConnectionMemory:
    """What a client hears of its connection, whenever it is polled.

    Args:
        client: Its settings.
    """

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.client = client
        self.reason: KafkaError | None = None
        """Why there is no connection; None where nothing was heard."""

    @contextmanager
    def making(self, handle: _Handle) -> Iterator[dict[str, Any]]:
        """The settings with which the client is to be made.

        Raises:
            ConfigurationError: librdkafka does not take one of them.
        """
        try:
            yield {**self.client, "error_cb": self._hear}
        except KafkaException as error:
            raise ConfigurationError(
                f"Kafka's client cannot be made: {said(error)}",
                hint="correct the settings kafka_*; `lakeshelf config` shows them",
            ) from error
        if "sasl.password" in self.client:  # of what is configured librdkafka drops leading blanks
            handle.set_sasl_credentials(self.client["sasl.username"], self.client["sasl.password"])

    def _hear(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self.reason = error


class Admin(AdminClient):
    """An administrator's client."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.memory = ConnectionMemory(client)
        with self.memory.making(self) as settings:
            super().__init__(settings)


class Reader(Consumer):
    """A consumer."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.memory = ConnectionMemory(client)
        with self.memory.making(self) as settings:
            super().__init__(settings)


class Writer(Producer):
    """A producer."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.memory = ConnectionMemory(client)
        with self.memory.making(self) as settings:
            super().__init__(settings)
