"""What the product declares of an engine and a table."""

from __future__ import annotations

from collections.abc import Iterable

from lakeshelf.lake.form import features
from lakeshelf.lake.form.features import Word
from lakeshelf.lake.rows import traits
from lakeshelf.query.engines import SCAN, route

READS_AS = {"arrow": features.READER, "pandas": features.READER, "ibis": "duckdb"}
WORST_FIRST: tuple[Word, ...] = ("never", "notyet", "notimpl")


def reading(name: str, table_features: Iterable[str]) -> Word:
    """Whether a table with features is served to an engine.

    delta-rs opens every snapshot, and hands over as Arrow what an engine's own route does not read; so what delta-rs
    reads, all engines are served. `notimpl` says that the engine itself would read the rest.
    """
    needed = list(table_features)
    place = features.ENGINES.index(READS_AS.get(name, name))
    lacking = features.cannot_read(need for need in needed if need not in traits.READS)
    words = {features.known(feature).reads[place] for feature in lacking}
    if route(name, needed) == SCAN:
        words |= {traits.scanned(need) for need in needed if need in traits.READS} - {"works"}
    return next(
        (word for word in WORST_FIRST if word in words), "works" if not words else "notimpl"
    )
