"""What the grid takes for a value is what the server takes for one, and tables survive the clipboard."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

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
)
from lakeshelf.governance.domain.definition import Column
from lakeshelf.governance.domain.values import read
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.ui import files, texts
from tests.ui.browser import opened

pytestmark = pytest.mark.slow
TYPES = (STRING, LONG, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY, Decimal(5, 2), Decimal(38, 38))
TEXTS = (
    *(
        "0",
        "-0",
        "00123",
        "1,234",
        "1 234",
        "1.5",
        "1e5",
        "1e400",
        "-1e-400",
        " 5",
        "5 ",
        "+5",
        ".5",
        "5.",
        "0x10",
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("9007199254740993", "1" * 101, "123.45", "123.450", "1234.5", "-999.99", "0.01", "0.001"),
    *("NaN", "nan", "Infinity", "-Infinity", "NA", "null", "true", "false", "True", "1", "yes"),
    *(
        "2017-01-31",
        "2017-02-29",
        "2016-02-29",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "31.01.2017",
        "2017-1-31",
    ),
    *(
        "2017-01-31T08:00:00Z",
        "2017-01-31T08:00:00",
        "2017-01-31T24:00:00Z",
        "2017-01-31T08:00:00.1234567Z",
    ),
    *(
        "2017-01-31T08:00:00.123456+01:00",
        "2017-02-30T08:00:00Z",
        "2017-01-31T08:00:60Z",
        "2017-01-31 08:00:00Z",
    ),
    *(
        "QQ==",
        "QQ=",
        "QUI=",
        "QUJD",
        "Q",
        "=1+1",
        "<b>",
        "\u202etxt",
        "a\0b",
        "\ud800",
        "\U0001d7d3",
        "٣",
        "\u00a05",
    ),
)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser, files.assets().contents) as shown:
        yield shown


def in_browser(page: Page, module: str, body: str, argument: Any) -> Any:
    return page.evaluate(
        f"async (given) => {{ const it = await import('/{module}'); {body} }}", argument
    )


def server(column: Column, value: Any) -> bool:
    try:
        read(column, value)
    except GovernanceError:
        return False
    return True


def meant(column: Column, text: str) -> Any:
    """The JSON that a text stands for, as somebody would write it by hand."""
    if column.field.type is BOOLEAN:
        return {"true": True, "false": False}.get(text.lower(), text)
    if column.field.type is not DOUBLE or text != text.strip():
        return text
    try:
        number = json.loads(text, parse_constant=str)
    except ValueError:
        return text
    return number if type(number) in (int, float) else text


def test_the_grid_and_the_server_take_the_same_texts(page: Page) -> None:
    chance = random.Random(20260314)
    marks = "0123456789" * 2 + "-+.eE,:TZ"
    texts = [
        *TEXTS,
        *("".join(chance.choices(marks, k=chance.randint(1, 9))) for _ in range(2_000)),
    ]
    body = "return given.texts.map((text) => it.read({ type: given.type }, text))"
    for type_ in TYPES:
        column = Column(Field("it", type_, "It.", required=False))
        argument = {"type": str(type_), "texts": texts}
        readings = in_browser(page, "grid/cells.js", body, argument)
        for text, reading in zip(texts, readings, strict=True):
            taken = "value" in reading
            if type_ is DOUBLE and reading == {"refusal": "too many digits"}:
                assert abs(json.loads(text)) > 2**53  # scripts have no way to write each of these
                continue
            assert taken == server(column, meant(column, text)), (str(type_), text, reading)
            if taken:
                assert (
                    read(column, reading["value"]) == read(column, meant(column, text))
                    or text == "NaN"
                )


def test_the_same_characters_are_named_by_the_browser_and_the_server(page: Page) -> None:
    known = [chr(number) for number in range(0x2100)] + ["\ufeff", "a\u202e\u202e\tb\n"]
    named = in_browser(page, "texts.js", "return given.map(it.visible)", known)
    assert named == [texts.visible(one) for one in known]


def test_tables_come_back_from_the_clipboard(page: Page) -> None:
    chance = random.Random(20260314)
    cells = [None, "", '"', '""', "a\tb", "a\nb", '5"', '"x', "a", "NA", "00123", "a\rb"]
    tables = [
        [[chance.choice(cells) for _ in range(width)] for _ in range(chance.randint(1, 4))]
        for width in (chance.randint(1, 4) for _ in range(500))
    ]
    body = "return given.map((rows) => it.parse(it.format(rows) + '\\r\\n'))"
    for table, pieces in zip(tables, in_browser(page, "grid/tsv.js", body, tables), strict=True):
        back = [
            [one["text"] if one["text"] or one["quoted"] else None for one in row] for row in pieces
        ]
        assert back == table


def test_bounds_are_judged_without_losing_digits(page: Page) -> None:
    body = "return given.map(([column, value]) => it.broken(column, value))"
    column = {"type": "bigint", "values": [], "max_length": None, "required": True, "key": False}
    cases = [
        ({**column, "minimum": 2**53, "maximum": str(2**53 + 2)}, str(2**53 + 1), ""),
        (
            {**column, "minimum": 0, "maximum": str(2**53)},
            str(2**53 + 1),
            f"0 to {2**53}, not {2**53 + 1}",
        ),
        (
            {**column, "type": "decimal(9,2)", "minimum": "0.10", "maximum": None},
            "0.09",
            "at least 0.10, not 0.09",
        ),
        ({**column, "type": "decimal(9,2)", "minimum": "-0.5", "maximum": "0.5"}, "-0.50", ""),
        (
            {**column, "type": "decimal(9,2)", "minimum": "-0.5", "maximum": "0.5"},
            "-0.51",
            "-0.5 to 0.5, not -0.51",
        ),
        ({**column, "type": "double", "minimum": 0, "maximum": None}, "NaN", "at least 0, not NaN"),
        (
            {**column, "type": "string", "minimum": None, "maximum": None, "max_length": 1},
            "\U0001d7d3",
            "",
        ),
        ({**column, "minimum": None, "maximum": None}, None, "a value is needed"),
    ]
    answers = in_browser(page, "grid/cells.js", body, [case[:2] for case in cases])
    assert answers == [case[2] for case in cases]
