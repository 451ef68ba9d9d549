"""The way on of a query whose checkpoint was lost: a new one that begins exactly where its ledger ends.

A batch that was under way then, of which some tables hold what became of it and the ledger nothing, is done again
under its number and with its offsets, which its commits tell; tables that have it already leave it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lakeshelf.kafka import topics
from lakeshelf.settings import Settings
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint, continuity
from lakeshelf.streams.resume.checkpoint import Starting
from lakeshelf.streams.resume.continuity import Standing
from lakeshelf.streams.run.runner import Driver


@dataclass(frozen=True)
class CheckpointStart:
    """Where the new checkpoint of a query begins.

    Attributes:
        query: Name of the query.
        why: What was wrong with the old one.
        app_id: Application id of its batches.
        number: Number of its first batch.
        starting: Topic → partition → offset.
        first: Where the first batch ends if it was under way before; None: nothing was.
    """

    query: str
    why: str
    app_id: str
    number: int
    starting: Starting = field(default_factory=dict)
    first: Starting | None = None


def go_on(
    settings: Settings, jobs: Iterable[Job], client: Mapping[str, str]
) -> list[CheckpointStart]:
    """Let every query whose checkpoint does not go on from its ledger begin a new one there.

    Args:
        settings: The lake.
        jobs: All jobs of the lake, which must be stopped.
        client: librdkafka settings that reach the broker.

    Returns:
        What was begun; empty when every query goes on by itself.

    Raises:
        LakeError: The jobs are running.
        StreamError: A rebuild is the only way on; nothing was begun.
    """
    driver = Driver(jobs, settings, client)
    driver.acquire()
    try:
        starts = [
            start for plan in driver.plans if (start := _start(plan, settings, client)) is not None
        ]
        for start in starts:
            checkpoint.begin(
                settings.checkpoint_dir,
                start.query,
                start.starting,
                start.app_id,
                start.number,
                first=start.first,
            )
    finally:
        driver.release()
    return starts


def _start(
    plan: QueryPlan, settings: Settings, client: Mapping[str, str]
) -> CheckpointStart | None:
    standing = continuity.examine(plan, settings, client)
    if not standing.breaks:
        return None
    if not all(b.continuable for b in standing.breaks):
        continuity.require(plan.name, standing)
    app_id, why = standing.app_id or plan.name, standing.breaks[0].what
    reached = _reached(plan, standing, client)
    under_way = continuity.unfinished(plan, standing)
    if under_way is None:
        return CheckpointStart(plan.name, why, app_id, standing.next_number(app_id), reached)
    number, offsets = under_way
    begins, ends = (
        {t: {p: o[i] for p, o in ps.items()} for t, ps in offsets.items()} for i in (0, 1)
    )
    return CheckpointStart(
        plan.name, why, app_id, number, _merged(reached, begins), _merged(reached, ends)
    )


def _reached(plan: QueryPlan, standing: Standing, client: Mapping[str, str]) -> Starting:
    """Where the ledger ends; what it does not name begins at the first record that Kafka has."""
    first = topics.first_offsets(client, [topic.name for topic in plan.topics])
    return {
        topic: {
            p: standing.account.reached.get(topic, {}).get(p, begin) for p, begin in parts.items()
        }
        for topic, parts in first.items()
    }


def _merged(base: Starting, changed: Starting) -> Starting:
    return {topic: {**parts, **changed.get(topic, {})} for topic, parts in base.items()}
