"""Types of the contract, as values.

Each type is known to Spark, Arrow, Delta and JSON Schema under the name that suits it; here it
has one name, Spark's (`bigint`, `decimal(12,2)`, `array<string>`).

| value | in JSON | in a table |
|---|---|---|
| `STRING` | string | string |
| `LONG` | integer literal, 64 bit signed | bigint |
| `DOUBLE` | number | double |
| `BOOLEAN` | true, false | boolean |
| `DATE` | `"2017-01-31"` | date |
| `TIMESTAMP` | `"2017-01-31T08:00:00.000Z"`, or with an offset | timestamp, UTC, microseconds |
| `BINARY` | base64 string | binary |
| `Decimal(p, s)` | number | decimal(p,s) |
| `ListOf(STRING)`, `ListOf(Struct(...))` | array | array |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lakeshelf.errors import ContractError

Number = int | float

MAX_PRECISION = 38
"""Largest precision that Spark, Arrow and Delta share."""
ID_LENGTH, TEXT_LENGTH = 256, 1024
"""Most characters of an id, and of any other text, in a message."""
LIST_LENGTH = 500
"""Most elements of a list in a message: so many of the longest ids fit in a record of Kafka's default."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"\w+_(id|code)s?")


@dataclass(frozen=True)
class Scalar:
    """A type without parameters; use the constants of this module."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decimal:
    """Exact number of `precision` digits, `scale` of them behind the point."""

    precision: int
    scale: int

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= self.precision <= MAX_PRECISION:
            raise ContractError(
                f"no type {self}", hint=f"use 0 <= scale <= precision <= {MAX_PRECISION}"
            )

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True)
class Struct:
    """An object with named fields; occurs only inside `ListOf`."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        inner = ",".join(f"{field.name}:{field.type}" for field in self.fields)
        return f"struct<{inner}>"


@dataclass(frozen=True)
class ListOf:
    """An array whose elements all have one type and are never null."""

    element: Scalar | Decimal | Struct

    def __str__(self) -> str:
        return f"array<{self.element}>"


Type = Scalar | Decimal | Struct | ListOf

STRING = Scalar("string")
LONG = Scalar("bigint")
DOUBLE = Scalar("double")
BOOLEAN = Scalar("boolean")
DATE = Scalar("date")
TIMESTAMP = Scalar("timestamp")
BINARY = Scalar("binary")

SCALARS = (STRING, LONG, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY)
"""Every type without parameters."""


def is_numeric(type_: Type) -> bool:
    """Whether values of the type have an order that bounds can name."""
    return type_ in (LONG, DOUBLE) or isinstance(type_, Decimal)


@dataclass(frozen=True)
class Field:
    """One field of a message or one column of a table.

    Attributes:
        name: Name in JSON and in the table.
        type: One of the values of `lakeshelf.contracts.types`.
        doc: One sentence; becomes the column's comment and a line of the reference.
        required: Never absent and never null.
        minimum: Smallest value, inclusive; numbers only.
        maximum: Largest value, inclusive; numbers only.
        enum: All values there are; strings only. Empty: any value.
        max_length: Most characters of the text in a message, where `longest` would not do.
        unit: Unit of a number, such as `units`, `g`, `%`, `ms`.
        default: Value in force where nobody has set one.
        internal: Working column of the owner: in the table, never in a message.
    """

    name: str
    type: Type
    doc: str
    required: bool = True
    minimum: Number | None = None
    maximum: Number | None = None
    enum: tuple[str, ...] = ()
    max_length: int | None = None
    unit: str = ""
    default: Number | str | None = None
    internal: bool = False

    def __post_init__(self) -> None:
        require(bool(NAME.fullmatch(self.name)), f"field {self.name!r} has no usable name")
        require(self.doc.strip().endswith("."), f"field {self.name} has no sentence as its doc")
        bounded = self.minimum is not None or self.maximum is not None
        require(not bounded or is_numeric(self.type), f"field {self.name} ({self.type}): bounds")
        require(not self.enum or self.type == STRING, f"field {self.name} ({self.type}): enum")
        if self.minimum is not None and self.maximum is not None:
            require(self.minimum <= self.maximum, f"field {self.name}: minimum above maximum")
        require(
            self.max_length is None or self.is_text, f"field {self.name} ({self.type}): max_length"
        )

    @property
    def is_text(self) -> bool:
        """Whether it is a text or a list of texts."""
        return self.type in (STRING, ListOf(STRING))

    @property
    def most(self) -> int | None:
        """Most elements that the list has in a message; columns of tables are not held to it. None: it is no list."""
        return LIST_LENGTH if isinstance(self.type, ListOf) else None

    @property
    def longest(self) -> int | None:
        """Most characters (code points) that the text, or each text of a list, has in a message.

        Ids and codes are shorter than other texts. Columns of tables that no message carries are not
        held to it. None: it is no text.
        """
        if not self.is_text:
            return None
        return self.max_length or (ID_LENGTH if _ID.fullmatch(self.name) else TEXT_LENGTH)


def require(holds: bool, message: str) -> None:
    """Refuse a declaration that cannot be.

    Raises:
        ContractError: It does not hold.
    """
    if not holds:
        raise ContractError(message, hint="correct its declaration")
