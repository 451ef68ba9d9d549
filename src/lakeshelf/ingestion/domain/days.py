"""The local day of an event, in the zone of its store."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.declared.instants import to_local


def local_days(
    instants: pa.Array, stores: pa.Array, zone: str, zones: Mapping[str, str]
) -> pa.Array:
    """Day of each instant where its store is.

    Args:
        instants: When it happened, UTC.
        stores: Where.
        zone: Zone of stores that `zones` does not name.
        zones: Store → zone.
    """
    days = _days(instants, zone)
    names = pc.cast(stores, pa.string())
    for other in sorted(set(zones.values())):
        zone_stores = [store for store, its in zones.items() if its == other]
        in_zone = pc.is_in(names, pa.array(zone_stores, pa.string()))
        days = pc.if_else(in_zone, _days(instants, other), days)
    return days


def _days(instants: pa.Array, zone: str) -> pa.Array:
    return to_local(instants, zone).cast(pa.date32(), safe=False)
