"""What becomes of records whose id or version was seen before, on both engines alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take import duplicates
from tests.streams.harness import NOW, relation
from tests.streams.strategies import TIMES, catalog_message, event

LOST = CATALOG.topics["lost_sales"]
CATALOGUE = CATALOG.topics["batch_catalog"]
HELD = CATALOG.tables["staging/lot_catalog_store"]
NEW, HELD_IN_RAW, DUPLICATE = duplicates.NEW, duplicates.HELD, duplicates.DUPLICATE
CONFLICT, CONFLICTING_VERSION = duplicates.CONFLICT, duplicates.CONFLICTING_VERSION

Place = tuple[int, int]
Query = Callable[..., pa.Table]


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def query(request: pytest.FixtureRequest) -> Query:
    """Runs Spark SQL over Arrow tables."""
    if request.param == "duckdb":
        return Duck().query
    spark = request.getfixturevalue("spark")

    def run(text: str, **relations: pa.Table) -> pa.Table:
        frames = {name: spark.createDataFrame(rows) for name, rows in relations.items()}
        return spark.sql(text, **frames).toArrow()

    return run


def at(partition: int, offset: int) -> dict[str, Any]:
    return {"kafka_partition": partition, "kafka_offset": offset, "kafka_timestamp": NOW}


def lost(name: str, partition: int, offset: int, quantity: int = 1) -> dict[str, Any]:
    fields = {"event_type": "lost_sale", "shelf_id": "S1-I1", "item_id": "I1", "customer_id": "C1"}
    made = event(LOST.name, 0, TIMES[0], **fields, quantity=quantity)
    return {**made, "event_id": name, **at(partition, offset)}


@dataclass(frozen=True)
class Case:
    """Rows of raw, records of a batch, and the fates that are told, by position; all others are new."""

    seen: tuple[dict[str, Any], ...]
    records: tuple[dict[str, Any], ...]
    fates: dict[Place, str]


EVENTS = {
    "never seen": Case((), (lost("a", 0, 0),), {}),
    "the same position: this batch, before a crash": Case(
        (lost("a", 0, 0),), (lost("a", 0, 0),), {(0, 0): HELD_IN_RAW}
    ),
    "the same position of a topic that was made anew": Case(
        ({**lost("a", 0, 0), "kafka_timestamp": TIMES[0]},), (lost("a", 0, 0),), {(0, 0): DUPLICATE}
    ),
    "another position, the same content": Case(
        (lost("a", 0, 0),), (lost("a", 0, 5),), {(0, 5): DUPLICATE}
    ),
    "another position, other content": Case(
        (lost("a", 0, 0),), (lost("a", 0, 5, quantity=2),), {(0, 5): CONFLICT}
    ),
    "twice within a batch": Case(
        (), (lost("a", 0, 4), lost("a", 0, 3)), {(0, 3): NEW, (0, 4): DUPLICATE}
    ),
    "twice within a batch, other content": Case(
        (), (lost("a", 0, 3), lost("a", 0, 4, quantity=2)), {(0, 3): NEW, (0, 4): CONFLICT}
    ),
    "across partitions": Case(
        (), (lost("a", 1, 0), lost("a", 0, 9)), {(0, 9): NEW, (1, 0): DUPLICATE}
    ),
    "across partitions, seen": Case((lost("a", 1, 0),), (lost("a", 0, 0),), {(0, 0): DUPLICATE}),
    "a repeat after a crash, with its duplicate": Case(
        (lost("a", 0, 3),),
        (lost("a", 0, 3), lost("a", 0, 4), lost("a", 1, 1, quantity=2)),
        {(0, 3): HELD_IN_RAW, (0, 4): DUPLICATE, (1, 1): CONFLICT},
    ),
    "ids are told apart": Case((lost("a", 0, 0),), (lost("A", 0, 1), lost("a ", 0, 2)), {}),
    "other content in one field alone": Case(
        (),
        (lost("a", 0, 0), {**lost("a", 0, 1), "item_id": "I2"}),
        {(0, 0): NEW, (0, 1): CONFLICT},
    ),
}


@pytest.mark.parametrize("case", EVENTS.values(), ids=EVENTS.keys())
def test_fate_of_events(query: Query, case: Case) -> None:
    records, seen = relation(LOST, list(case.records)), relation(LOST, list(case.seen))
    found = query(duplicates.event_fates(LOST), records=records, seen=seen)
    assert _fates(found) == case.fates


def test_lines_of_a_receipt_are_content(query: Query) -> None:
    from tests.streams.strategies import receipt

    topic = CATALOG.topics["pos_transactions"]
    one, two = (
        {**receipt(1, TIMES[0], [{"shelf_id": "S1", "quantity": q}]), **at(0, q)} for q in (1, 2)
    )
    same = {**one, **at(0, 3)}
    found = query(
        duplicates.event_fates(topic),
        records=relation(topic, [one, two, same]),
        seen=relation(topic, []),
    )
    assert _fates(found) == {(0, 1): NEW, (0, 2): CONFLICT, (0, 3): DUPLICATE}


def message(version: int, offset: int, **values: Any) -> dict[str, Any]:
    return {**catalog_message("L1", version, **values), **at(0, offset)}


VERSIONS = {
    "first": Case((), (message(1, 0),), {(0, 0): NEW}),
    "higher": Case((message(1, 0),), (message(2, 1),), {(0, 1): NEW}),
    "older": Case((message(2, 0),), (message(1, 1),), {(0, 1): DUPLICATE}),
    "older with other content": Case(
        (message(2, 0),), (message(1, 1, standard_batch_size=9),), {(0, 1): DUPLICATE}
    ),
    "equal and the same": Case((message(2, 0),), (message(2, 1),), {(0, 1): DUPLICATE}),
    "equal with other content": Case(
        (message(2, 0),), (message(2, 1, standard_batch_size=9),), {(0, 1): CONFLICTING_VERSION}
    ),
    "equal, and gone": Case(
        (message(2, 0),), (message(2, 1, deleted=True),), {(0, 1): CONFLICTING_VERSION}
    ),
    "a tombstone": Case((message(2, 0),), (message(3, 1, deleted=True),), {(0, 1): NEW}),
    "within a batch": Case(
        (),
        (message(1, 0), message(2, 1), message(2, 2), message(1, 3), message(2, 4, item_id="I2")),
        {
            (0, 0): NEW,
            (0, 1): NEW,
            (0, 2): DUPLICATE,
            (0, 3): DUPLICATE,
            (0, 4): CONFLICTING_VERSION,
        },
    ),
    "another time of writing is no other content": Case(
        (message(2, 0),), (message(2, 1, updated_at=TIMES[4]),), {(0, 1): DUPLICATE}
    ),
}


@pytest.mark.parametrize("case", VERSIONS.values(), ids=VERSIONS.keys())
def test_fate_of_versions(query: Query, case: Case) -> None:
    names = [column.name for column in HELD.columns]
    rows = [{name: row[name] for name in names} for row in case.seen]
    current = pa.Table.from_pylist(rows, schema=arrow_contract.schema(HELD.columns))
    records = relation(CATALOGUE, list(case.records))
    found = query(duplicates.version_fates(CATALOGUE, HELD), records=records, current=current)
    assert _fates(found) == case.fates


def test_only_events_are_kept_from_going_on_as_duplicates() -> None:
    """The repeat of a batch cannot tell its own messages from earlier ones, and the highest version wins."""
    assert duplicates.going_on(LOST) == {NEW, HELD_IN_RAW}
    assert duplicates.going_on(CATALOGUE) == {NEW, HELD_IN_RAW, DUPLICATE}


def _fates(found: pa.Table) -> dict[Place, str]:
    places = zip(
        found["kafka_partition"].to_pylist(), found["kafka_offset"].to_pylist(), strict=True
    )
    fates = dict(zip(places, found["fate"].to_pylist(), strict=True))
    assert len(fates) == found.num_rows
    return fates
