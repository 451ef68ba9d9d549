"""Bound datasets beside their topics: bound once, and what others send taken in, written down in the metadata too.

docs/design/governance.md#publication
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from threading import Event
from typing import Any

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.publication.adoption import Adopted, Adoption
from lakeshelf.governance.publication.binding import ensure_bound
from lakeshelf.governance.services.changes.finishing import SERVICE
from lakeshelf.governance.services.context import Context, record
from lakeshelf.governance.services.datasets import meta_of, table_of
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.kafka.topics import Stopped
from lakeshelf.logs import log

Client = Callable[[], Mapping[str, str]]
"""Gives librdkafka settings that reach the broker."""
WAIT_S = 1.0
PAUSE_S = 5.0
"""Pause after the broker or the lake refused."""
MOST_TOLD = 100
"""Foreign messages of one commit that the audit names."""


def follow(context: Context, client: Client, stop: Event) -> None:
    """Follow the topics of bound datasets until told to stop; what fails is tried again.

    Args:
        context: What it stands on.
        client: Gives librdkafka settings that reach the broker; refuses while none runs.
        stop: Set when it is to end.
    """
    while not stop.is_set():
        try:
            _followed(context, client(), stop)
        except Stopped:
            return
        except LakeshelfError as error:
            log.warning("adoption failed", error=str(error))
            stop.wait(PAUSE_S)


def bound_tables(context: Context) -> list[MainTable]:
    """Canonical tables of the datasets that feed a topic."""
    with context.metadata.reading() as tx:
        tables = [table_of(context, tx, one.project, one.id) for one in tx.datasets.all()]
    return [table for table in tables if table.definition.topic is not None]


def settle(context: Context, table: MainTable, adopted: Adopted) -> None:
    """Write down what was taken in: where the table stands, an event, and an audit of what others sent."""
    meta, now = meta_of(context, table.opened(), "adopt"), context.clock()
    place = table.folder
    foreign = [asdict(one) for one in adopted.foreign[:MOST_TOLD]]
    details: dict[str, Any] = {"version": adopted.version, "rows": adopted.rows}
    if foreign:
        details |= {"foreign": foreign, "foreign_count": len(adopted.foreign)}
    with context.metadata.transaction() as tx:
        tx.datasets.stands(meta)
        action = "dataset.foreign" if foreign else "dataset.adopted"
        record(
            tx,
            SERVICE,
            action,
            now,
            project=place.project,
            dataset=place.dataset,
            details=details,
        )


def _followed(context: Context, client: Mapping[str, str], stop: Event) -> None:
    tables = bound_tables(context)
    by_name = {table.folder.name: table for table in tables}
    for table in tables:
        if ensure_bound(table, client, stop):
            settle(context, table, Adopted(table.folder.name, table.opened().version, 0, ()))
    adoption = Adoption(tables, client, stop=stop)
    try:
        while not stop.is_set():
            for adopted in adoption.turn(WAIT_S):
                settle(context, by_name[adopted.dataset], adopted)
    finally:
        adoption.close()
