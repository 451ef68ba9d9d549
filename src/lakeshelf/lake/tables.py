"""Tables of the lake: where they are, how they are created, opened and evolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import TableNotFoundError

from lakeshelf.contracts import CATALOG, Table
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import delta as delta_contract
from lakeshelf.errors import LakeError

Outcome = Literal["created", "evolved", "unchanged"]
READER_VERSION, WRITER_VERSION = 1, 7


@dataclass(frozen=True)
class Created:
    """What `ensure` did to one table."""

    table: str
    outcome: Outcome
    added: tuple[str, ...] = ()


def location(root: Path, name: str) -> Path:
    """Folder of the table `name` below the lake root."""
    return root / name


def open_table(root: Path, name: str) -> DeltaTable:
    """The table at its latest version.

    Raises:
        LakeError: No such table, or a protocol that this release cannot write.
    """
    path = location(root, name)
    try:
        table = DeltaTable(str(path))
    except TableNotFoundError as error:
        raise LakeError(
            f"no Delta table {name} at {path}", hint="run `lakeshelf bootstrap`"
        ) from error
    except OSError as error:
        raise LakeError(
            f"table {name} at {path} cannot be read: {error}", hint="check disk and permissions"
        ) from error
    except Exception as error:  # delta-rs raises bare exceptions for damaged logs
        raise LakeError(
            f"table {name} at {path} is damaged: {_first_line(error)}",
            hint="run `lakeshelf doctor`",
        ) from error
    refuse_newer_protocol(table, name)
    return table


def refuse_newer_protocol(table: DeltaTable, name: str) -> None:
    """Raise `LakeError` for a table that a newer release has written."""
    protocol = table.protocol()
    if protocol.min_reader_version > READER_VERSION or protocol.min_writer_version > WRITER_VERSION:
        raise LakeError(
            f"table {name} needs Delta reader {protocol.min_reader_version}, writer {protocol.min_writer_version}; "
            f"this release has {READER_VERSION} and {WRITER_VERSION}",
            hint="upgrade Lakeshelf",
        )


def exists(root: Path, name: str) -> bool:
    """Whether a Delta table stands at the place of `name`."""
    return DeltaTable.is_deltatable(str(location(root, name)))


def ensure(root: Path, contract: Table) -> Created:
    """Create the table of a contract, or give an older one the columns and properties that it lacks.

    Raises:
        LakeError: A column has another type than the contract says, or the table is newer than the code.
    """
    if not exists(root, contract.name):
        _create(root, contract)
        return Created(contract.name, "created")
    table = open_table(root, contract.name)
    added, altered = _missing_columns(table, contract), _altered_properties(table, contract)
    if added:
        table.alter.add_columns(list(added))
    if altered:
        table.alter.set_table_properties(altered)
    outcome: Outcome = "evolved" if added or altered else "unchanged"
    return Created(contract.name, outcome, tuple(field.name for field in added))


def read(
    root: Path,
    name: str,
    filters: pc.Expression | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Rows of a table at its latest version.

    Args:
        root: Lake root.
        name: The table.
        filters: An expression over its columns; None: all rows.
        columns: Columns that are wanted; None: all.

    Raises:
        LakeError: No such table.
    """
    return matching(open_table(root, name), filters, columns)


def matching(
    handle: DeltaTable, filters: pc.Expression | None, columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows of an open table that an expression chooses."""
    dataset = handle.to_pyarrow_dataset()
    wanted = list(columns) if columns is not None else dataset.schema.names
    try:
        return dataset.to_table(columns=wanted, filter=filters)
    except pa.ArrowNotImplementedError:
        # Files of merges hold text as views, which no filter can read.
        return dataset.to_table().filter(filters).select(wanted)


def ensure_all(root: Path) -> tuple[Created, ...]:
    """Create or evolve every table of the catalogue."""
    return tuple(ensure(root, table) for table in CATALOG.tables.values())


def row_count(root: Path, name: str) -> int:
    """Rows of the table at its latest version."""
    return int(open_table(root, name).count())


def _create(root: Path, contract: Table) -> None:
    table = DeltaTable.create(
        str(location(root, contract.name)),
        schema=arrow_contract.schema(contract.columns),
        mode="error",
        partition_by=list(contract.partition_by),
        name=contract.name.replace("/", "."),
        description=contract.doc,
        configuration=delta_contract.properties(contract),
    )
    constraints = delta_contract.constraints(contract)
    if constraints:
        table.alter.add_constraint(constraints)


def _missing_columns(table: DeltaTable, contract: Table) -> list[Field]:
    present = {field.name: field for field in table.schema().fields}
    wanted = pa.schema(arrow_contract.schema(contract.columns))
    missing = []
    for field in _delta_fields(wanted):
        if field.name not in present:
            missing.append(Field(field.name, field.type, nullable=True, metadata=field.metadata))
        elif present[field.name].type != field.type:
            raise LakeError(
                f"table {contract.name} has {field.name} as {present[field.name].type}, the contract says {field.type}",
                hint="restore the table or change the contract with a migration",
            )
    return missing


def _altered_properties(table: DeltaTable, contract: Table) -> dict[str, str]:
    present = table.metadata().configuration
    wanted = delta_contract.properties(contract)
    return {name: value for name, value in wanted.items() if present.get(name) != value}


def _delta_fields(schema: pa.Schema) -> list[Field]:
    return list(Schema.from_arrow(schema).fields)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
