"""Types of columns that mean the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from lakeshelf.governance.errors import GovernanceError, refused

_WIDEST = 2**63
_UNKEEPABLE = re.compile(r"[\x00\ud800-\udfff]")


class Words(TypeDecorator[str]):
    """Text, sorted by code point."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL sorts by its locale unless told otherwise."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text, unless one of the databases cannot keep it.

        Raises:
            GovernanceError: `value_invalid`.
        """
        if value is None or not _UNKEEPABLE.search(value):
            return value
        raise _unkeepable(ascii(value), "leave out NUL and halves of surrogate pairs")


class Whole(TypeDecorator[int]):
    """An integer of 64 bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """The number.

        Raises:
            GovernanceError: `value_invalid`: it takes more than 64 bits.
        """
        if value is None or -_WIDEST <= value < _WIDEST:
            return value
        raise _unkeepable(str(value), "give a number of at most 64 bits")


class Moment(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond; SQLite has it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no type for it, and its times have no zone."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else self.impl_instance)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """The time, as the database has it.

        Raises:
            GovernanceError: `value_invalid`: it has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise _unkeepable(value.isoformat(), "give it a zone")
        moment = value.astimezone(UTC)
        return moment if dialect.name != "sqlite" else moment.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The time, aware and in UTC."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON as text, so that numbers of any size, and NUL within texts, come back as they were.

    Args:
        listed: Whether it is a list that is read as a tuple.
    """

    impl = Text
    cache_ok = True

    def __init__(self, listed: bool = False) -> None:
        super().__init__()
        self.listed = listed

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text.

        Raises:
            GovernanceError: `value_invalid`: no JSON.
        """
        return None if value is None else canonical(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The value."""
        if value is None:
            return None
        return tuple(json.loads(value)) if self.listed else json.loads(value)


def canonical(value: Any) -> str:
    """JSON text that is the same for the same value.

    Raises:
        GovernanceError: `value_invalid`: no JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _unkeepable(repr(value), f"it is no JSON: {error}") from error


def _unkeepable(value: str, hint: str) -> GovernanceError:
    return refused("value_invalid", f"{value[:80]} cannot be kept", hint=hint, value=value[:80])
