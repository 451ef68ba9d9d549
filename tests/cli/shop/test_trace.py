"""The story of a thing is told in business time, with what caused it and what followed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import merging
from tests.cli.shop.told_shop import LOT, OPENED, PLACE, SHELF, at


@pytest.fixture
def story(lakeshelf, told_lake):
    """The stories of an id, by kind."""

    def told(wanted: str, *arguments: object) -> dict[str, Any]:
        result = lakeshelf("--lake", told_lake, "trace", wanted, "--json", *arguments)
        assert result.code == 0, result.err
        return {s["kind"]: s for s in json.loads(result.out)["stories"]}

    return told


def ids(told: dict[str, Any], role: str | None = None, section: str = "events") -> list[str]:
    """Ids of the lines of a part of a story, in its order."""
    key = {
        "events": "event_id",
        "alerts": "alert_id",
        "orders": "order_id",
        "commands": "event_id",
    }.get(section)
    plan = ("plan_id", "supplier_plan_id")
    lines = [x for x in told["lines"] if x["section"] == section and role in (None, x["role"])]
    return [
        x["row"][key] if key else next(x["row"][k] for k in plan if k in x["row"]) for x in lines
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (SHELF, "shelf"),
        (LOT, "lot"),
        ("p1", "restock_plan"),
        ("sp1", "supplier_plan"),
        ("a1", "alert"),
        ("w1", "event"),
        ("t1", "event"),
        ("l1", "event"),
        ("I1", "item"),
        (f"{SHELF}::{LOT}", "lot_of_shelf"),
        ("r1", "receipt"),
        (f"{SHELF}::2026-03-02", "discount"),
        ("c1", "command"),
        ("v1", "visit"),
        ("C1", "customer"),
    ],
)
def test_what_an_id_is_is_found_by_looking(story, wanted, kind):
    assert list(story(wanted)) == [kind]


@pytest.mark.parametrize(
    "wanted", ["nobody", "x' OR '1'='1", "../raw", "%", "S1", f"{SHELF}::soon", "a::b::c"]
)
def test_an_id_that_nothing_has_is_refused_with_a_way_to_find_one(lakeshelf, told_lake, wanted):
    result = lakeshelf("--lake", told_lake, "trace", wanted)
    assert result.code == 2
    assert repr(wanted) in result.error
    assert f"lakeshelf --lake {told_lake} alerts list" in result.error


def test_a_lake_without_tables_names_the_bootstrap(lakeshelf, lake):
    result = lakeshelf("trace", SHELF)
    assert result.code == 1
    assert "lakeshelf bootstrap" in result.error
    assert not lake.exists()


def test_an_id_of_several_things_has_a_story_of_each(lakeshelf, told_lake, story):
    assert set(story("o1")) == {"lot", "order"}
    assert "o1 is several things: lot, order" in lakeshelf("--lake", told_lake, "trace", "o1").out


def test_a_shelf_is_told_in_business_time_with_the_receipt_lines_that_are_its_own(story):
    told = story(SHELF)["shelf"]
    times = [line["time"] for line in told["lines"]]
    assert times == sorted(times)
    assert ids(told) == ["e0", "e1", "w0", "e2", "t1", "l1", "w1", "e3", "e4", "e5", "e6"]
    (sold,) = [line["row"] for line in told["lines"] if line["table"] == "raw/pos_transactions"]
    assert (sold["line"], sold["quantity"], sold["customer_id"]) == (1, 8, "C1")
    assert set(ids(told, section="plans")) == {"p1", "sp1"}
    sections = {line["section"] for line in told["lines"]}
    decided = {"alerts", "plans", "orders", "receipts", "discounts", "commands"}
    assert sections == {"events", *decided}
    assert {line["table"] for line in told["state"]} >= {"cleansed/shelf_state"}


def test_a_lot_is_told_without_other_lots_and_without_lost_sales(story):
    told = story(LOT)["lot"]
    assert "l1" not in ids(told)
    assert [line["row"]["batch_code"] for line in told["state"]] == [LOT]
    assert [x["row"]["batch_codes"] for x in told["lines"] if x["section"] == "discounts"] == [
        [LOT]
    ]


def test_an_event_has_the_version_that_the_ledger_names_for_its_batch(story):
    lines = {x["row"].get("event_id"): x for x in story(SHELF)["shelf"]["lines"]}
    assert [lines[e]["table_version"] for e in ("e0", "e1", "e2", "e4")] == [70, 70, 71, 71]
    assert lines["e2"]["batch"]["query"] == "shelf-aggregator"
    assert lines["e2"]["batch"]["batch_id"] == 1


def test_an_event_that_no_batch_names_has_the_version_that_was_read(story, told_lake):
    lines = {x["row"].get("event_id"): x for x in story(SHELF)["shelf"]["lines"]}
    assert lines["e5"]["batch"] is None
    assert (
        lines["e5"]["table_version"] == tables.open_table(told_lake, "raw/shelf_events").version()
    )


def test_an_alert_appears_once_and_in_its_latest_state(story):
    told = story(SHELF)["shelf"]
    assert sorted(ids(told, section="alerts")) == ["a1", "a2", "a3"]
    (alert,) = [x for x in told["lines"] if x["row"].get("alert_id") == "a1"]
    assert (alert["row"]["status"], alert["table"]) == ("resolved", "ops/shelf_alerts")


def test_an_alert_tells_the_figures_that_broke_the_policy_in_force(story):
    told = story("a1")["alert"]["explanation"]
    assert told["why"] == [
        "2 of 10 units, 20.0 %, is below threshold_pct 40",
        "2 units are below min_qty 3",
    ]
    fields = {name: tuple(held.values()) for name, held in told["policy"]["fields"].items()}
    assert fields == {
        "threshold_pct": (40.0, "__GLOBAL__"),
        "min_qty": (3, "shelf"),
        "target_pct": (80, "default"),
        "near_expiry_days": (5, "default"),
    }
    assert told["end"]["status"] == "resolved"
    assert datetime.fromisoformat(told["end"]["at"]) == at(5)


def test_an_alert_tells_what_came_before_it_and_what_followed(story):
    told = story("a1")["alert"]
    assert ids(told, "before") == ["e0", "e1", "e2"]
    assert ids(told, "effect", "plans") == ["p1"]
    assert ids(told, "effect") == ["w1", "e3", "e4"]


def test_the_limit_keeps_the_last_lines_and_counts_the_others(story):
    told = story("a1", "--limit", 2)["alert"]
    assert ids(told, "before") == ["e1", "e2"]
    assert told["omitted"]["events"] >= 1
    assert ids(story(SHELF, "--limit", 1)["shelf"]) == ["e6"]
    assert story(SHELF, "--limit", 1)["shelf"]["omitted"]["events"] == 10


def test_an_open_alert_has_no_end_and_an_order_follows_a_request(story):
    told = story("a2")["alert"]
    assert told["explanation"]["end"] is None
    assert told["explanation"]["why"] == ["4 units in the back room are below reorder_point_qty 10"]
    assert ids(told, "effect", "plans") == ["sp1"]
    assert ids(told, "effect", "orders") == ["o1"]
    assert ids(told, "effect") == ["w0"]


def test_an_alert_of_a_lot_tells_the_days_that_were_left_and_the_discount(story):
    told = story("a3")["alert"]
    (why,) = told["explanation"]["why"]
    assert "units of lot L1 expire 2026-03-04, 3 days after" in why
    assert "near_expiry_days is 5" in why
    assert "discounts" in {line["section"] for line in told["lines"] if line["role"] == "effect"}
    assert ids(told, "before") == ["e0", "e1", "w0", "e2", "t1"]


def test_an_event_is_told_with_its_causes_and_its_effects(story):
    told = story("w1")["event"]
    assert ids(told, "this") == ["w1"]
    assert ids(told, "effect") == ["e3", "e4"]
    assert ids(told, "cause", "plans") == ["p1"]
    assert ids(told, "cause", "alerts") == ["a1"]
    back = story("e3")["event"]
    assert ids(back, "cause") == ["w1"]
    assert ids(back, "cause", "plans") == ["p1"]


def test_goods_that_came_in_are_told_with_order_plan_and_request(story):
    told = story("w0")["event"]
    assert ids(told, "cause", "orders") == ["o1"]
    assert ids(told, "cause", "plans") == ["sp1"]
    assert ids(told, "cause", "alerts") == ["a2"]
    assert "receipts" in {line["section"] for line in told["lines"] if line["role"] == "effect"}


def test_a_cause_that_the_lake_does_not_hold_is_named(lakeshelf, told_lake, story):
    assert story("e6")["event"]["missing"] == ["gone"]
    assert "its cause gone is not in the lake" in lakeshelf("--lake", told_lake, "trace", "e6").out


def test_plans_are_told_with_their_alert_and_what_they_moved(story):
    refill = story("p1")["restock_plan"]
    assert ids(refill, "cause", "alerts") == ["a1"]
    assert ids(refill, "effect") == ["w1", "e3", "e4"]
    supply = story("sp1")["supplier_plan"]
    assert ids(supply, "cause", "alerts") == ["a2"]
    assert ids(supply, "effect", "orders") == ["o1"]
    assert ids(supply, "effect") == ["w0"]


def test_a_receipt_of_goods_is_told_with_its_order_and_request(story):
    told = story("r1")["receipt"]
    assert ids(told, "cause", "orders") == ["o1"]
    assert ids(told, "cause", "alerts") == ["a2"]
    assert ids(told, "effect") == ["w0"]


def test_a_discount_is_told_with_the_alert_of_its_lot(story):
    told = story(f"{SHELF}::2026-03-02")["discount"]
    assert ids(told, "cause", "alerts") == ["a3"]


def test_what_somebody_asked_is_told_with_what_it_was_about(story):
    assert ids(story("c1")["command"], "cause", "alerts") == ["a1"]
    assert ids(story("a1")["alert"], "effect", "commands") == ["c1"]
    assert ids(story(SHELF)["shelf"], section="commands") == ["c1"]
    assert ids(story("p1")["restock_plan"], section="commands") == []


def test_a_visit_holds_what_its_customer_did_between_entry_and_exit(story):
    assert ids(story("v1")["visit"]) == ["v1entry", "t1", "v1exit"]
    assert ids(story("C1")["customer"]) == ["v1entry", "t1", "v1exit"]


def test_an_item_is_told_over_all_its_shelves(story):
    assert set(ids(story("I1")["item"], section="alerts")) == {"a1", "a2", "a3"}


def test_people_read_who_asked_for_what(lakeshelf, told_lake):
    out = lakeshelf("--lake", told_lake, "trace", "a1").out
    assert "dismiss, actor ann, target_id a1, event_id c1" in out


def test_people_read_the_name_of_what_stands_on_a_shelf(lakeshelf, told_lake):
    def printed(wanted):
        return lakeshelf("--lake", told_lake, "trace", wanted).out

    assert f"shelf {SHELF} Whole milk" in printed(SHELF)
    assert "sale, Whole milk: 8, S1-I2: 8, event_id t1" in printed("t1")


def test_people_read_why_when_and_from_which_version(lakeshelf, told_lake):
    out = lakeshelf("--lake", told_lake, "trace", "a1").out
    for text in (
        "alert a1",
        "2 units are below min_qty 3",
        "min_qty 3 (shelf)",
        "resolved 2026-03-01 09:05:00",
        "2026-03-01 09:01:00",
        "wh_out, quantity 2",
        "raw/shelf_events version 71",
    ):
        assert text in out


@pytest.mark.parametrize("wanted", [SHELF, "t1", "a1"])
def test_no_line_of_a_story_is_filled_up_to_the_longest(lakeshelf, told_lake, wanted):
    lines = lakeshelf("--lake", told_lake, "trace", wanted).out.splitlines()
    assert [line for line in lines if line != line.rstrip() or " " * 40 in line] == []


@pytest.mark.slow
def test_state_that_a_merge_wrote_is_found(lakeshelf, lake):
    tables.ensure_all(lake)
    name = "cleansed/shelf_state"
    known = {"balance": 1, "current_stock": 1, "version": 1, "updated_at": OPENED}
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    handle = tables.open_table(lake, name)
    for number in (1, 2):
        shelves = [{**PLACE, **known}, {**PLACE, **known, "shelf_id": f"S1-I{number + 1}"}]
        rows = pa.Table.from_pylist(shelves, schema=schema)
        merging.upsert(handle, name, rows, ("shelf_id",), Write.once(Txn("test", number)))
    result = lakeshelf("trace", SHELF)
    assert result.code == 0, result.err
    assert "Nothing has happened to it." in result.out
    assert "current_stock 1" in result.out
