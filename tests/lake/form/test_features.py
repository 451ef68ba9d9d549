"""Features: the table of words is what the engines do, and nothing is enabled that one of them cannot handle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.lake import Lake
from lakeshelf.lake.form import features
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.form.features import FEATURES
from lakeshelf.lake.place.errors import FeatureRefused
from lakeshelf.lake.rows import tables
from tests.lake.upkeep.rig import NAME, SCHEMA, add, made, on_disk, rows

PART_OF_READERS = {
    "columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "typeWidening", "typeWidening-preview",
    "vacuumProtocolCheck", "variantType", "variantType-preview", "variantShredding-preview", "catalogManaged",
    "catalogOwned-preview",
}  # fmt: skip
NEEDS = {
    "rowTracking": ["domainMetadata"], "clustering": ["domainMetadata"],
    "icebergCompatV1": ["columnMapping"], "icebergCompatV2": ["columnMapping"],
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("plain") / "curated" / "counts"
    write_deltalake(str(place), pa.table({"n": [1, 2]}))
    return place


def having(plain: Path, root: Path, feature: str) -> str:
    """A copy of a table whose protocol names a feature, with what that feature demands."""
    place = root / NAME
    shutil.copytree(plain, place)
    named = [feature, *NEEDS.get(feature, [])]
    readers = [name for name in named if name in PART_OF_READERS]
    protocol = {
        "minReaderVersion": 3 if readers else 1,
        "minWriterVersion": 7,
        "writerFeatures": named,
    }
    if readers:
        protocol["readerFeatures"] = readers
    first = place / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in first.read_text().splitlines()]
    changed = [{"protocol": protocol} if "protocol" in action else action for action in actions]
    first.write_text("\n".join(json.dumps(action) for action in changed))
    return str(place)


def delta_rs(place: str) -> int:
    return pa.RecordBatchReader.from_stream(DeltaTable(place).scan()).read_all().num_rows


def duckdb(place: str) -> int:
    from lakeshelf.query import duck

    with duck.connected() as connection:
        return len(connection.execute("SELECT * FROM delta_scan(?)", [place]).fetchall())


def datafusion(place: str) -> int:
    from datafusion import SessionContext

    context = SessionContext()
    context.register_table("t", DeltaTable(place))
    return sum(batch.num_rows for batch in context.sql("SELECT * FROM t").collect())


def polars(place: str) -> int:
    import polars

    return polars.scan_delta(place).collect().height


def works(attempt: Callable[[str], int], place: str) -> bool:
    try:
        return attempt(place) == 2
    except BaseException:  # noqa: BLE001 - engines raise what they like, also panics
        return False


READERS: dict[str, Callable[[str], int]] = {
    "delta-rs": delta_rs, "duckdb": duckdb, "datafusion": datafusion, "polars": polars,
}  # fmt: skip
CONTENT = ("deletionVectors", "columnMapping", "variantType", "variantType-preview")
BY_PROTOCOL = [f for f in FEATURES if f not in CONTENT]
"""The others depend on what the table holds: rows that are deleted in place, columns of other names, variants."""


@pytest.mark.parametrize("feature", BY_PROTOCOL)
def test_the_words_are_what_the_engines_do(plain: Path, tmp_path: Path, feature: str) -> None:
    place = having(plain, tmp_path, feature)
    for engine, reader in READERS.items():
        needed = {feature, *NEEDS.get(feature, [])}
        said = not features.cannot_read(needed, engine)
        assert works(reader, place) == said, f"{engine} reads {feature}"
    said = not features.cannot_write({feature, *NEEDS.get(feature, [])})

    def append(place: str) -> int:
        write_deltalake(place, pa.table({"n": [3]}), mode="append")
        return 2

    assert works(append, place) == said, f"delta-rs writes {feature}"


@pytest.mark.parametrize("feature", ["deletionVectors", "identityColumns", "columnMapping"])
def test_a_table_that_can_be_read_alone_is_read_and_not_written(
    plain: Path, tmp_path: Path, feature: str
) -> None:
    having(plain, tmp_path, feature)
    lake = Lake(tmp_path)
    before = on_disk(tmp_path)
    assert lake.read(NAME).read_all()["n"].to_pylist() == [1, 2]
    with pytest.raises(FeatureRefused, match=feature):
        lake.append(NAME, [{"n": 3}])
    with pytest.raises(FeatureRefused, match=feature):
        lake.merge(NAME, [{"n": 3}], ["n"])
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize("feature", ["typeWidening", "somethingNew"])
def test_a_table_that_cannot_be_read_is_refused_with_who_can(
    plain: Path, tmp_path: Path, feature: str
) -> None:
    having(plain, tmp_path, feature)
    if feature == "somethingNew":
        assert features.cannot_read([feature]) == [feature], (
            "what nobody knows, Spark alone may have"
        )
        return
    with pytest.raises(FeatureRefused, match=f"cannot read.*{feature}"):
        Lake(tmp_path).read(NAME)


@pytest.mark.parametrize(
    "feature", ["deletionVectors", "columnMapping", "rowTracking", "inCommitTimestamp", "nonsense"]
)
def test_a_feature_that_an_engine_lacks_is_refused_before_anything_is_written(
    tmp_path: Path, feature: str
) -> None:
    made(tmp_path, files=1)
    before = on_disk(tmp_path)
    with pytest.raises(FeatureRefused, match=feature):
        Lake(tmp_path).enable(NAME, feature)
    assert on_disk(tmp_path) == before


def test_enabling_twice_commits_once_and_what_was_in_force_stays(tmp_path: Path) -> None:
    handle = made(tmp_path, files=1)
    before = features.in_force(handle)
    assert "changeDataFeed" in before
    assert Lake(tmp_path).enable(NAME, "timestampNtz")
    now = DeltaTable(handle.table_uri)
    assert features.in_force(now) == before | {"timestampNtz"}
    assert not Lake(tmp_path).enable(NAME, "timestampNtz")
    assert DeltaTable(handle.table_uri).version() == now.version()
    add(now, 1)
    assert len(rows(tmp_path)) == 6


def test_named_alone_a_feature_would_cost_the_change_feed(tmp_path: Path) -> None:
    from deltalake import TableFeatures

    handle = made(tmp_path)
    handle.alter.add_feature(
        TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True
    )
    assert "changeDataFeed" not in features.in_force(handle)


def test_a_protocol_that_is_not_what_was_asked_for_is_an_error() -> None:
    with pytest.raises(Exception, match="lacks changeDataFeed and also has rowTracking"):
        features._compare("a/b", frozenset({"changeDataFeed"}), frozenset({"rowTracking"}))


@pytest.mark.parametrize(
    "properties",
    [{"delta.enableRowTracking": "true"}, {"delta.enableTypeWidening": "true"}, {"delta.enableDeletionVectors": "true"},
     {"delta.columnMapping.mode": "name"}, {"delta.feature.timestampNtz": "supported"}],
)  # fmt: skip
def test_properties_that_would_be_without_effect_or_shut_out_an_engine_make_no_table(
    tmp_path: Path, properties: dict[str, str]
) -> None:
    with pytest.raises(FeatureRefused):
        tables.create(tmp_path, Dataset(NAME, SCHEMA, properties=properties))
    assert not (tmp_path / NAME).exists()


def test_what_spark_alone_writes_may_have_deletion_vectors(tmp_path: Path) -> None:
    made(tmp_path, profile="spark_only")
    lake = Lake(tmp_path, catalog={})
    assert lake.dataset(NAME).profile == "spark_only"
    assert "deletionVectors" in features.in_force(lake.snapshot(NAME).handle)
    assert lake.read(NAME).read_all().num_rows == 0
    with pytest.raises(FeatureRefused, match="deletionVectors"):
        lake.append(NAME, [{"n": 1, "m": 1, "day": ""}])


NAIVE = pa.schema([("n", pa.int64()), ("at", pa.timestamp("us"))])
NESTED = pa.schema([("n", pa.list_(pa.struct([("at", pa.timestamp("us"))])))])


@pytest.mark.parametrize("schema", [NAIVE, NESTED])
def test_times_without_a_zone_do_not_upgrade_a_table_in_silence(
    tmp_path: Path, schema: pa.Schema
) -> None:
    with pytest.raises(FeatureRefused, match="without a zone"):
        Lake(tmp_path).create(NAME, schema)
    assert not (tmp_path / NAME).exists()
    handle = made(tmp_path, files=1)
    wider = pa.table(
        {"n": [1], "m": [1], "day": [""], "more": pa.array([None], schema.field(-1).type)}
    )
    with pytest.raises(FeatureRefused, match="without a zone"):
        Lake(tmp_path).append(NAME, wider, schema_mode="merge")
    assert DeltaTable(handle.table_uri).protocol().min_reader_version == 1
    Lake(tmp_path).enable(NAME, "timestampNtz")
    assert Lake(tmp_path).append(NAME, wider, schema_mode="merge").rows == 1


def test_left_to_delta_a_table_would_be_upgraded_in_silence(tmp_path: Path) -> None:
    table = DeltaTable.create(str(tmp_path / "t"), schema=NAIVE)
    assert table.protocol().min_reader_version == 3
