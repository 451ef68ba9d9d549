"""A new checkpoint that begins exactly where the ledger of a query ends.

A batch that was under way then, of which some tables hold what became of it and the ledger nothing, is done again
under its number and with its offsets, which its commits tell; tables that have it already leave it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lakeshelf.kafka import topics
from lakeshelf.lake.place import folders
from lakeshelf.lake.place.folders import Folder
from lakeshelf.settings import Settings
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint, continuity
from lakeshelf.streams.resume.checkpoint import Checkpoint, Starting
from lakeshelf.streams.resume.continuity import Standing

REBUILD_MARKER = "rebuild.json"


@dataclass(frozen=True)
class CheckpointStart:
    """Where the new checkpoint of a query begins.

    Attributes:
        query: Name of the query.
        why: Why there is a new one.
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

    def begin(self, settings: Settings) -> Checkpoint:
        """Make it the checkpoint in force."""
        return checkpoint.begin(
            settings.checkpoint_dir,
            self.query,
            self.starting,
            self.app_id,
            self.number,
            first=self.first,
        )


def behind_ledger(
    plan: QueryPlan, standing: Standing, client: Mapping[str, str], why: str
) -> CheckpointStart:
    """Where a query goes on from its ledger.

    Raises:
        BrokerError: Kafka does not answer.
        StreamError: What the tables hold beyond the ledger cannot be told.
    """
    app_id = standing.app_id or plan.name
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


def but_for_checkpoint(standing: Standing) -> Standing:
    """The standing of a query that begins a new checkpoint, whatever is wrong with the old one."""
    return replace(standing, breaks=tuple(b for b in standing.breaks if not b.continuable))


def rebuild_marker(settings: Settings) -> Folder:
    """The file that is there while a rebuild is under way; in a bucket, where other drivers see it."""
    if isinstance(settings.lake_root, Path):
        return settings.stack_dir / REBUILD_MARKER
    return folders.at(settings.checkpoint_dir) / REBUILD_MARKER


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
