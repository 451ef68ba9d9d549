"""A project declares topics, tables and views of its own: they join the catalogue in force, and the product stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG, PRODUCT, project
from lakeshelf.errors import ConfigurationError

JOB = "spark-apps/price-watch"
HEAD = """
from lakeshelf.contracts.model import WEEK_MS, Table, Topic, View
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.tables_raw import mirror
from lakeshelf.contracts.types import LONG, Field


def table(name, owner="price-watch", topic=None):
    columns = (s.STORE_ID, s.UPDATED_AT)
    return Table(name=name, key=("store_id",), owner=owner, doc="Stores.", columns=columns, topic=topic)


def topic(name, owner=s.ANY):
    return Topic(name=name, key=("store_id",), cleanup="delete", owner=owner, fields=s.ENVELOPE, doc="News.",
                 retention_ms=WEEK_MS)
"""


LINE = HEAD.count("\n") + 2
"""Line at which declarations begin."""


@pytest.fixture(autouse=True)
def product_alone() -> Iterator[None]:
    yield
    project.include(None)


def declare(folder: Path, text: str, app: str = JOB) -> Path:
    """A project of which an app declares something."""
    file = folder / app / project.FILE
    file.parent.mkdir(parents=True)
    file.write_text(f"{HEAD}\n{text}\n")
    return folder


def test_what_a_project_declares_joins_the_catalogue_and_leaves_it_with_the_project(
    tmp_path: Path,
) -> None:
    text = """
TOPICS = (topic("price_news"),)
TABLES = (table("own/prices"), mirror(TOPICS[0], "price-watch"))
VIEWS = (View(name="own/latest", columns=(s.STORE_ID,), doc="Stores.", sql="SELECT store_id FROM {own/prices}"),)
"""
    held = CATALOG.tables
    project.include(declare(tmp_path, text))
    assert CATALOG.tables is held, "whoever has the catalogue sees it"
    assert set(CATALOG.tables) - set(PRODUCT.tables) == {"own/prices", "raw/price_news"}
    assert set(CATALOG.topics) - set(PRODUCT.topics) == {"price_news"}
    assert set(CATALOG.views) - set(PRODUCT.views) == {"own/latest"}
    assert "price_news" in CATALOG.raw_topics
    assert PRODUCT.tables.items() <= CATALOG.tables.items()
    project.include(None)
    assert dict(CATALOG.tables) == dict(PRODUCT.tables)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('TABLES = (table("curated/prices"),)', ("table curated/prices", "own/prices")),
        ('TABLES = (table("cleansed/shelf_state"),)', ("cleansed/shelf_state", "own/shelf_state")),
        ('TABLES = (table("raw/shelf_events", topic="shelf_events"),)', ("raw/shelf_events",)),
        ('TABLES = (table("raw/prices"),)', ("raw/prices", "own/prices")),
        ('TOPICS = (topic("shelf_events"),)', ("topic shelf_events",)),
        ('TABLES = (table("own/prices"), table("own/prices"))', ("own/prices is declared twice",)),
        ('TABLES = (table("own/prices", topic="prise_news"),)', ("prise_news",)),
        ('TABLES = (table("own/prices", "alerts-sink"),)', ("alerts-sink", "price-watch")),
        ('TOPICS = (topic("price_news", "clock"),)', ("clock", "price-watch")),
        ('TABLES = (table("shelf/events"),)', ("{shelf_events}", "two things")),
        ('TABLES = table("own/prices")', ("TABLES is no tuple",)),
        ('TABLES = ("own/prices",)', ("'own/prices'", "declare a Table")),
        ("TABLES = (table(),)", (f"contract.py:{LINE}", "TypeError")),
        ("TABLES = (replace(1),)", (f"contract.py:{LINE}", "NameError: name 'replace'")),
        ("TABLES = (", (f"contract.py:{LINE}", "SyntaxError")),
        ('raise SystemExit("no")', (f"contract.py:{LINE}", "SystemExit: no")),
        (
            'VIEWS = (View(name="own/x", columns=(s.STORE_ID,), doc="X.", sql="FROM {own/none}"),)',
            ("own/none",),
        ),
        (
            'VIEWS = (View(name="curated/x", columns=(s.STORE_ID,), doc="X.", sql="FROM {ops/alerts}"),)',
            ("view curated/x", "own/x"),
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_the_product_stays(
    tmp_path: Path, text: str, named: tuple[str, ...]
) -> None:
    declare(tmp_path, text)
    with pytest.raises(ConfigurationError) as refused:
        project.include(tmp_path)
    told = str(refused.value)
    assert str(tmp_path) in told
    assert all(part in told for part in named), told
    assert "\n" not in told
    assert dict(CATALOG.tables) == dict(PRODUCT.tables)


def test_tables_of_two_apps_may_not_share_a_name(tmp_path: Path) -> None:
    declare(tmp_path, 'TABLES = (table("own/prices"),)')
    declare(tmp_path, 'TABLES = (table("own/prices", "price-bot"),)', "kafka-components/price-bot")
    with pytest.raises(ConfigurationError, match="own/prices is declared twice"):
        project.include(tmp_path)


def test_a_project_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no project at"):
        project.include(tmp_path / "gone")


def test_the_product_keeps_what_it_declares_whatever_is_held() -> None:
    one = PRODUCT.tables["ops/alerts"]
    CATALOG.hold(PRODUCT.with_also(tables=(replace(one, name="own/alerts", topic=None),)))
    assert "own/alerts" not in PRODUCT.tables
    assert "own/alerts" in CATALOG.tables
