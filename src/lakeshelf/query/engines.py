"""Engines: which versions were tried together, and what each reads by its own route.

What an engine's own route does not read is read through delta-rs's `scan` and handed over as Arrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import pyarrow as pa

from lakeshelf import extras
from lakeshelf.errors import ConfigurationError, LakeshelfError, MissingExtra
from lakeshelf.lake.form import features
from lakeshelf.lake.form.features import Word
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.conditions import Where, checked, columns_of
from lakeshelf.lake.rows.predicates import needs_values
from lakeshelf.lake.rows.snapshot import Snapshot

SCAN = "scan"
"""The route through delta-rs's `scan`, as Arrow."""
PLAIN = "plain"
DELETION_VECTORS = "deletion vectors"
COLUMN_MAPPING = "column mapping"
NO_ZONE = "times without zone"
VALUE_CONDITIONS = "conditions on floats and long lists"
OBJECT_STORE = "object store"
_READER_FEATURES = {
    "deletionVectors": DELETION_VECTORS,
    "columnMapping": COLUMN_MAPPING,
    "timestampNtz": NO_ZONE,
}
TESTED = {
    "datafusion": "55.0.0",
    "delta-spark": "4.4.0",
    "duckdb": "1.5.5",
    "duckdb-extension-delta": "1.5.5",
    "ibis-framework": "12.0.0",
    "polars": "2.1.0",
    "pyspark": "4.2.0",
}


class UntestedVersions(LakeshelfError):
    """Libraries that were not tried together with this release."""

    exit_code = 3


@dataclass(frozen=True)
class Engine:
    """An engine that snapshots are served to.

    Attributes:
        name: What callers say.
        packages: Distributions that it needs.
        extra: Extra of this distribution that installs them.
        route: Name of its own route; `scan` where it has none that is right.
        reads: What a table or a question may need → whether its own route does it; what is not here was not tried.
    """

    name: str
    packages: tuple[str, ...]
    extra: str
    route: str
    reads: Mapping[str, Word]

    def route_for(self, needs: Sequence[str]) -> str:
        """The route that reads all of that right."""
        own = all(self.reads.get(need, "notimpl") == "works" for need in needs)
        return self.route if own else SCAN


def _own(reader: str, object_store: Word) -> dict[str, Word]:
    """What an engine reads by its own route: features of tables as `FEATURES` has them, and what questions need."""
    place = features.ENGINES.index(reader)
    words = {
        _need(feature): definition.reads[place] for feature, definition in features.FEATURES.items()
    }
    words |= {trait: reads[place] for trait, reads in traits.READS.items()}
    # Statistics of files leave NaN out, and every engine skips files by them (`lakeshelf.lake.rows.predicates.apart`).
    return words | {PLAIN: "works", VALUE_CONDITIONS: "notyet", OBJECT_STORE: object_store}


def _need(feature: str) -> str:
    return _READER_FEATURES.get(feature, feature)


_DUCKDB = _own("duckdb", "notimpl")
_DATAFUSION = _own("datafusion", "works")
_POLARS = _own("polars", "notimpl")
_SPARK = _own("spark", "notyet")
_ARROW: dict[str, Word] = {PLAIN: "never"}

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("arrow", (), "", SCAN, _ARROW),
        Engine("pandas", ("pandas",), "query", SCAN, _ARROW),
        Engine("duckdb", ("duckdb", "duckdb-extension-delta"), "query", "delta_scan", _DUCKDB),
        Engine(
            "ibis",
            ("duckdb", "duckdb-extension-delta", "ibis-framework"),
            "query",
            "delta_scan",
            _DUCKDB,
        ),
        Engine("datafusion", ("datafusion",), "query", "table provider", _DATAFUSION),
        Engine("polars", ("polars",), "query", "scan_delta", _POLARS),
        Engine("spark", ("pyspark", "delta-spark"), "spark", "delta", _SPARK),
    )
}


def engine_of(name: str) -> Engine:
    """The engine of a name, if it is installed in the version that was tried.

    Raises:
        ConfigurationError: No such engine.
        MissingExtra: It is not installed.
        UntestedVersions: It is installed in another version.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"no engine {name!r}", hint=f"there are {', '.join(ENGINES)}")
    engine = ENGINES[name]
    for package in engine.packages:
        _require(package, engine)
    return engine


def route(name: str, table_features: Iterable[str]) -> str:
    """The route by which an engine is served a table with features."""
    return ENGINES[name].route_for([PLAIN, *map(_need, table_features)])


def needs(
    snapshot: Snapshot,
    where: Where | None = None,
    schema: pa.Schema | None = None,
    columns: Sequence[str] | None = None,
) -> list[str]:
    """What a table, or columns of it, and conditions on it need of the route that reads them."""
    known = snapshot.schema if schema is None else schema
    needed = [PLAIN, *map(_need, sorted(features.used(snapshot.handle)))]
    read = None if columns is None else [*columns, *columns_of(where, known)]
    needed += traits.of(snapshot.handle, read)
    if "://" in snapshot.handle.table_uri and not snapshot.handle.table_uri.startswith("file://"):
        needed.append(OBJECT_STORE)
    if needs_values(checked(where, known)):
        needed.append(VALUE_CONDITIONS)
    return needed


def _require(package: str, engine: Engine) -> None:
    way = extras.way([engine.extra])
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise MissingExtra(f"{package} is not installed", hint=way) from None
    if version != TESTED.get(package, version):
        raise UntestedVersions(
            f"{package} {version} is installed, {TESTED[package]} was tried with this release",
            hint=way,
        )
