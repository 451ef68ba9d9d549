"""A count is compared with what the books expect of a lot where it was made."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.shop.counting import UNALLOTTED, ExpectedCount, StockCount, books

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SHELF = {"shelf_id": "S1-I1", "store_id": "S1", "item_id": "I1"}
KNOWN = {**SHELF, "last_event_time": NOW, "updated_at": NOW, "version": 7}
STATE = {"shelf_state": "current_stock", "wh_state": "wh_current_stock"}
LOT_STATE = {
    "shelf_batch_state": "batch_quantity_store",
    "wh_batch_state": "batch_quantity_warehouse",
}


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    contract = CATALOG.tables[name]
    tables.ensure(root, contract)
    found = pa.Table.from_pylist(list(rows), schema=arrow_contract.schema(contract.columns))
    writing.append(tables.open_table(root, name), name, found, Write.once(Txn("test", 1)))


def write_books(root: Path, balances: dict[str, int], lots: dict[str, dict[str, int]]) -> None:
    """Write the stock of a shelf and its lots; a lot expires on the day that its code ends with."""
    write(root, "curated/shelf_profiles")
    for name, column in STATE.items():
        units = balances.get(name)
        first = {"first_event_time": NOW, "first_event_id": "e"}
        row = {**KNOWN, **first, "balance": units, column: max(units or 0, 0)}
        write(root, f"cleansed/{name}", *([] if units is None else [row]))
    for name, column in LOT_STATE.items():
        rows = [
            {**KNOWN, "batch_code": lot, "balance": units, column: max(units, 0)}
            | ({} if lot == UNALLOTTED else {"expiry_date": date(2026, 3, int(lot[1:]))})
            for lot, units in lots.get(name, {}).items()
        ]
        write(root, f"cleansed/{name}", *rows)


def write_coming(root: Path, lots: dict[str, int]) -> None:
    sent = {**SHELF, "event_time": NOW, "available_at": NOW}
    rows = [{**sent, "event_id": lot, "batch_code": lot, "quantity": n} for lot, n in lots.items()]
    write(root, "staging/shelf_refill_pending", *rows)


CODES = st.sampled_from(["L3", "L4", "L9", UNALLOTTED])


@pytest.mark.slow
@settings(max_examples=25)
@given(
    lots=st.dictionaries(CODES, st.integers(-5, 30), max_size=4),
    coming=st.dictionaries(st.sampled_from(["L3", "L9"]), st.integers(1, 5)),
    balance=st.integers(-10, 60),
)
def test_lots_on_a_shelf_are_expected_to_hold_what_the_shelf_holds(
    lots: dict[str, int], coming: dict[str, int], balance: int
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_books(root, {"shelf_state": balance}, {"shelf_batch_state": lots})
        write_coming(root, coming)
        assert sum(books(root, "S1-I1", "store").lots.values()) == balance


def test_what_is_in_carts_is_taken_from_the_lot_that_expires_first(tmp_path: Path) -> None:
    lots = {"L9": 10, "L3": 4, UNALLOTTED: 0}
    write_books(tmp_path, {"shelf_state": 7}, {"shelf_batch_state": lots})
    write_coming(tmp_path, {"L9": 2})
    assert books(tmp_path, "S1-I1", "store").lots == {"L3": 0, "L9": 7, UNALLOTTED: 0}


def test_a_back_room_is_expected_to_hold_its_lots(tmp_path: Path) -> None:
    write_books(
        tmp_path, {"shelf_state": 1, "wh_state": 12}, {"wh_batch_state": {"L3": 5, "L9": 7}}
    )
    found = books(tmp_path, "S1-I1", "warehouse")
    assert found.lots == {"L3": 5, "L9": 7}
    assert StockCount(found, "L3", 3).difference == -2


def test_a_lot_that_the_books_hold_at_the_other_place_only_is_misplaced(tmp_path: Path) -> None:
    lots = {"shelf_batch_state": {"L3": 12}, "wh_batch_state": {"L9": 29, "L3": 2}}
    write_books(tmp_path, {"shelf_state": 12, "wh_state": 31}, lots)
    write_coming(tmp_path, {})
    found = {place: books(tmp_path, "S1-I1", place) for place in ("store", "warehouse")}
    assert (
        StockCount(found["store"], "L9", 9).misplaced == "this lot is in the back room (29 units)"
    )
    assert [
        StockCount(found[place], lot, 9).misplaced
        for place, lot in (("store", "L3"), ("warehouse", "L3"), ("warehouse", "L9"))
    ] == ["", "", ""]


def of_lots(location: str = "store", **lots: int) -> ExpectedCount:
    return ExpectedCount(location, KNOWN, lots, dict.fromkeys(lots))


def test_a_lot_need_not_be_named_where_there_is_one() -> None:
    assert of_lots(L3=5, L4=0).one_lot(None) == "L3"
    assert of_lots().one_lot(None) == UNALLOTTED
    assert of_lots(L3=5, L4=0).one_lot("L4") == "L4"


@pytest.mark.parametrize(
    ("found", "named", "line"),
    [
        (of_lots(L3=5, L4=2), None, r"2 lots there \(L3: 5 units; L4: 2 units\); name the one"),
        (of_lots("warehouse"), None, "0 lots there .none is known."),
        (of_lots(L3=5), "L33", "no lot of S1-I1 'L33'; did you mean L3"),
    ],
)
def test_a_lot_that_cannot_be_told_is_asked_for_by_name(
    found: ExpectedCount, named: str | None, line: str
) -> None:
    with pytest.raises(ConfigurationError, match=line):
        found.one_lot(named)


@pytest.mark.parametrize(
    ("expected", "counted", "doubted"),
    [(10, 8, ""), (10, 12, ""), (10, 7, "20%"), (10, 13, "20%"), (0, 1, "20%"), (-3, 0, "at -3")],
)
def test_a_count_far_from_the_books_is_to_be_confirmed(
    expected: int, counted: int, doubted: str
) -> None:
    doubt = StockCount(of_lots(L3=expected), "L3", counted).doubt
    assert bool(doubt) == bool(doubted)
    assert doubted in doubt
