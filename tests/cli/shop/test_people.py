"""Lists for people: names beside ids, how many there are in all, and the words that can be chosen."""

from __future__ import annotations

import json

import pytest

from lakeshelf.cli.shop import stock
from lakeshelf.cli.shop.people import ALERT
from lakeshelf.errors import ConfigurationError
from lakeshelf.shop import counting
from tests.cli.shop.told_shop import POLICY, SHELF, write, write_all


@pytest.fixture
def told(lakeshelf, told_lake):
    """Runs a command on the lake of a shop; what it prints as JSON."""

    def run(*arguments: object) -> object:
        result = lakeshelf("--lake", told_lake, *arguments, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return run


@pytest.fixture
def printed(lakeshelf, told_lake):
    """Runs a command on the lake of a shop; what people see."""

    def run(*arguments: object) -> str:
        result = lakeshelf("--lake", told_lake, *arguments)
        assert result.code == 0, result.err
        return result.out

    return run


def test_a_cut_list_says_how_many_there_are_and_json_is_whole(told, printed):
    assert "1 of 3 alerts; --all shows them" in printed("alerts", "list", "--limit", 1)
    assert "of 3" not in printed("alerts", "list", "--all")
    assert len(told("alerts", "list")) == 3
    assert len(told("alerts", "list", "--limit", 2)) == 2
    assert "No plans." in printed("plans", "list")


@pytest.mark.parametrize("command", [("alerts", "list"), ("plans", "list", "--status", "issued")])
def test_lists_name_what_stands_on_the_shelf(told, printed, command):
    assert {row["name"] for row in told(*command)} == {"Whole milk"}
    assert "Whole milk" in printed(*command)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--kind", "near_expiry"), {"a3"}),
        (("--shelf", SHELF), {"a1", "a2", "a3"}),
        (("--store", "S1"), {"a1", "a2", "a3"}),
        (("--status", "resolved"), set()),
    ],
)
def test_alerts_are_chosen_by_store_shelf_kind_and_state(told, arguments, found):
    assert {row["alert_id"] for row in told("alerts", "list", *arguments)} == found


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("alerts", "list", "--kind", "near_expry"), "no kind 'near_expry'; did you mean near_expiry"),
        (("alerts", "list", "--status", "opn"), "no status 'opn'; did you mean open"),
        (("plans", "list", "--kind", "refil"), "no kind of plan 'refil'; did you mean refill"),
        (("plans", "list", "--store", "S2"), "no store 'S2'; there are S1"),
        (("stock", "low", "--shelf", "S1-I"), "no shelf 'S1-I'; did you mean S1-I1"),
        (("stock", "show", "S1-I9"), "no shelf 'S1-I9'; did you mean S1-I1"),
        (("policies", "show", "S1-I9"), "no shelf 'S1-I9'; did you mean S1-I1"),
        (("policies", "show"), "no shelf; name a shelf, or give --all-shelves"),
        (("policies", "set", SHELF, "min_qtty=3"), "did you mean min_qty"),
        (("policies", "set", SHELF, "near_expiry_days=3"), "--location store or warehouse"),
        (("policies", "set", SHELF, "min_qty=few"), "min_qty is bigint, not 'few'"),
        (("policies", "set", SHELF), "no FIELD=VALUE"),
        (("alerts", "list", "--limit", "1", "--all"), "--limit and --all; give one of them"),
    ],
)  # fmt: skip
def test_a_word_that_there_is_not_is_refused_with_its_neighbour(
    lakeshelf, told_lake, arguments, error
):
    result = lakeshelf("--lake", told_lake, *arguments)
    assert result.code == 2
    assert error in result.error


def test_what_is_low_is_told_by_name_with_the_limit_that_it_broke(told, printed):
    room, shelf = told("stock", "low")
    assert shelf["why"] == ["3 of 10 units, 30.0 %, is below threshold_pct 40"]
    assert (shelf["name"], shelf["policy"], shelf["stock"]) == ("Whole milk", "shelf", 3)
    assert (room["location"], room["policy"], room["stock"]) == ("warehouse", "default", 0)
    assert "0 units in the back room are below reorder_point_qty 10" in printed("stock", "low")


@pytest.mark.slow
def test_two_limits_that_a_shelf_broke_stand_in_one_line(lakeshelf, tmp_path):
    root = tmp_path / "lake"
    write_all(root)
    write(root, "staging/shelf_policies", {**POLICY, "shelf_id": SHELF, "min_qty": 5})
    shown = lakeshelf("--lake", root, "stock", "low").out
    assert "is below threshold_pct 40; 3 units are below min_qty 5" in shown
    assert "\\n" not in shown


@pytest.mark.parametrize("yes", [True, False])
def test_a_lot_that_the_books_hold_elsewhere_is_not_added_here_unless_it_is_meant(yes):
    books = counting.ExpectedCount("store", {"shelf_id": SHELF}, {"L1": 0}, {}, {"L1": 29})
    counted = counting.StockCount(books, "L1", 9)
    with pytest.raises(
        ConfigurationError, match=r"this lot is in the back room .29 units."
    ) as told:
        stock._confirmed("counted", counted, yes=yes, found_here=False)
    assert "--location warehouse" in told.value.hint
    stock._confirmed("counted", counted, yes=yes, found_here=True)


def test_policies_are_told_with_where_each_value_comes_from(told):
    listed = [(row["shelf_id"], row["name"]) for row in told("policies", "list")]
    assert listed == [("__GLOBAL__", None), (SHELF, "Whole milk"), ("S1-I2", None)]
    held = told("policies", "show", SHELF)
    assert held["store"]["min_qty"] == {"value": 3, "from": "shelf"}
    assert held["store"]["threshold_pct"] == {"value": 40.0, "from": "__GLOBAL__"}
    assert held["warehouse"]["reorder_point_qty"] == {"value": 10, "from": "default"}


def test_the_stock_of_a_shelf_is_shown_with_the_name_of_its_item(told, printed):
    assert told("stock", "show", SHELF)["shelf_profiles"][0]["name"] == "Whole milk"
    shown = printed("stock", "show", SHELF)
    assert shown.splitlines()[0] == f"{SHELF} Whole milk: shelf 3 of 10; back room unknown"
    assert "2026-03-01 09:30:00" in shown
    assert "+00:00" not in shown


def test_an_alert_is_told_with_its_place_and_its_figures_before_its_id(printed):
    titles, *lines = printed("alerts", "list").splitlines()
    assert titles.split() == list(ALERT)
    (line,) = (line for line in lines if line.endswith("  a1"))
    place = ["refill_request", "S1", SHELF, "Whole milk", "open"]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()][:5] == place
    assert "current_stock 2, max_stock 10, threshold_pct 40, min_qty 3, suggested_qty 6" in line
    assert "  2026-03-01 09:00:00  a1" in line
