"""Delta and PostgreSQL store tables with versions alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.errors import LakeError
from lakeshelf.governance.storage.backends import port
from lakeshelf.governance.storage.backends.delta import DeltaBackend
from lakeshelf.governance.storage.backends.port import StorageBackend
from lakeshelf.governance.storage.backends.postgres import PostgresBackend
from lakeshelf.lake import Lake
from lakeshelf.lake.place.errors import (
    Conflict,
    KeyViolation,
    NameRefused,
    NotFound,
    PredicateError,
    SchemaError,
    StorageError,
    Vacuumed,
    VersionNotFound,
)
from tests.governance.postgres import Postgres

NAME, ODD = "curated/limits", "odd\"'--"
SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("units", pa.int64()),
        pa.field("price", pa.decimal128(20, 4)),
        pa.field("share", pa.float64()),
        pa.field("active", pa.bool_()),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field(ODD, pa.string()),
    ]
)

NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


@pytest.fixture(params=["delta", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> StorageBackend:
    if request.param == "delta":
        return DeltaBackend(Lake(tmp_path / "lake"))
    return PostgresBackend(request.getfixturevalue("database"))


@pytest.fixture
def made(backend: StorageBackend) -> StorageBackend:
    backend.create(NAME, SCHEMA, ["code"])
    return backend


def rows(*records: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(records), SCHEMA)


def row(code: str, units: int | None = None, **cells: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SCHEMA.names), "code": code, "units": units, **cells}


def codes(*names: str) -> pa.Table:
    return pa.table({"code": list(names)})


def units(backend: StorageBackend, version: int | None = None) -> dict[str, int | None]:
    table = backend.query(NAME, columns=["code", "units"], version=version).read_all()
    found = table.to_pylist()
    assert len({one["code"] for one in found}) == len(found)
    return {one["code"]: one["units"] for one in found}


def changes(backend: StorageBackend) -> list[str]:
    listed = [one.operation for one in backend.history(NAME)]
    return [one for one in reversed(listed) if one != port.UPKEEP]


def test_values_come_back_as_they_were(made: StorageBackend) -> None:
    edges = rows(
        row(
            "", 2**63 - 1, price=Decimal("9999999999999999.9999"), share=float("inf"), active=False
        ),
        row("null", -(2**63), price=Decimal("-0.0001"), share=5e-324, day=date(1, 1, 1)),
        row("ä\t\\N\n'\"", None, at=datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), active=True),
        row("empty", 0, **{ODD: ""}),
        row("absent", 0, **{ODD: None}),
    )
    made.append_rows(NAME, edges)
    found = made.query(NAME).read_all().sort_by("code")
    assert found.schema.equals(SCHEMA)
    assert found.to_pylist() == edges.sort_by("code").to_pylist()


def test_each_write_makes_a_version_that_can_be_read_and_comes_back(made: StorageBackend) -> None:
    first = made.append_rows(NAME, rows(row("a", 1), row("b", 2)))
    second = made.merge(NAME, rows(row("b", 3), row("c", 4)), deleted=codes("a", "unknown"))
    third = made.overwrite(NAME, rows(row("z", 9)))
    assert made.history(NAME)[-1].version < first < second < third
    assert units(made, first) == {"a": 1, "b": 2}
    assert units(made, second) == {"b": 3, "c": 4}
    assert units(made) == {"z": 9}
    fourth = made.restore(NAME, first)
    assert units(made) == units(made, fourth) == {"a": 1, "b": 2}
    made.merge(NAME, rows(row("a", 7)))
    assert units(made) == {"a": 7, "b": 2}
    assert changes(made) == ["create", "append", "merge", "overwrite", "restore", "merge"]
    stats = made.stats(NAME)
    assert (stats.rows, stats.bytes > 0) == (2, True)
    assert stats.version == made.history(NAME)[0].version


def test_what_changes_nothing_makes_no_version(made: StorageBackend) -> None:
    before = made.append_rows(NAME, rows(row("a", 1), row("b", None, share=float("nan"))))
    assert made.append_rows(NAME, rows()) == before
    assert made.merge(NAME, rows(row("a", 1))) == before
    assert made.merge(NAME, rows(), deleted=codes("unknown")) == before
    assert made.restore(NAME, before) == before
    assert [one.version for one in made.history(NAME)].count(before) == 1


def test_a_write_that_expects_another_version_is_refused(made: StorageBackend) -> None:
    stale = made.append_rows(NAME, rows(row("a", 1)))
    made.append_rows(NAME, rows(row("b", 2)), expected=stale)
    for write in (made.append_rows, made.overwrite, made.merge):
        with pytest.raises(Conflict):
            write(NAME, rows(row("c", 3)), expected=stale)
    assert units(made) == {"a": 1, "b": 2}


def test_conditions_choose_rows_alike(made: StorageBackend) -> None:
    made.append_rows(
        NAME,
        rows(
            row("a", 1, share=float("nan"), price=Decimal("0.1000")),
            row("B", 2, share=1.5, price=Decimal("0.1050")),
            row("c", None, **{ODD: "x"}),
        ),
    )

    def chosen(*where: Any) -> set[str]:
        read = made.query(NAME, columns=["code"], where=list(where)).read_all()
        return set(read["code"].to_pylist())

    assert chosen(("units", ">=", 2)) == {"B"}
    assert chosen(("share", ">", 1.0)) == {"B"}
    assert chosen(("price", "<", Decimal("0.105"))) == {"a"}
    assert chosen(("code", ">", "a")) == {"c"}
    assert chosen(("code", "in", ["a", "c"]), ("units", "is null")) == {"c"}
    assert chosen((ODD, "=", "x")) == {"c"}
    assert chosen(("code", "=", "a' OR 'a' = 'a")) == set()
    with pytest.raises(PredicateError):
        made.query(NAME, where=[("units = 1 OR 1", "=", 1)])
    with pytest.raises(SchemaError):
        made.query(NAME, columns=["code; DROP TABLE x"])


@pytest.mark.parametrize(
    ("incoming", "deleted", "error"),
    [
        (rows(row("a", 1), row("a", 2)), None, KeyViolation),
        (rows(row("a", 1)), codes("a"), KeyViolation),
        (rows(), pa.table({"code": pa.array([None], pa.string())}), (KeyViolation, SchemaError)),
        (rows(row("a", 1)).drop_columns(["units"]), None, SchemaError),
        (rows(), pa.table({"units": [1]}), SchemaError),
    ],
)
def test_rows_that_cannot_be_merged_are_refused_and_nothing_changes(
    made: StorageBackend, incoming: pa.Table, deleted: pa.Table | None, error: Any
) -> None:
    made.append_rows(NAME, rows(row("b", 2)))
    before = made.stats(NAME).version
    with pytest.raises(error):
        made.merge(NAME, incoming, deleted=deleted)
    assert (units(made), made.stats(NAME).version) == ({"b": 2}, before)


def test_upkeep_changes_no_row_and_no_version_that_can_be_read(made: StorageBackend) -> None:
    first = made.append_rows(NAME, rows(row("a", 1)))
    for number in range(4):
        made.merge(NAME, rows(row("a", number + 2), row(f"n{number}", number)))
    before = units(made)
    made.optimize(NAME)
    made.z_order(NAME, ["units"])
    made.vacuum(NAME, timedelta(days=30))
    assert units(made) == before
    assert units(made, first) == {"a": 1}
    with pytest.raises(SchemaError):
        made.z_order(NAME, ["nothing"])
    with pytest.raises(LakeError):
        made.vacuum(NAME, timedelta(days=-1))


def test_what_is_not_there_is_told(backend: StorageBackend) -> None:
    for ask in (backend.stats, backend.history, backend.query, backend.optimize):
        with pytest.raises(NotFound):
            ask(NAME)
    backend.create(NAME, SCHEMA)
    with pytest.raises(Conflict):
        backend.create(NAME, SCHEMA)
    for version in (7, -1):
        with pytest.raises((VersionNotFound, Vacuumed, LakeError)):
            backend.query(NAME, version=version)
        with pytest.raises((VersionNotFound, Vacuumed, LakeError)):
            backend.restore(NAME, version)
    with pytest.raises(SchemaError):
        backend.merge(NAME, rows(row("a", 1)))
    for name in ("../x", "curated/x; DROP TABLE y", "curated"):
        with pytest.raises(NameRefused):
            backend.create(name, SCHEMA)


Step = tuple[str, dict[str, int], list[str]]
CODES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "merge", "overwrite", "restore"]),
        st.dictionaries(CODES, st.integers(0, 2), max_size=3),
        st.lists(CODES, max_size=2, unique=True),
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_every_version_is_what_a_plain_model_says(database: str, steps: list[Step]) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DROP SCHEMA IF EXISTS lakeshelf CASCADE")
    backend = PostgresBackend(database)
    backend.create(NAME, SCHEMA, ["code"])
    model: dict[int, dict[str, int]] = {0: {}}
    for kind, values, gone in steps:
        now = model[max(model)]
        incoming = rows(*(row(*item) for item in values.items()))
        if kind == "append":
            if now.keys() & values.keys():
                continue
            version, expected = backend.append_rows(NAME, incoming), now | values
        elif kind == "overwrite":
            version, expected = backend.overwrite(NAME, incoming), values
        elif kind == "merge":
            deleted = [one for one in gone if one not in values]
            version = backend.merge(
                NAME, incoming, deleted=codes(*deleted).cast(pa.schema([("code", pa.string())]))
            )
            expected = {k: v for k, v in (now | values).items() if k not in deleted}
        else:
            target = len(gone) % len(model)
            version, expected = backend.restore(NAME, target), model[target]
        assert version == max(model) + (expected != now or version != max(model))
        model[version] = dict(expected)
    for version, expected in model.items():
        assert units(backend, version) == expected
    assert backend.stats(NAME).rows == len(model[max(model)])


def test_postgresql_lets_go_of_old_versions_and_says_so(database: str) -> None:
    times = [NOW]
    backend = PostgresBackend(database, lambda: times[-1])
    backend.create(NAME, SCHEMA, ["code"])
    first = backend.append_rows(NAME, rows(row("a", 1)))
    second = backend.merge(NAME, rows(row("a", 2)))
    times.append(NOW + timedelta(days=40))
    third = backend.merge(NAME, rows(row("a", 3)))
    backend.vacuum(NAME, timedelta(days=30))
    assert (units(backend, second), units(backend, third)) == ({"a": 2}, {"a": 3})
    with pytest.raises(Vacuumed):
        backend.query(NAME, version=first)
    with pytest.raises(Vacuumed):
        backend.restore(NAME, first)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.uint64(), pa.time64("us")]
)
def test_postgresql_refuses_by_name_what_it_would_not_keep(
    database: str, kind: pa.DataType
) -> None:
    schema = pa.schema([("code", pa.string()), ("lots", kind)])
    with pytest.raises(SchemaError, match="lots"):
        PostgresBackend(database).create(NAME, schema)
    with pytest.raises(SchemaError, match="63 bytes"):
        PostgresBackend(database).create(NAME, pa.schema([("x" * 64, pa.string())]))


def test_a_text_that_postgresql_has_not_is_refused_whole(database: str) -> None:
    backend = PostgresBackend(database)
    backend.create(NAME, SCHEMA, ["code"])
    with pytest.raises(SchemaError):
        backend.append_rows(NAME, rows(row("a", 1), row("b\x00", 2)))
    assert units(backend) == {}


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    address = f"postgresql://me:not-to-be-shown@/x?host={tmp_path}"  # pragma: allowlist secret
    with pytest.raises(StorageError) as refused:
        PostgresBackend(address).create(NAME, SCHEMA)
    assert "not-to-be-shown" not in str(refused.value)
