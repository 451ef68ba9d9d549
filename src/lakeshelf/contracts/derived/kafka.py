"""Settings of topics, as the broker takes them.

Partitions and replication are arguments of creation, not settings; see `Topic.partitions`.
"""

from __future__ import annotations

from lakeshelf.contracts.model import WEEK_MS, Topic

HOUR_MS = 3600 * 1000
SEGMENT_BYTES = 128 * 1024 * 1024


def settings(topic: Topic) -> dict[str, str]:
    """Settings of the topic by name.

    `LogAppendTime` makes retention count from arrival, so that a year replayed in a minute is not
    deleted at once. Compacted topics roll a segment every hour, since the active one is never
    compacted, and keep tombstones for a week, which is how long a reader may be away.
    """
    config = {
        "cleanup.policy": topic.cleanup,
        "message.timestamp.type": "LogAppendTime",
        "segment.bytes": str(SEGMENT_BYTES),
    }
    if topic.compacted:
        config |= {
            "delete.retention.ms": str(WEEK_MS),
            "segment.ms": str(HOUR_MS),
            "min.cleanable.dirty.ratio": "0.2",
        }
    else:
        config["retention.ms"] = str(topic.retention_ms)
    if topic.max_message_bytes is not None:
        config["max.message.bytes"] = str(topic.max_message_bytes)
    return config


def creation(topic: Topic, replication: int) -> str:
    """The command of Kafka's own tool that makes the topic."""
    options = " ".join(f"--config {name}={value}" for name, value in settings(topic).items())
    return (
        f"{tool('kafka-topics.sh')} --create --if-not-exists --topic {topic.name} "
        f"--partitions {topic.partitions} --replication-factor {replication} {options}"
    )


def tool(name: str) -> str:
    """How one of Kafka's tools is called; `$KAFKA` is servers, `$ADMIN` a file of an administrator's settings."""
    return f'{name} --bootstrap-server "$KAFKA" --command-config "$ADMIN"'
