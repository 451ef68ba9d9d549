"""The retail half: its topics, tables and views, as one catalogue."""

from __future__ import annotations

from lakeshelf.contracts.catalog import Catalog
from lakeshelf.contracts.retail import (
    apps,
    tables_commands,
    tables_curated,
    tables_decisions,
    tables_latest,
    tables_library,
    tables_models,
    tables_raw,
    tables_state,
    topics_events,
    topics_reference,
    topics_state,
    views,
)

PRODUCT = Catalog.of(
    topics=(*topics_events.TOPICS, *topics_reference.TOPICS, *topics_state.TOPICS, *apps.TOPICS),
    tables=(
        *tables_raw.TABLES,
        *tables_state.TABLES,
        *tables_latest.TABLES,
        *tables_decisions.TABLES,
        *tables_commands.TABLES,
        *tables_curated.TABLES,
        *tables_library.TABLES,
        *tables_models.TABLES,
        *apps.TABLES,
    ),
    views=views.VIEWS,
)
"""Every topic, table and view that the product declares."""
