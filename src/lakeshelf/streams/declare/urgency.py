"""The order of the tables of a query: what somebody waits for comes first, with whatever it is made of.

No result depends on it: a table still comes behind those of the batch that it reads, and before those that read what it
was before the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakeshelf.streams.declare.job import TOUCHED, Job, Update, relation, relations


@dataclass(frozen=True)
class Ordered:
    """Updates of a query in the order in which they are made.

    Attributes:
        now: Those that somebody waits for, and what they read.
        later: The others.
    """

    now: tuple[Update, ...]
    later: tuple[Update, ...]


def ordered(jobs: Sequence[Job]) -> Ordered:
    """Updates of jobs, each behind what it needs.

    Args:
        jobs: Jobs, each behind those whose topics it reads.
    """
    declared = [update for job in jobs for update in job.updates]
    needs = _needs(declared)
    awaited = (update for job in jobs if job.awaited for update in job.updates)
    now = _behind_needs(awaited, needs, {})
    every = _behind_needs(declared, needs, dict(now))
    return Ordered(tuple(now.values()), tuple(u for name, u in every.items() if name not in now))


def _behind_needs(
    updates: Iterable[Update], needs: dict[str, list[Update]], done: dict[str, Update]
) -> dict[str, Update]:
    """Table → update, each behind those before it that it needs."""
    for update in updates:
        if update.table not in done:
            _behind_needs(needs[update.table], needs, done)
            done[update.table] = update
    return done


def _needs(declared: Sequence[Update]) -> dict[str, list[Update]]:
    """Table → updates declared before that it reads, or that read what it was before the batch."""
    return {
        update.table: [
            other for other in declared[:place] if _reads(update, other) or _reads(other, update)
        ]
        for place, update in enumerate(declared)
    }


def _reads(one: Update, other: Update) -> bool:
    names = {name.removeprefix(TOUCHED) for name in relations(one)}
    return relation(other.table) in names or other.topic in names
