"""What `bootstrap` and the next start would change, and what of it a checkpoint does not survive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import BrokerError, LakeError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import running_client
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import plan, registry
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint

REBUILD = "`lakeshelf rebuild` begins new checkpoints"
FROM_NOW_ON = "begins with what comes from now on; `lakeshelf rebuild` folds what was before"
RENAMES = {"created": "create", "evolved": "change", "unchanged": "keep", "differs": "differs"}


def planned(settings: Settings) -> dict[str, Any]:
    """What there would be to do; nothing is written.

    Returns:
        `tables` (`table`, `action`: create, change, keep or refuse, `added`, `problem`), `late` (see there), `topics`
        (`topic`, `action`: create, keep or differs, `differences`), None while Kafka does not answer,
        `topics_unknown` (why), and `breaks` (`query`, `problem`): checkpoints that do not survive.
    """
    topic_rows, unknown = _topics(settings)
    return {
        "lake": settings.lake,
        "tables": [_table(settings, name) for name in CATALOG.tables],
        "late": late(settings),
        "topics": topic_rows,
        "topics_unknown": unknown,
        "breaks": list(_breaks(settings)),
    }


def late(settings: Settings) -> list[str]:
    """Tables that are still to be made though their query has begun: they hold what comes from then on."""
    begun = checkpoint.begun(settings.checkpoint_dir)
    plans = plan.plan(registry.discover(*settings.homes).values())
    return [name for query in plans if query.name in begun for name in _late(settings, query)]


def _late(settings: Settings, query: QueryPlan) -> list[str]:
    root = settings.lake_root
    try:
        known = ledger.account(root, query.name).versions
        kept = [update.table for update in query.updates if update.table not in known]
        return [name for name in kept if not tables.exists(root, name)]
    except LakeError:
        return []  # what is lost or damaged is told by the start that it keeps from going on


def _table(settings: Settings, name: str) -> dict[str, Any]:
    try:
        ensured = tables.planned(settings.lake_root, CATALOG.tables[name])
    except LakeError as error:
        return {"table": name, "action": "refuse", "added": [], "problem": str(error)}
    action = RENAMES[ensured.outcome]
    return {"table": name, "action": action, "added": list(ensured.added), "problem": ""}


def _topics(settings: Settings) -> tuple[list[dict[str, Any]] | None, str]:
    try:
        ensured = topics.planned(running_client(settings))
    except BrokerError as error:
        return None, str(error)
    return [_topic(one) for one in ensured], ""


def _topic(ensured: topics.Ensured) -> dict[str, Any]:
    fields = asdict(ensured)
    names = ("setting", "found", "contract")
    differences = [dict(zip(names, one, strict=True)) for one in fields["differences"]]
    return {"topic": ensured.topic, "action": RENAMES[ensured.outcome], "differences": differences}


def _breaks(settings: Settings) -> Iterator[dict[str, str]]:
    """Checkpoints of queries that leave out a topic now, or are no more; a new topic is read from its beginning."""
    plans = {one.name: one for one in plan.plan(registry.discover(*settings.homes).values())}
    for query in checkpoint.begun(settings.checkpoint_dir):
        try:
            problem = _problem(settings, query, plans.get(query))
        except StreamError as error:
            problem = error.message
        if problem:
            yield {"query": query, "problem": f"{problem}; {REBUILD}"}


def _problem(settings: Settings, query: str, query_plan: QueryPlan | None) -> str:
    if query_plan is None:
        return "its checkpoint is of a query that no job makes any more"
    held = checkpoint.current(settings.checkpoint_dir, query)
    last = held.last_committed()
    read = set(held.until(last)) if last is not None else set(held.starting)
    gone = sorted(read - {topic.name for topic in query_plan.topics})
    return f"it no longer reads {', '.join(gone)}, which its checkpoint knows" if gone else ""
