"""The way on of queries whose checkpoint was lost: a new one that begins exactly where the ledger ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lakeshelf.settings import Settings
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import continuity, starting
from lakeshelf.streams.resume.starting import CheckpointStart
from lakeshelf.streams.run.runner import Driver


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
            driver.require_terms()
            start.begin(settings)
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
    return starting.behind_ledger(plan, standing, client, standing.breaks[0].what)
