"""What of acknowledged records outlives a broker: replicas of topics, and how many of them acknowledge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

from lakeshelf.contracts.derived.kafka import tool
from lakeshelf.kafka import topics
from lakeshelf.kafka.handles import Admin
from lakeshelf.kafka.refusals import refusal

IN_SYNC = "min.insync.replicas"
REPLICAS, ACKNOWLEDGING = 3, 2
"""What a topic should have where Kafka has as many brokers."""


@dataclass(frozen=True)
class Kept:
    """How a topic is kept.

    Attributes:
        topic: The topic.
        brokers: How many there are in all.
        replicas: Copies of the partition that has the fewest.
        in_sync: Copies that have to be written before a record is acknowledged.
    """

    topic: str
    brokers: int
    replicas: int
    in_sync: int

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence; empty when nothing is."""
        has = f"{self.topic} has replication {self.replicas} and {IN_SYNC} {self.in_sync}"
        if self.in_sync > self.replicas:
            return f"{has}: nothing can be written to it"
        if self.brokers > 1 and self.replicas == 1:
            return f"{has}: one broker's disk is all that keeps it"
        if self.replicas > 1 and self.in_sync < ACKNOWLEDGING:
            return f"{has}: what is acknowledged may be lost with one broker"
        return ""

    @property
    def way(self) -> str:
        """What to do."""
        if self.brokers > 1 and self.replicas == 1:
            return (
                f"give it {min(REPLICAS, self.brokers)} replicas by `kafka-reassign-partitions.sh`"
            )
        entity = f"--alter --entity-type topics --entity-name {self.topic}"
        count = min(ACKNOWLEDGING, self.replicas)
        return f"run `{tool('kafka-configs.sh')} {entity} --add-config {IN_SYNC}={count}`"


def kept(client: Mapping[str, str], names: Iterable[str]) -> Iterator[Kept]:
    """How topics are kept; those that are not there are left out.

    Raises:
        BrokerError: The broker does not answer, or does not tell.
    """
    admin = Admin(client)
    try:
        cluster = admin.list_topics(timeout=topics.TIMEOUT)
        present = [name for name in names if name in cluster.topics]
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in present]
        answers = admin.describe_configs(asked, request_timeout=topics.TIMEOUT) if asked else {}
        for resource, future in answers.items():
            partitions = cluster.topics[resource.name].partitions.values()
            yield Kept(
                resource.name,
                len(cluster.brokers),
                min(len(partition.replicas) for partition in partitions),
                int(future.result()[IN_SYNC].value),
            )
    except KafkaException as error:
        what = "no broker tells how topics are replicated"
        raise refusal(what, error, hint="see `lakeshelf doctor kafka`", heard=admin) from error
