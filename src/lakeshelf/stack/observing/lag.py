"""How far the queries are behind their topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lakeshelf.kafka import topics
from lakeshelf.settings import Settings
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.checkpoint import Starting


def position(settings: Settings, query: str) -> Starting:
    """Topic → partition → offset below which everything is folded, published and committed."""
    if not checkpoint.has_begun(settings.checkpoint_dir, query):
        return {}
    return checkpoint.current(settings.checkpoint_dir, query).reached()


def behind(
    settings: Settings, client: Mapping[str, str], plans: Iterable[QueryPlan]
) -> dict[str, dict[str, int]]:
    """Query → topic → records that are not folded yet.

    Positions are read before the ends of the topics. A batch that is under way has taken records that
    are not committed, so zero everywhere means that nothing is under way and nothing more follows.

    Raises:
        BrokerError: The broker does not answer.
    """
    queries = tuple(plans)
    positions = {query.name: position(settings, query.name) for query in queries}
    ends = topics.end_offsets(client, sorted({t.name for query in queries for t in query.topics}))
    return {
        query.name: {
            t.name: _missing(ends[t.name], positions[query.name].get(t.name, {}))
            for t in query.topics
        }
        for query in queries
    }


def total(lags: Mapping[str, Mapping[str, int]]) -> int:
    """Records behind, over all queries and topics."""
    return sum(records for by_topic in lags.values() for records in by_topic.values())


def _missing(ends: Mapping[str, int], reached: Mapping[str, int]) -> int:
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())
