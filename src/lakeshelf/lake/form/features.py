"""Features of tables: which engine reads and writes a table that has them.

A feature is in force when the table's protocol says so. Every engine can be served rows through delta-rs's `scan`,
so a table can be read when delta-rs reads it. Who writes it is a matter of its profile: both of the product's writers,
or Spark alone (`spark_only`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, TableFeatures

from lakeshelf.errors import LakeError
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.place.errors import FeatureRefused, explained

Word = Literal["works", "notimpl", "notyet", "never"]
"""`notimpl`: we could; `notyet`: the engine must; `never`: by design."""
ENGINES = ("delta-rs", "duckdb", "datafusion", "polars", "spark")
READER = "delta-rs"
SHARED_WRITERS = ("delta-rs", "spark")
SPARK_ONLY = "spark_only"
COLUMN_MAPPING = "delta.columnMapping.mode"


@dataclass(frozen=True)
class Feature:
    """A table feature.

    Attributes:
        reads: Word of each of `ENGINES`, in that order, for reading by its own route.
        writes: Words of delta-rs and Spark for writing.
        setting: Property that turns it on from here; empty: it is named in the protocol alone, or see `how`.
        how: How it is turned on: by its property, by name in the protocol, or only by Spark.
        enum: Its name in `deltalake.TableFeatures`, where it has one.
    """

    reads: tuple[Word, ...]
    writes: tuple[Word, Word]
    setting: str = ""
    how: Literal["property", "protocol", "spark"] = "spark"
    enum: str = ""


_ALL: tuple[Word, ...] = ("works",) * 5
_NOT_POLARS: tuple[Word, ...] = ("works", "works", "works", "notyet", "works")
# DuckDB reads variants and has no Arrow type to hand them over in.
_NOT_DUCKDB_NOR_POLARS: tuple[Word, ...] = ("works", "notyet", "works", "notyet", "works")
_DUCKDB_AND_SPARK: tuple[Word, ...] = ("notyet", "works", "notyet", "notyet", "works")
_SPARK_READS: tuple[Word, ...] = ("notyet", "notyet", "notyet", "notyet", "works")
_BOTH: tuple[Word, Word] = ("works", "works")
_SPARK_WRITES: tuple[Word, Word] = ("notyet", "works")

FEATURES: dict[str, Feature] = {
    "appendOnly": Feature(_ALL, _BOTH, "delta.appendOnly", "property", "AppendOnly"),
    "invariants": Feature(_ALL, _BOTH, how="protocol", enum="Invariants"),
    "checkConstraints": Feature(_ALL, _BOTH, how="protocol", enum="CheckConstraints"),
    "changeDataFeed": Feature(
        _ALL, _BOTH, "delta.enableChangeDataFeed", "property", "ChangeDataFeed"
    ),
    "generatedColumns": Feature(_ALL, _BOTH, enum="GeneratedColumns"),
    "timestampNtz": Feature(_ALL, _BOTH, how="protocol", enum="TimestampWithoutTimezone"),
    "v2Checkpoint": Feature(_NOT_POLARS, _BOTH, how="protocol", enum="V2Checkpoint"),
    "variantType": Feature(_NOT_DUCKDB_NOR_POLARS, _BOTH, enum="VariantType"),
    "variantType-preview": Feature(_NOT_DUCKDB_NOR_POLARS, _BOTH, enum="VariantTypePreview"),
    # delta-rs commits to such tables, but rewrites files as if no row of them were deleted in place.
    "deletionVectors": Feature(
        ("works", "works", "notyet", "works", "works"),
        _SPARK_WRITES,
        "delta.enableDeletionVectors",
        "property",
        "DeletionVectors",
    ),
    "columnMapping": Feature(_NOT_POLARS, _SPARK_WRITES, COLUMN_MAPPING, enum="ColumnMapping"),
    "identityColumns": Feature(_ALL, _SPARK_WRITES, enum="IdentityColumns"),
    "domainMetadata": Feature(_ALL, _SPARK_WRITES, enum="DomainMetadata"),
    "rowTracking": Feature(_ALL, _SPARK_WRITES, "delta.enableRowTracking", enum="RowTracking"),
    "inCommitTimestamp": Feature(_ALL, _SPARK_WRITES, "delta.enableInCommitTimestamps"),
    "clustering": Feature(_ALL, _SPARK_WRITES),
    "allowColumnDefaults": Feature(_ALL, _SPARK_WRITES),
    "icebergCompatV1": Feature(_NOT_POLARS, _SPARK_WRITES, enum="IcebergCompatV1"),
    "icebergCompatV2": Feature(_NOT_POLARS, _SPARK_WRITES),
    "checkpointProtection": Feature(_ALL, _SPARK_WRITES),
    "typeWidening": Feature(_DUCKDB_AND_SPARK, _SPARK_WRITES, "delta.enableTypeWidening"),
    "typeWidening-preview": Feature(_DUCKDB_AND_SPARK, _SPARK_WRITES),
    "vacuumProtocolCheck": Feature(_DUCKDB_AND_SPARK, _SPARK_WRITES),
    "variantShredding-preview": Feature(_DUCKDB_AND_SPARK, _SPARK_WRITES),
    # Commits go through a catalogue server, which the product does not have.
    "catalogManaged": Feature(("never",) * 5, ("never", "never")),
    "catalogOwned-preview": Feature(("never",) * 5, ("never", "never")),
}
"""Protocols with each feature alone, tried by opening, reading and appending (docs/design/storage.md#versions)."""

BROUGHT = frozenset({"variantType"})
"""delta-rs names it in every protocol that it raises to named features; without such a column it means nothing."""
_UNKNOWN = Feature(_SPARK_READS, _SPARK_WRITES)
_LEGACY = (
    (2, "appendOnly"),
    (2, "invariants"),
    (3, "checkConstraints"),
    (4, "changeDataFeed"),
    (4, "generatedColumns"),
    (6, "identityColumns"),
)
"""Writer versions below 7 do not name their features."""
_NAMED_READER, _NAMED_WRITER = 3, 7
_OFF = ("", "false", "none")


def known(feature: str) -> Feature:
    """What is known of a feature; of others, that Spark alone may have it."""
    return FEATURES.get(feature, _UNKNOWN)


def in_force(handle: DeltaTable) -> frozenset[str]:
    """Features that the protocol of a table demands, whether it names them or not."""
    protocol = handle.protocol()
    named = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    version = protocol.min_writer_version
    if version < _NAMED_WRITER:
        named |= {feature for since, feature in _LEGACY if version >= since}
    if protocol.min_reader_version > _NAMED_READER:
        named.add(f"reader version {protocol.min_reader_version}")
    if version > _NAMED_WRITER:
        named.add(f"writer version {version}")
    mapped = handle.metadata().configuration.get(COLUMN_MAPPING, "none") != "none"
    if mapped or protocol.min_reader_version == 2:
        named.add("columnMapping")
    return frozenset(named)


def used(handle: DeltaTable) -> frozenset[str]:
    """Features in force, without those of variants where no column is one: delta-rs names them unasked."""
    named = in_force(handle)
    if '"type":"variant"' in handle.schema().to_json().replace(" ", ""):
        return named
    return named - {"variantType", "variantType-preview"}


def cannot_read(features: Iterable[str], engine: str = READER) -> list[str]:
    """Those of the features that keep an engine from reading a table."""
    place = ENGINES.index(engine)
    return sorted(f for f in features if known(f).reads[place] != "works")


def cannot_write(features: Iterable[str], engine: str = "delta-rs") -> list[str]:
    """Those of the features that keep a writer from writing a table."""
    place = SHARED_WRITERS.index(engine)
    return sorted(f for f in features if known(f).writes[place] != "works")


def require_readable(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for a table that delta-rs cannot read."""
    _require(name, "read", cannot_read(in_force(handle)), handle)


def require_writable(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for a table that delta-rs cannot write."""
    _require(name, "write", cannot_write(in_force(handle)), handle)


def require_changeable(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for a table that only takes more rows."""
    if handle.metadata().configuration.get("delta.appendOnly") == "true":
        raise FeatureRefused(
            f"rows of {name} cannot be changed: it is append-only", hint="append to it"
        )


def require_removable(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for files that delta-rs would remove under another path, so that their rows stay.

    Spark logs `part=ä/…` as it is, delta-rs its removal as `part=%C3%A4/…`. Only partitions have such letters.
    """
    if not handle.metadata().partition_columns:
        return
    for path in added(handle)["path"].to_pylist():
        if not path.isascii():
            raise FeatureRefused(
                f"rows of {name} cannot be changed by delta-rs: it would not remove {path}",
                hint="change them with Spark; rows can be appended",
            )


def writers_of(profile: str) -> tuple[str, ...]:
    """Engines that write tables of a profile."""
    return ("spark",) if profile == SPARK_ONLY else SHARED_WRITERS


def refuse_unfit(name: str, features: Iterable[str], writers: Sequence[str]) -> None:
    """Refuse features that one of the registered engines cannot handle.

    Raises:
        FeatureRefused: With the engine and the feature; nothing is written.
    """
    for feature in features:
        if cannot_read([feature]):
            raise _unfit(name, feature, "cannot be read by delta-rs, which serves every engine")
        for writer in writers:
            if known(feature).writes[SHARED_WRITERS.index(writer)] != "works":
                raise _unfit(name, feature, f"cannot be written by {writer}")


def refuse_unfit_properties(
    name: str, properties: Mapping[str, str], writers: Sequence[str]
) -> None:
    """Refuse properties of a new table that would turn on what an engine cannot handle, or nothing at all.

    Raises:
        FeatureRefused: With the engine and the feature; nothing is written.
    """
    for feature, definition in FEATURES.items():
        value = properties.get(definition.setting, "") if definition.setting else ""
        if value not in _OFF:
            _feature_to_enable(name, feature)
            refuse_unfit(name, [feature], writers)
    for key in properties:
        if key.startswith("delta.feature."):
            raise FeatureRefused(
                f"{key} of {name} would not do what it says",
                hint="create the table, then `Lake.enable` the feature",
            )


def refuse_naive_times(name: str, schema: pa.Schema, features: Iterable[str] = ()) -> None:
    """Refuse times without a zone, which upgrade a table silently to reader 3.

    Raises:
        FeatureRefused: A column has them, and the table lacks the feature.
    """
    if "timestampNtz" in features:
        return
    naive = [field.name for field in schema if _has_naive_time(field.type)]
    if naive:
        raise FeatureRefused(
            f"column {naive[0]} of {name} holds times without a zone, which older readers cannot read",
            hint="give them a zone (UTC), or enable the feature `timestampNtz` first",
        )


def enable(handle: DeltaTable, name: str, feature: str, writers: Sequence[str]) -> bool:
    """Turn a feature on, in one commit or two, and compare the protocol that results.

    Args:
        handle: The table.
        name: The dataset.
        feature: Name of the feature, as the Delta protocol has it.
        writers: Engines that write the table (`writers_of`).

    Returns:
        Whether anything was committed: an identical change would still commit, so it is not made.

    Raises:
        FeatureRefused: One of the engines cannot handle it, only Spark can turn it on, or nobody knows it.
        LakeError: The protocol is not what was asked for.
    """
    definition = _feature_to_enable(name, feature)
    refuse_unfit(name, [feature], writers)
    before = in_force(handle)
    is_set = (
        not definition.setting or handle.metadata().configuration.get(definition.setting) == "true"
    )
    if feature in before and is_set:
        return False
    with explained(f"{feature} was not enabled on {name}", LakeError):
        if feature not in before:
            _name_in_protocol(handle, before | {feature})
        if not is_set:
            handle.alter.set_table_properties(
                {definition.setting: "true"}, post_commithook_properties=HOOKS
            )
    handle.update_incremental()
    _compare(name, before | {feature}, in_force(handle))
    return True


def support(handle: DeltaTable, profile: str) -> dict[str, Any]:
    """Features of a table, and which engines read and write it."""
    features, needed = in_force(handle), used(handle)
    protocol = handle.protocol()
    return {
        "reader_version": protocol.min_reader_version,
        "writer_version": protocol.min_writer_version,
        "features": sorted(features),
        "profile": profile,
        "read_by": {engine: cannot_read(needed, engine) for engine in ENGINES},
        "written_by": {writer: cannot_write(features, writer) for writer in SHARED_WRITERS},
    }


def _feature_to_enable(name: str, feature: str) -> Feature:
    if feature not in FEATURES:
        listed = ", ".join(f for f, definition in FEATURES.items() if definition.how != "spark")
        raise FeatureRefused(f"no feature {feature!r} is known", hint=f"there is {listed}")
    if FEATURES[feature].how == "spark":
        raise FeatureRefused(
            f"{feature} cannot be enabled on {name} from here: delta-rs does not turn it on",
            hint="ALTER TABLE … SET TBLPROPERTIES in Spark does it",
        )
    return FEATURES[feature]


def _name_in_protocol(handle: DeltaTable, features: Iterable[str]) -> None:
    # Alone, the new one would replace those that the protocol does not name: the change feed would be lost.
    named = [getattr(TableFeatures, known(f).enum) for f in sorted(features) if known(f).enum]
    handle.alter.add_feature(
        named,
        allow_protocol_versions_increase=True,
        commit_properties=CommitProperties(),
        post_commithook_properties=HOOKS,
    )


def _compare(name: str, expected: frozenset[str], actual: frozenset[str]) -> None:
    implied = {feature for _, feature in _LEGACY}
    lost, more = expected - actual, actual - expected - BROUGHT - implied
    if lost or more:
        what = [*(f"lacks {f}" for f in sorted(lost)), *(f"also has {f}" for f in sorted(more))]
        raise LakeError(
            f"{name} {' and '.join(what)} after the change", hint="restore the version before it"
        )


def _require(name: str, what: str, lacking: list[str], handle: DeltaTable) -> None:
    if lacking:
        raise FeatureRefused(
            f"delta-rs cannot {what} table {name}: it has {', '.join(lacking)} "
            f"(needs Delta reader {handle.protocol().min_reader_version}, "
            f"writer {handle.protocol().min_writer_version})",
            hint=f"{what} it with Spark, or upgrade Lakeshelf; `lakeshelf lake features {name}` says who can",
        )


def _unfit(name: str, feature: str, why: str) -> FeatureRefused:
    return FeatureRefused(
        f"{name} cannot have {feature}: it {why}",
        hint="choose the profile `spark_only` for what Spark alone writes; `lakeshelf lake features` lists all",
    )


def _has_naive_time(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    return any(_has_naive_time(kind.field(i).type) for i in range(kind.num_fields))
