"""Tables that are derived from frozen records: a field is a column, its type the column's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.columns import Json, Moment, Whole, Words

R = TypeVar("R")
Where = Iterable[ColumnElement[bool]]
Object = Mapping[str, Any]
"""A JSON object."""

TABLES = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the metadata."""
_TYPES: Mapping[Any, TypeEngine[Any]] = MappingProxyType(
    {
        str: Words(),
        int: Whole(),
        bool: Boolean(),
        datetime: Moment(),
        Mapping: Json(),
        tuple: Json(listed=True),
        Literal: Words(),
    }
)


@dataclass(frozen=True)
class Records(Generic[R]):
    """A table and the record that a row of it is.

    Attributes:
        record: The frozen record.
        table: Its table.
    """

    record: type[R]
    table: Table

    @property
    def c(self) -> ReadOnlyColumnCollection[str, Column[Any]]:
        """Its columns, for conditions."""
        return self.table.c

    def add(self, connection: Connection, record: R) -> R:
        """Insert a record."""
        connection.execute(insert(self.table).values(_values(record)))
        return record

    def put(self, connection: Connection, record: R) -> R:
        """Insert a record, or replace the one of its key."""
        self.remove(connection, [self.is_(record)])
        return self.add(connection, record)

    def find(self, connection: Connection, **key: Any) -> R | None:
        """The record of a key, or of other columns that are unique; None: there is none."""
        records = self.all(connection, [self.c[name] == value for name, value in key.items()])
        return records[0] if records else None

    def get(self, connection: Connection, **key: Any) -> R:
        """The record of a key.

        Raises:
            GovernanceError: `not_found`.
        """
        record = self.find(connection, **key)
        if record is None:
            what = self.table.name.replace("_", " ")
            place = "/".join(str(value)[:80] for value in key.values())
            raise refused("not_found", f"there is no {what} {place}", **key)
        return record

    def all(
        self,
        connection: Connection,
        where: Where = (),
        *,
        order: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[R]:
        """Records for which all conditions hold, by key unless ordered otherwise, from an offset on."""
        order = order or tuple(self.table.primary_key)
        statement = select(self.table).where(*where).order_by(*order).limit(limit)
        if offset:
            statement = statement.offset(offset)
        return [self.record(**row) for row in connection.execute(statement).mappings()]

    def change(self, connection: Connection, where: Where, **values: Any) -> int:
        """Set columns where all conditions hold; how many rows these were."""
        return connection.execute(update(self.table).where(*where).values(values)).rowcount

    def remove(self, connection: Connection, where: Where) -> int:
        """Delete rows for which all conditions hold; how many these were."""
        return connection.execute(delete(self.table).where(*where)).rowcount

    def count(self, connection: Connection, where: Where = ()) -> int:
        """How many rows there are for which all conditions hold."""
        counting = select(func.count()).select_from(self.table).where(*where)
        return connection.execute(counting).scalar_one()

    def next(self, connection: Connection, column: str, where: Where = ()) -> int:
        """One more than the highest number of a column; the lock of writers makes it nobody else's."""
        highest = select(func.max(self.c[column])).where(*where)
        return (connection.execute(highest).scalar() or 0) + 1

    def is_(self, record: R) -> ColumnElement[bool]:
        """Whether a row has the key of a record."""
        return and_(*(c == getattr(record, c.name) for c in self.table.primary_key))


def declare(name: str, record: type[R], key: Sequence[str], *rest: SchemaItem) -> Records[R]:
    """The table of a record.

    Args:
        name: Its name, in the singular.
        record: A frozen dataclass of texts, integers, truth values, times, JSON objects and tuples, or None.
        key: Fields that identify a row.
        rest: Foreign keys, uniqueness, indexes.
    """
    hints = get_type_hints(record)
    columns = [_column(field.name, hints[field.name], key) for field in fields(record)]  # type: ignore[arg-type]
    return Records(record, Table(name, TABLES, *columns, *rest))


def _column(name: str, hint: Any, key: Sequence[str]) -> Column[Any]:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    optional = isinstance(hint, UnionType)
    kind = kinds[0] if optional else hint
    return Column(
        name,
        _TYPES[get_origin(kind) or kind],
        primary_key=name in key,
        autoincrement=False,
        nullable=optional,
    )


def _values(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
