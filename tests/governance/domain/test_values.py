"""Values of cells are what JSON says, digit by digit, or refused."""

from __future__ import annotations

import json
import math
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts.arrow import data_type
from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Type,
)
from lakeshelf.governance.domain.values import (
    of_text,
    read,
    same,
    shown,
    text_of,
    texts,
)
from lakeshelf.governance.errors import GovernanceError

from .cases import PRICE, TYPES, column, values
from .model import equal

CELLS = st.sampled_from(TYPES).flatmap(
    lambda type_: st.tuples(st.just(type_), st.none() | values(type_))
)
PAIRS = st.sampled_from(TYPES).flatmap(
    lambda type_: st.tuples(
        st.just(type_), st.lists(st.tuples(*[st.none() | values(type_)] * 2), max_size=8)
    )
)


@given(CELLS)
def test_what_is_shown_is_read_again(cell: tuple[Type, Any]) -> None:
    type_, value = cell
    there = column("c", type_)
    assert equal(read(there, shown(there, value)), value)
    assert equal(of_text(there, text_of(there, value)), value)
    assert type(read(there, shown(there, value))) is type(value)


@given(PAIRS)
def test_two_values_are_the_same_if_and_only_if_their_texts_are(
    case: tuple[Type, list[tuple[Any, Any]]],
) -> None:
    type_, pairs = case
    there = column("c", type_)
    left, right = (pa.array([pair[side] for pair in pairs], data_type(type_)) for side in (0, 1))
    alike = [text_of(there, a) == text_of(there, b) for a, b in pairs]
    assert same(left, right).to_pylist() == alike == [equal(a, b) for a, b in pairs]
    assert texts(there, left) == [text_of(there, a) for a, _ in pairs]


def test_null_and_the_empty_text_and_the_text_null_are_three_values() -> None:
    there = column("c", STRING)
    assert len({text_of(there, value) for value in (None, "", "null")}) == 3
    assert not equal(None, "")
    assert not equal("", "null")


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_whole_number_is_taken_as_number_and_as_text(number: int) -> None:
    there = column("c", LONG)
    assert read(there, number) == read(there, str(number)) == number
    assert isinstance(shown(there, number), str) is (abs(number) > 2**53)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?", fullmatch=True))
def test_a_decimal_is_read_digit_by_digit(text: str) -> None:
    number = read(column("c", PRICE), text)
    assert number == Exact(text)
    assert number.as_tuple().exponent == -2


REFUSED: list[tuple[Type, Any]] = [
    (PRICE, "0.105"),
    (PRICE, "12345678901"),
    (PRICE, 0.1),
    (PRICE, " 1"),
    (PRICE, "1e3"),
    (PRICE, "+1"),
    (PRICE, ".5"),
    (PRICE, "NaN"),
    (PRICE, "٣"),
    (PRICE, True),
    (PRICE, "0" * 10_000),
    (PRICE, 10**10_000),
    (Decimal(38, 38), "1"),
    (LONG, 2**63),
    (LONG, str(-(2**63) - 1)),
    (LONG, 2.0),
    (LONG, "1 "),
    (LONG, "007"),
    (LONG, True),
    (LONG, "1_0"),
    (LONG, [1]),
    (LONG, "9" * 5_000),
    (DOUBLE, 2**53 + 1),
    (DOUBLE, 10**400),
    (DOUBLE, math.inf),
    (DOUBLE, math.nan),
    (DOUBLE, "1.5"),
    (DOUBLE, "nan"),
    (DOUBLE, False),
    (STRING, "a\0b"),
    (STRING, "\ud800"),
    (STRING, 5),
    (STRING, {"a": 1}),
    (BOOLEAN, 1),
    (BOOLEAN, "true"),
    (DATE, "2017-02-30"),
    (DATE, "0000-01-01"),
    (DATE, "2017-01-31T00:00:00Z"),
    (TIMESTAMP, "2017-01-31T08:00:00"),
    (TIMESTAMP, "2017-01-31T08:00:00.0000001Z"),
    (TIMESTAMP, "0001-01-01T00:00:00+01:00"),
    (TIMESTAMP, 1_485_849_600),
    (BINARY, "ß"),
    (BINARY, "a"),
]


@pytest.mark.parametrize(("type_", "value"), REFUSED, ids=range(len(REFUSED)))
def test_what_would_have_to_be_rounded_or_guessed_is_refused(type_: Type, value: Any) -> None:
    with pytest.raises(GovernanceError) as refusal:
        read(column("price", type_), value)
    assert refusal.value.code == "value_invalid"
    assert refusal.value.details["column"] == "price"
    assert len(str(refusal.value)) < 400
    json.dumps(refusal.value.details)


@pytest.mark.parametrize("value", [0.0, -0.0, 0, -0])
def test_minus_zero_is_zero(value: float) -> None:
    assert text_of(column("c", DOUBLE), read(column("c", DOUBLE), value)) == "0.0"
    assert text_of(column("c", DOUBLE), -0.0) == "0.0"
    assert text_of(column("c", PRICE), read(column("c", PRICE), "-0.00")) == '"0.00"'


def test_a_time_is_read_into_utc_with_its_microseconds() -> None:
    there = column("c", TIMESTAMP)
    time = read(there, "2017-01-31T08:00:00.123456+02:00")
    assert shown(there, time) == "2017-01-31T06:00:00.123456Z"


def test_nan_is_nan_and_nothing_else() -> None:
    left, right = pa.array([math.nan, math.nan, None]), pa.array([math.nan, 1.0, math.nan])
    assert same(left, right).to_pylist() == [True, False, False]
