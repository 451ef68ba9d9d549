"""Small sets of events that meet all rules at once, and ways in which they may arrive."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG

from .model import Facts

SHELVES = ("S1-I1", "S1-I2", "S2-I1")
LOTS = ("L1", "L2", "L3")
START = datetime(2017, 1, 1, 22, tzinfo=UTC)
TIMES = tuple(START + timedelta(hours=h) for h in (0, 1, 1, 2, 3))
DATES = (None, date(2017, 1, 5), date(2017, 1, 6), date(2017, 2, 1))

Record = tuple[str, Mapping[str, Any]]
"""Topic, event."""


@dataclass(frozen=True)
class Arrival:
    """One way in which the records of a set arrive.

    Attributes:
        batches: Records of each batch, in the order of their offsets.
        crash: Number of a batch, and commits after which the process ends that processes it first.
    """

    batches: tuple[tuple[Record, ...], ...]
    crash: tuple[int, int] | None = None

    def crash_after(self, number: int) -> int | None:
        """Commits after which the process ends that processes this batch first."""
        return self.crash[1] if self.crash and self.crash[0] == number else None


def event(topic: str, number: int, time: datetime, **values: Any) -> dict[str, Any]:
    """A typed event with every field of its topic; its id begins with the event time, as ours do."""
    stamp = f"{round(time.timestamp() * 1000):013d}-{number:03d}"
    known = dict.fromkeys(f.name for f in CATALOG.topics[topic].fields)
    envelope = {"event_id": stamp, "event_time": time, "store_id": "S1", "schema_version": 1}
    unknown = values.keys() - known.keys()
    assert not unknown, f"{topic} has no {unknown}"
    return {**known, **envelope, **values}


def receipt(
    number: int, time: datetime, lines: list[dict[str, Any]], **values: Any
) -> dict[str, Any]:
    """A receipt; lines need `shelf_id` and `quantity`, and may name `batch_code`."""
    price = {
        "unit_price": Decimal("1.25"),
        "discount": Decimal("0.1000"),
        "total_price": Decimal("2.50"),
    }
    items = [
        {"line": i, "item_id": "I1", **price, "batch_code": None, "expiry_date": None, **line}
        for i, line in enumerate(lines)
    ]
    made = event("pos_transactions", number, time, event_type="sale", customer_id="C1", items=items)
    return {**made, "transaction_id": made["event_id"], **values}


def catalog_message(code: str, version: int, **values: Any) -> dict[str, Any]:
    """A message of the lot catalogue; `deleted=True` makes it a tombstone."""
    content = {"item_id": "I1", "expiry_date": None, "standard_batch_size": 6, "updated_at": START}
    message = {"batch_code": code, **content, "version": version, "deleted": False, **values}
    if message["deleted"]:
        message.update(dict.fromkeys(content))
    return message


_shelf = st.sampled_from(SHELVES)
_lot = st.sampled_from(LOTS)
_maybe_lot = st.sampled_from((None, "", *LOTS))
_quantity = st.integers(1, 6)
_signed = st.integers(-6, 6).filter(bool)
_date = st.sampled_from(DATES)
_places = {"store_id": st.sampled_from(("S1", "S9")), "item_id": st.sampled_from(("I1", "I9"))}


def _of_shelf(event_type: str, **values: Any) -> st.SearchStrategy[Record]:
    fields = st.fixed_dictionaries({"shelf_id": _shelf, **_places, **values})
    return fields.map(lambda v: ("shelf_events", {"event_type": event_type, **v}))


def _of_warehouse(event_type: str, quantity: Any = _quantity) -> st.SearchStrategy[Record]:
    named = {"shelf_id": _shelf, "batch_code": _lot, "quantity": quantity, **_places}
    dated = {"received_date": _date, "expiry_date": _date}
    fields = st.fixed_dictionaries({**named, **dated})
    return fields.map(lambda v: ("wh_events", {"event_type": event_type, **v}))


_line = st.fixed_dictionaries(
    {"shelf_id": _shelf, "quantity": st.integers(0, 6), "batch_code": _maybe_lot}
)
_receipt = st.lists(_line, max_size=3).map(lambda lines: ("pos_transactions", {"lines": lines}))
_opening = {
    "batch_code": _maybe_lot,
    "reason": st.sampled_from(("opening_balance", "replay", None)),
}
_movement = st.one_of(
    _of_shelf("pickup", quantity=_quantity),
    _of_shelf("putback", quantity=_quantity, batch_code=_maybe_lot),
    _of_shelf("restock", quantity=_quantity, **_opening),
    _of_shelf("removal", quantity=_quantity, batch_code=_lot),
    _of_shelf("adjustment", quantity=_signed, batch_code=_maybe_lot),
    _of_shelf("weight_change", delta_weight=st.just(-12.5)),
    _of_warehouse("wh_in"),
    _of_warehouse("wh_out"),
    _of_warehouse("wh_out"),
    _of_warehouse("wh_removal"),
    _of_warehouse("wh_adjustment", _signed),
    _receipt,
    _receipt,
)


def _made(number: int, topic: str, values: dict[str, Any], time: datetime) -> Record:
    if topic == "pos_transactions":
        return topic, receipt(number, time, values["lines"])
    return topic, event(topic, number, time, **values)


@st.composite
def catalogs(draw: st.DrawFn) -> list[Record]:
    """Messages of the lot catalogue; the versions of a key differ."""
    versions = draw(st.lists(st.tuples(_lot, st.integers(1, 4)), unique=True, max_size=4))
    return [
        (
            "batch_catalog",
            catalog_message(code, v, expiry_date=draw(_date), deleted=draw(st.booleans())),
        )
        for code, v in versions
    ]


@st.composite
def records(draw: st.DrawFn, max_events: int = 16) -> list[Record]:
    """Distinct records of all topics; times tie, and ids do not follow the order of the list."""
    moved = draw(
        st.lists(st.tuples(_movement, st.sampled_from(TIMES)), min_size=1, max_size=max_events)
    )
    numbers = draw(st.permutations(range(len(moved))))
    made = [_made(n, *move, time) for n, (move, time) in zip(numbers, moved, strict=True)]
    return made + draw(catalogs())


@st.composite
def arrivals(draw: st.DrawFn, known: list[Record], max_batches: int = 3) -> Arrival:
    """The records in any order, some of them again, cut into batches, perhaps with a crash."""
    again = draw(st.lists(st.sampled_from(known), max_size=4))
    order = draw(st.permutations([*known, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=max_batches - 1)))
    edges = [0, *cuts, len(order)]
    parts = (tuple(order[a:b]) for a, b in itertools.pairwise(edges))
    batches = tuple(part for part in parts if part)
    crash = draw(st.none() | st.tuples(st.integers(0, len(batches) - 1), st.integers(0, 12)))
    return Arrival(batches, crash)


def facts(known: list[Record]) -> Facts:
    """The set that records make."""

    def of(topic: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(values for name, values in known if name == topic)

    return Facts(of("shelf_events"), of("wh_events"), of("pos_transactions"), of("batch_catalog"))
