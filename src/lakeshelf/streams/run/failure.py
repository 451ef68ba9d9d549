"""What a failure says of itself."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from confluent_kafka import KafkaException

from lakeshelf.errors import NO_ROOM, BrokerError
from lakeshelf.lake.place.errors import Conflict, StorageError
from lakeshelf.streams.commit.publisher import MessageTooLarge

SURROUNDINGS = (BrokerError, StorageError, Conflict, OSError, MemoryError, KafkaException)
"""Failures that have nothing to do with a record; beside them those of the connection to the JVM."""
LOST_ROWS = re.compile(r"CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND|Checkpoint block \S+ not found")
"""What a step says when an executor has gone whose rows it needs: the batch is done again."""
LOST_LEASE = "lease lost: "
"""What our log store says to a commit that comes when another driver has the query."""
JVM, KAFKA_CLIENT = "py4j.", "org.apache.kafka."
"""Where the exceptions of that connection stand, and what a failure names that Spark's own reader of Kafka has met."""
RAISED = re.compile(r"(?!org\.|py4j|java)[\w.]*(Error|Exception|Interrupt): ")
"""A line of a Python traceback that names the exception."""
CAUSED = re.compile(r"Caused by: ([\w.$]*(?:Error|Exception): .*)")
"""A line of a Java traceback that names what lies behind."""
LOST = re.compile(
    r"KAFKA_DATA_LOSS\.(?:ADDED|COULD|INITIAL|START)[\s\S]*?Reason:\s*(?P<reason>[^\n]*)"
    r"|OffsetOutOfRangeException"
)
"""Failures of Spark's source, however deep, for records that were deleted while their topic stands."""


MISFIT = re.compile(
    r"\((?P<host>\S+) executor (?P<executor>\S+)\): java\.(?:lang|io)\.(?P<kind>ClassNotFoundException|"
    r"NoClassDefFoundError|NoSuchMethodError|IncompatibleClassChangeError|InvalidClassException): (?P<what>[^\n;]*)"
)
"""What Spark says of an executor that does not have what the driver has."""


def has_nothing_to_do_with_records(error: Exception) -> bool:
    """Whether a failure is one of the broker, the disk, the JVM or another writer."""
    if isinstance(error, MessageTooLarge):
        return False
    surrounding = isinstance(error, SURROUNDINGS)
    is_of_jvm = type(error).__module__.startswith(JVM)
    text = str(error)
    of_executors = any(sign.search(text) for sign in (LOST_ROWS, MISFIT))
    return surrounding or is_of_jvm or KAFKA_CLIENT in text or of_executors


def lost_records(error: str, query: str) -> str:
    """What to do about records that Kafka deleted before the query read them; empty for any other failure.

    Args:
        error: The failure, with whatever stands around its cause.
        query: Name of the query.
    """
    match = LOST.search(error)
    if match is None:
        return ""
    reason = f" ({match['reason'].strip().rstrip('.')})" if match["reason"] else ""
    return (
        f"Kafka has deleted records that the query has not read{reason}; run `lakeshelf down`, "
        f"`lakeshelf jobs accept-gap {query}`, then `lakeshelf up`"
    )


def no_room(error: str, place: Path) -> str:
    """What to say of a failure besides where a disk is full; empty for any other one."""
    return f"; `df {place}` shows the room" if NO_ROOM.search(error) else ""


def describe(error: str) -> str:
    """The line of a failure that says most: that of Lakeshelf or of the cause, without its traceback."""
    if (misfit := MISFIT.search(error)) is not None:
        return (
            f"executor {misfit['executor']} on {misfit['host']} has other software than the driver "
            f"({misfit['kind']}: {misfit['what']}); its worker needs Spark {version('pyspark')}, and gets our jars "
            "from what `lakeshelf jobs conf` prints"
        )
    lines = [line.rstrip() for line in error.splitlines() if line.strip()]
    ours = [line.partition(": ")[2] for line in lines if line.startswith("lakeshelf.errors.")]
    raised = [line for line in lines if RAISED.match(line)]
    behind = [cause[1] for line in lines if (cause := CAUSED.match(line.strip()))]
    chosen = ["unknown failure", *lines[:1], *behind[-1:], *raised[-1:], *ours[-1:]]
    return chosen[-1][:500]
