"""Configuration of the embedded broker: one node that is controller and broker, small and quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lakeshelf.stack.machine.ports import LOOPBACK

NODE_ID = 1
MAX_MESSAGE_BYTES = 1_048_588
"""Largest record batch the broker takes, Kafka's own default; a larger one is refused."""


@dataclass(frozen=True)
class Listening:
    """Where a broker is reached.

    Attributes:
        client: host:port at which it listens for clients.
        advertised: host:port that it tells clients.
        controller: Port of its controller, on loopback.
    """

    client: str
    advertised: str
    controller: int

    @property
    def port(self) -> int:
        """Port for clients."""
        return int(self.client.rpartition(":")[2])


def server_properties(
    data: str, listening: Listening, secured: Mapping[str, str]
) -> dict[str, str]:
    """Settings of Kafka.

    Args:
        data: Folder of the logs, below that of the broker.
        listening: Where it is reached.
        secured: Further settings, of a broker that asks for passwords and certificates.
    """
    controller = f"{LOOPBACK}:{listening.controller}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{controller}",
        "listeners": f"PLAINTEXT://{listening.client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{listening.advertised}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        **secured,
        **_TOPICS,
        **_ONE_NODE,
        **_QUIET,
    }


def log4j_properties(log_file: str) -> str:
    """Log4j2 configuration: warnings and Kafka's own milestones, at most 3 files of 10 MB."""
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log_file}
appender.file.filePattern = {log_file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}} %p %c{{1}}: %m%n
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


_TOPICS = {
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    # Retention counts from arrival: replayed events of years ago are not old at once.
    "log.message.timestamp.type": "LogAppendTime",
    "log.retention.check.interval.ms": "60000",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}
_ONE_NODE = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A controller that starts again takes the killed broker for alive until its session ends.
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "3000",
}
_QUIET = {
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    # No no-op record every half second: nobody waits for the metadata log to move.
    "metadata.max.idle.interval.ms": "0",
}
