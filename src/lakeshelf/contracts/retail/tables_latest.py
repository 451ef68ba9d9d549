"""Working tables that hold the latest message a key of a compacted topic, one for each job that needs it."""

from __future__ import annotations

from lakeshelf.contracts.layers import Staging
from lakeshelf.contracts.model import Table, Topic, without
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail import topics_reference as reference
from lakeshelf.contracts.retail.topics_state import WH_SUPPLIER_ORDERS
from lakeshelf.contracts.types import BOOLEAN, Field


def latest(name: str, owner: str, topic: Topic) -> Table:
    """The table that holds the latest message a key of a topic."""
    own = without(topic.fields, "version", "updated_at")
    return Table(
        name=name,
        key=topic.key,
        owner=owner,
        doc=f"Latest message of `{topic.name}` a key, tombstones included, as {owner} knows it.",
        columns=(
            *topic.key_only,
            *(field if field.name in topic.key else s.optional(field) for field in own),
            s.VERSION,
            Field("deleted", BOOLEAN, "Whether the latest message was a tombstone."),
            s.UPDATED_AT,
        ),
    )


_LATEST = (
    (Staging.LOT_CATALOG_STORE, "batch-state-updater", reference.BATCH_CATALOG),
    (Staging.LOT_CATALOG_WH, "wh-batch-state-updater", reference.BATCH_CATALOG),
    (Staging.SHELF_PROFILES, "reference-sink", reference.SHELF_PROFILES),
    (Staging.PROMOTIONS, "reference-sink", reference.PROMOTIONS),
    (Staging.SHELF_POLICIES, "shelf-alert-engine", reference.SHELF_POLICIES),
    (Staging.WH_POLICIES, "wh-alert-engine", reference.WH_POLICIES),
    (Staging.ORDER_LEVELS, "wh-alert-engine", reference.ORDER_LEVELS),
    (Staging.SUPPLIER_ORDERS, "wh-alert-engine", WH_SUPPLIER_ORDERS),
)
TABLES = tuple(latest(*each) for each in _LATEST)


def holding(topic: str) -> tuple[str, ...]:
    """Tables that hold the latest message a key of a topic: what the jobs obey."""
    return tuple(name for name, _, of in _LATEST if of.name == topic)
