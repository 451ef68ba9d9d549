"""Columns, values and definitions of every type, at random."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Context
from decimal import Decimal as Exact
from typing import Any

from hypothesis import strategies as st

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    Type,
)
from lakeshelf.governance.domain.definition import Column

DAYS = datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")
WIDE = Context(prec=60)
PRICE = Decimal(12, 2)
TYPES: tuple[Type, ...] = (
    STRING,
    LONG,
    DOUBLE,
    BOOLEAN,
    DATE,
    TIMESTAMP,
    BINARY,
    PRICE,
    Decimal(38, 10),
)
TEXTS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=6
) | st.sampled_from(["", "null", '"null"', "NaN", "0"])
LONGS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 2**53, 2**53 + 1, -(2**53) - 1])
DOUBLES = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 0.1])


def column(name: str, type_: Type, **field: Any) -> Column:
    """A column that may be null."""
    return Column(Field(name, type_, f"What {name} is.", **{"required": False, **field}))


def values(type_: Type) -> st.SearchStrategy[Any]:
    """Values of a type, without null."""
    if isinstance(type_, Decimal):
        most = 10**type_.precision - 1
        return st.integers(-most, most).map(lambda n: Exact(n).scaleb(-type_.scale, WIDE))
    return {
        STRING: TEXTS,
        LONG: LONGS,
        DOUBLE: DOUBLES,
        BOOLEAN: st.booleans(),
        DATE: st.dates(date(1, 1, 1)),
        TIMESTAMP: st.datetimes(*DAYS, timezones=st.just(UTC)),
        BINARY: st.binary(max_size=5),
    }[type_]
