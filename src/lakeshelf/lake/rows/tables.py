"""Tables of the lake: where they are, how they are created, opened and evolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema

from lakeshelf.choices import FEW
from lakeshelf.contracts import CATALOG, Table, arrow
from lakeshelf.contracts import Field as Column
from lakeshelf.contracts import delta as delta_contract
from lakeshelf.errors import LakeError
from lakeshelf.lake.form import constraints, features, owners, partitions
from lakeshelf.lake.form.commits import HOOKS, Write
from lakeshelf.lake.form.dataset import LIBRARY, PROPERTY, Dataset, of_contract
from lakeshelf.lake.form.schemas import require_unique, storable
from lakeshelf.lake.place import layers, names, projects, storage
from lakeshelf.lake.place.errors import Damaged, NotFound, PredicateError, SchemaError, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import reading
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.reading import count, schema_of

Outcome = Literal["created", "evolved", "unchanged"]


@dataclass(frozen=True)
class Created:
    """What `ensure` did to one table."""

    table: str
    outcome: Outcome
    added: tuple[str, ...] = ()


def location(root: Path, name: str) -> Path:
    """Folder of the table `name` below the root of a local lake."""
    return root / name


def open_table(
    root: Root | Path | str, name: str, *, to_read: bool = False, version: int | None = None
) -> DeltaTable:
    """The table at its latest version, or at another.

    Args:
        root: Lake root.
        name: The table.
        to_read: Whether it is only read; Spark may have written it with features that no other writer has.
        version: The version, which can be opened though a later one is damaged; None: the latest.

    Raises:
        NotFound: No such table.
        Damaged: Its log cannot be read.
        StorageError: Disk, permissions, network or credentials.
        FeatureRefused: It has a feature that delta-rs cannot read, or, unless it is only read, cannot write.
    """
    place = Root.at(root)
    path = layers.path_of(place, name)
    shown = f"{place}/{path}"
    try:
        with explained(f"table {name} at {shown} cannot be read"):
            table = DeltaTable(place.of(path), version, place.options)
    except NotFound as error:
        storage.require_folders(place, path)
        raise NotFound(
            f"no Delta table {name} at {shown}",
            hint="`lakeshelf bootstrap` creates the product's tables, a first write any other",
        ) from error
    except Damaged:
        storage.require_folders(place, path)
        raise
    check = features.require_readable if to_read else features.require_writable
    check(table, name)
    return table


def exists(root: Root | Path | str, name: str) -> bool:
    """Whether a Delta table stands at the place of `name`.

    Raises:
        StorageError: A file stands where a folder should be, or what reading the place meets.
    """
    place = Root.at(root)
    path = layers.path_of(place, name)
    storage.require_folders(place, path)
    with explained(f"{name} at {place} cannot be looked for"):
        return DeltaTable.is_deltatable(place.of(path), place.options)


def existing(root: Root | Path | str) -> list[str]:
    """Names of the existing tables."""
    return storage.table_names(Root.at(root))


def described(table: DeltaTable, name: str, kind: type[Dataset] = Dataset) -> Dataset:
    """The dataset that a table says it is: for tables that no catalogue has."""
    metadata = table.metadata()
    own = {
        key.removeprefix(PROPERTY): value
        for key, value in metadata.configuration.items()
        if key.startswith(PROPERTY)
    }
    key = own.get("key", "")
    dataset = kind(
        name,
        schema_of(table),
        key=tuple(key.split(",")) if key else (),
        partition_by=tuple(metadata.partition_columns),
        profile="spark_only" if own.get("profile") == features.SPARK_ONLY else "shared",
        doc=metadata.description or "",
        path=_own_path(table, name),
    )
    return owners.named(dataset, table)


def _own_path(table: DeltaTable, name: str) -> str:
    """Where a project's dataset lies; empty where the name is that of a table in a layer, or an address."""
    if not projects.may_be(name):
        return ""
    _, path = storage.place_of(table)
    return path if projects.named(path) == name else ""


