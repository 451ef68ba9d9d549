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

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeshelf.errors import ContractError

if TYPE_CHECKING:
    from lakeshelf.contracts.model import Field

MAX_PRECISION = 38
"""Largest precision that Spark, Arrow and Delta share."""


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