def create(root: Root | Path | str, dataset: Dataset, write: Write | None = None) -> DeltaTable:
    """Create the table of a dataset, without rows.

    Raises:
        SchemaError: The dataset has no columns, two of one name, not those of its key, or a constraint that cannot
            be checked.
        FeatureRefused: A column holds times without a zone, or a property wants a feature that an engine lacks.
        Conflict: Somebody else created it meanwhile.
    """
    place = Root.at(root)
    layers.require_path(place, dataset.name, dataset.path)
    if not dataset.schema:
        raise SchemaError(f"{dataset.name} has no columns", hint="give a schema or rows")
    properties = dict(dataset.properties) or delta_contract.profile_properties(dataset.profile)
    schema = pa.schema([storable(dataset.name, field) for field in dataset.schema])
    require_unique(dataset.name, schema)
    _require_key(dataset, schema)
    partitions.require_columns(dataset.name, schema, dataset.partition_by)
    features.refuse_naive_times(dataset.name, schema)
    properties |= _own_properties(dataset)
    writers = features.writers_of(dataset.profile)
    features.refuse_unfit_properties(dataset.name, properties, writers)
    constraints.require(dataset.name, schema, dataset.constraints)
    with explained(f"{dataset.name} was not created in {place}", LakeError):
        _make_folder(place, dataset.path)
        table = DeltaTable.create(
            place.of(dataset.path),
            schema=schema,
            mode="error",
            partition_by=list(dataset.partition_by),
            name=dataset.name.replace("/", "."),
            description=dataset.doc,
            configuration=properties,
            storage_options=place.options,
            commit_properties=(write or Write()).properties(schema),
            raise_if_key_not_exists=False,
        )
        if dataset.constraints:
            table.alter.add_constraint(dict(dataset.constraints), post_commithook_properties=HOOKS)
    return table


def _make_folder(place: Root, path: str) -> None:
    """Make a folder on a disk, whose refusal says more than that of delta-rs."""
    if place.folder is not None:
        (place.folder / path).mkdir(parents=True, exist_ok=True)


def ensure(root: Root | Path | str, contract: Table) -> Created:
    """Create the table of a contract, or give an older one the columns and properties that it lacks.

    Raises:
        LakeError: A column has another type than the contract says, or the table is newer than the code.
    """
    return _done(root, contract, planned(root, contract))


def _done(root: Root | Path | str, contract: Table, plan: Created) -> Created:
    if plan.outcome == "created":
        create(root, of_contract(contract))
    elif plan.outcome == "evolved":
        table = open_table(root, contract.name)
        if added := _missing_columns(table, contract):
            table.alter.add_columns(added, post_commithook_properties=HOOKS)
        if altered := _altered_properties(table, contract):
            table.alter.set_table_properties(altered, post_commithook_properties=HOOKS)
    return plan


def planned(root: Root | Path | str, contract: Table) -> Created:
    """What `ensure` would do to the table of a contract; nothing is written.

    Raises:
        LakeError: As `ensure`.
    """
    if not exists(root, contract.name):
        return Created(contract.name, "created")
    table = open_table(root, contract.name)
    if error := newer(table, contract):
        raise error
    added, altered = _missing_columns(table, contract), _altered_properties(table, contract)
    outcome: Outcome = "evolved" if added or altered else "unchanged"
    return Created(contract.name, outcome, tuple(field.name for field in added))


def newer(handle: DeltaTable, contract: Table) -> SchemaError | None:
    """Why a table is not written by this version: it has columns that the contract does not know; None: it has none."""
    known = {field.name for field in _delta_fields(of_contract(contract).schema)}
    unknown = [name for name in schema_of(handle).names if name not in known]
    if not unknown:
        return None
    return SchemaError(
        f"table {contract.name} has columns that this version does not know: {', '.join(unknown)}",
        hint="run the newer version that wrote the lake, or restore a backup from before it",
    )


def rows(
    root: Root | Path | str,
    name: str,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
) -> pa.Table:
    """Rows of a table at its latest version, in memory; arguments and errors as for `reading.scan`."""
    handle = open_table(root, name)
    with _compared(handle, name):
        return reading.rows(handle, name, columns, where)


def whole_rows(root: Root | Path | str, name: str, where: Where | None = None) -> pa.Table:
    """Rows of a table of the catalogue, with every column that its contract says.

    A column that may be absent is null throughout where the table, of an older version, lacks it.

    Raises:
        SchemaError: It lacks another one, or has one of another type: it is of a much older version, or somebody
            else's.
    """
    return _whole(open_table(root, name), name, where)


def _whole(handle: DeltaTable, name: str, where: Where | None) -> pa.Table:
    columns = lacking(handle, name)
    if any(column.required for column in columns):
        require_whole(handle, name)
    _missing_columns(handle, CATALOG.tables[name])  # refuses those of another type
    rows = reading.rows(handle, name, None, where)
    for field in arrow.schema(columns):
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


@contextmanager
def _compared(handle: DeltaTable, name: str) -> Iterator[None]:
    """Have a table that lacks columns of its contract refused for that, where reading it fails."""
    try:
        yield
    except (SchemaError, PredicateError):
        if name in CATALOG.tables:
            require_whole(handle, name)
        raise


def lacking(handle: DeltaTable, name: str) -> tuple[Column, ...]:
    """Columns of its contract that a table of the catalogue does not have."""
    present = set(schema_of(handle).names)
    return tuple(c for c in CATALOG.tables[name].columns if c.name not in present)


def require_whole(handle: DeltaTable, name: str) -> None:
    """Refuse a table of the catalogue that lacks columns of its contract, or has some as another type.

    Raises:
        SchemaError: The table, the first few of the columns, and what adds them.
    """
    names = [column.name for column in lacking(handle, name)]
    if names:
        more = ", …" if len(names) > FEW else ""
        raise SchemaError(
            f"table {name} lacks columns of its contract: {', '.join(names[:FEW])}{more}",
            hint="`lakeshelf bootstrap` adds what a table of an older version lacks",
        )
    _missing_columns(handle, CATALOG.tables[name])  # refuses those of another type


def page(
    root: Root | Path | str,
    name: str,
    order: Sequence[tuple[str, str]],
    where: Where | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[pa.Table, int]:
    """Some rows of a table of the catalogue in an order, and how many there are in all.

    Of the others no more is read than the key and what they are ordered by.

    Args:
        root: Lake root.
        name: The table; its key decides where the order does not.
        order: Column and `ascending` or `descending`.
        where: Conditions that all hold.
        offset: Rows that are passed over.
        limit: Most rows; None: all that follow.
    """
    handle, key = open_table(root, name), CATALOG.tables[name].key
    ranks = dict(order)
    with _compared(handle, name):
        places = reading.rows(handle, name, list(dict.fromkeys([*ranks, *key])), where)
    by = [*order, *((column, "ascending") for column in key if column not in ranks)]
    chosen = places.sort_by(by).slice(offset, limit)
    within = [(column, "in", tuple(chosen[column].unique().to_pylist())) for column in key]
    rows = _whole(handle, name, [*(where or ()), *within])
    at = {place: number for number, place in enumerate(_tuples(rows.select(chosen.column_names)))}
    numbers = pa.array([at[place] for place in _tuples(chosen)], pa.int64())
    return rows.take(numbers), places.num_rows


def _tuples(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in rows.columns), strict=True)


def ensure_all(root: Root | Path | str) -> tuple[Created, ...]:
    """Create or evolve every table of the catalogue; one that is refused leaves all as they are."""
    plans = [(table, planned(root, table)) for table in CATALOG.tables.values()]
    return tuple(_done(root, table, plan) for table, plan in plans)


def row_count(root: Root | Path | str, name: str) -> int:
    """Rows of the table at its latest version."""
    return count(open_table(root, name, to_read=True), name)


def _own_properties(dataset: Dataset) -> dict[str, str]:
    """What a table says of itself where no contract says it."""
    own: dict[str, str] = {}
    if dataset.profile == features.SPARK_ONLY:
        own[f"{PROPERTY}profile"] = dataset.profile
    if dataset.name in CATALOG.tables:
        return own
    if dataset.key:
        own[f"{PROPERTY}key"] = ",".join(dataset.key)
    if dataset.owner != LIBRARY:
        own[owners.OWNER] = dataset.owner
    return own


def _require_key(dataset: Dataset, schema: pa.Schema) -> None:
    for column in dataset.key:
        if column not in schema.names:
            raise SchemaError(
                f"{dataset.name} has no column {column!r} for its key",
                hint=names.suggestion(column, schema.names),
            )


def _missing_columns(table: DeltaTable, contract: Table) -> list[Field]:
    present = {field.name: field for field in table.schema().fields}
    expected = of_contract(contract).schema
    missing = []
    for field in _delta_fields(expected):
        if field.name not in present:
            missing.append(Field(field.name, field.type, nullable=True, metadata=field.metadata))
        elif present[field.name].type != field.type:
            raise SchemaError(
                f"table {contract.name} has {field.name} as {present[field.name].type}, the contract says {field.type}",
                hint="restore the table or change the contract with a migration",
            )
    return missing


def _altered_properties(table: DeltaTable, contract: Table) -> dict[str, str]:
    present = table.metadata().configuration
    expected = delta_contract.properties(contract)
    return {name: value for name, value in expected.items() if present.get(name) != value}


def _delta_fields(schema: pa.Schema) -> list[Field]:
    return list(Schema.from_arrow(schema).fields)
