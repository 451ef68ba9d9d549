"""What another policy would have meant, asked on a lake: the library's answer over what the lake holds."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf import extras
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Raw
from lakeshelf.forecast.whatif import answers, lakes
from lakeshelf.forecast.whatif.comparison import MEASURES, PolicyDifference, compared, compared_by
from lakeshelf.forecast.whatif.history import FLOOR_OF_DEMAND
from lakeshelf.forecast.whatif.policies import StockPolicy
from lakeshelf.forecast.whatif.replay import replay
from lakeshelf.forecast.whatif.steps import ReplaySteps
from lakeshelf.lake.rows import tables
from tests.cli.shop import sold_shop
from tests.cli.shop.sold_shop import FIRST, POLICY

pytestmark = pytest.mark.ml
SOLD = sold_shop.past()
LAST = FIRST + timedelta(days=SOLD.steps.days - 1)
QUARTERLESS = lakes.ReplayScope(None, None, {})
OWN = {"S0003": {"threshold_pct": 55.0}, "S0006": {"min_qty": 4}}
ABOVE = {"threshold_pct": 20.0, "min_qty": 2, "target_pct": 70.0, "near_expiry_days": 5}


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two stores and seventy days with the default policies; it is only read."""
    return sold_shop.make(tmp_path_factory.mktemp("sold") / "lake", SOLD)


@pytest.fixture(scope="module")
def shop(sold: Path) -> lakes.ReplayedShop:
    return lakes.read(sold, QUARTERLESS)


def asked(lakeshelf: Any, root: Path, *arguments: object) -> dict[str, Any]:
    shown = lakeshelf("--lake", root, "whatif", *arguments, "--json")
    assert shown.code == 0, shown.err
    answer: dict[str, Any] = json.loads(shown.out)
    return answer


def as_records(differences: tuple[PolicyDifference, ...]) -> list[dict[str, Any]]:
    """What JSON has of differences."""

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    sides = ("before", "after", "low", "high", "difference")
    return [
        {"measure": one.measure, **{n: number(getattr(one, n)) for n in sides}}
        for one in differences
    ]


def test_nothing_changed_differs_in_nothing(lakeshelf, sold):
    answer = asked(lakeshelf, sold)
    parts = [*answer["stores"], *answer["categories"], answer]
    assert len(parts) == 5
    for part in parts:
        for one in part["differences"]:
            assert (one["difference"], one["low"], one["high"]) == (0, 0, 0)
    assert answer["most_changed"] == []


def test_the_answer_is_that_of_the_library_over_the_same_units(lakeshelf, sold):
    changed = {"threshold_pct": 20, "reorder_point_qty": 3}
    sides = replay(SOLD, StockPolicy()), replay(SOLD, StockPolicy().changed(changed))
    answer = asked(lakeshelf, sold, *(f"--set={name}={value}" for name, value in changed.items()))
    assert answer["differences"] == as_records(compared(*sides))
    for column, part in (("store_id", "stores"), ("category", "categories")):
        expected = compared_by(*sides, column)
        assert answer[part] == [
            {column: value, "differences": as_records(found)} for value, found in expected.items()
        ]
    assert answer["wanted_units"] == SOLD.units.sum()
    assert (answer["since"], answer["until"]) == (str(FIRST), str(LAST))
    assert answer["shelves"] == 16


def test_goods_that_are_sold_by_measure_stand_apart(tmp_path, lakeshelf):
    """As fuel, whose thousandths would outweigh every piece that the shop sells."""
    fuel = 4
    units = np.where(np.arange(16) == fuel, SOLD.units * 9_000, SOLD.units)
    mixed, pieces = replace(SOLD, units=units), np.delete(np.arange(16), fuel)
    root = sold_shop.make(tmp_path / "lake", mixed)
    changed = {"reorder_point_qty": 3}
    sides = replay(mixed, StockPolicy()), replay(mixed, StockPolicy().changed(changed))
    words = ("--set", "reorder_point_qty=3", "--frontier")
    answer = asked(lakeshelf, root, *words)
    whole, other = ([side.take(rows) for side in sides] for rows in (pieces, np.array([fuel])))
    assert answer["differences"] == as_records(compared(*whole))
    assert answer["by_measure"] == as_records(compared(*other))
    assert answer["stores"][0]["differences"] == as_records(
        compared_by(*whole, "store_id")["store 0"]
    )
    fills = [one["fill"] for one in answer["frontier"] if one["policy"] in ("changed", "3")]
    (fill,) = (one["after"] for one in answer["differences"] if one["measure"] == "fill")
    assert fills == [fill] * 2
    assert answer["wanted_units"] == SOLD.units[:, pieces].sum()
    assert (answer["shelves"], answer["shelves_by_measure"]) == (15, 1)
    shown = lakeshelf("--lake", root, "whatif", *words).out
    assert "sold by measure, as fuel is in thousandths: 1 shelf." in shown
    assert "by measure  fill (sold of wanted)" in shown
    alone = asked(lakeshelf, root, *words, "--items", f"I{fuel}")
    assert alone["differences"] == as_records(compared(*other))
    assert (alone["by_measure"], alone["shelves_by_measure"]) == ([], 0)


def test_days_stores_categories_and_items_limit_what_is_replayed(lakeshelf, sold):
    since, until = FIRST + timedelta(days=10), FIRST + timedelta(days=40)
    goods = SOLD.goods
    rows = np.flatnonzero((goods.store_id == "store 1") & (goods.category == "tins"))
    part = replace(
        SOLD.take(rows),
        steps=ReplaySteps.of_days(since, 31),
        units=SOLD.units[10:41, rows],
        begins=np.maximum(SOLD.begins[rows] - 10, 0),
    )
    sides = (
        replay(part, StockPolicy()),
        replay(part, StockPolicy().changed({"reorder_point_qty": 2})),
    )
    words = ("--since", since, "--until", until, "--stores", "store 1", "--categories", "tins")
    answer = asked(lakeshelf, sold, "--set", "reorder_point_qty=2", *words)
    assert answer["differences"] == as_records(compared(*sides))
    assert len(answer["notes"]) == 2
    few = asked(lakeshelf, sold, "--since", LAST - timedelta(days=20))
    assert "intervals are too narrow" in few["notes"][-1]
    one = asked(lakeshelf, sold, "--items", "I3, I5")
    assert one["shelves"] == 2
    assert one["wanted_units"] == SOLD.units[:, [3, 5]].sum()


def test_the_policy_in_force_is_the_shelf_s_own_else_that_of_all(tmp_path, lakeshelf):
    root = sold_shop.make(tmp_path / "lake", SOLD)
    every = {**POLICY, **ABOVE, "shelf_id": "__GLOBAL__"}
    own = [{**POLICY, **ABOVE, **fields, "shelf_id": shelf} for shelf, fields in OWN.items()]
    ended = {**POLICY, **ABOVE, "threshold_pct": 99.0, "shelf_id": "S0001", "active": False}
    sold_shop.write(root, "staging/shelf_policies", [every, *own, ended])
    held = lakes.read(root, QUARTERLESS).policy
    expected = np.full(16, 20.0)
    expected[3] = 55
    assert (held.threshold_pct == expected).all()
    assert held.min_qty.tolist() == [4 if n == 6 else 2 for n in range(16)]
    assert (held.reorder_point_qty == 10).all()
    same = asked(lakeshelf, root, "--items", "I3", "--set", "threshold_pct=55")
    assert all(one["difference"] == 0 for one in same["differences"])
    other = asked(lakeshelf, root, "--set", "threshold_pct=55")
    assert any(one["difference"] for one in other["differences"])


def test_lost_sales_count_as_wanted_where_somebody_observes_them(tmp_path, lakeshelf):
    root = sold_shop.make(tmp_path / "lake", SOLD)
    assert asked(lakeshelf, root)["lost_sales_units"] is None
    sold_shop.write(root, "raw/lost_sales", [sold_shop.lost(SOLD, 2, LAST, 9)])
    answer = asked(lakeshelf, root)
    assert answer["lost_sales_units"] == 9
    assert answer["wanted_units"] == SOLD.units.sum() + 9
    assert lakes.read(root, QUARTERLESS).history.units[-1, 2] == SOLD.units[-1, 2] + 9


def test_shelves_without_a_profile_are_left_out_and_counted(tmp_path, lakeshelf):
    root = sold_shop.make(tmp_path / "lake", SOLD)
    more = sold_shop.past(18)
    extra = replace(more, units=np.where(np.arange(18) >= 16, 1, 0) * np.ones_like(more.units))
    rows = [{**row, "event_id": f"x{row['event_id']}"} for row in sold_shop.receipts(extra)]
    sold_shop.write(root, "raw/pos_transactions", rows)
    answer = asked(lakeshelf, root)
    assert (answer["shelves"], answer["shelves_without_profile"]) == (16, 2)
    assert "2 shelves with receipts but without a profile" in answer["notes"][-1]


@settings(max_examples=20)
@given(thresholds=st.lists(st.integers(0, 100), min_size=2, max_size=2).map(sorted))
def test_a_higher_threshold_never_lowers_fill_of_lasting_goods_with_enough_in_the_back_room(
    shop: lakes.ReplayedShop, thresholds: list[int]
) -> None:
    lasting = replace(shop.history.goods, life=np.full(16, np.nan))
    enough = replace(
        shop,
        history=replace(shop.history, goods=lasting),
        policy=StockPolicy(threshold_pct=float(thresholds[0]), min_qty=0, reorder_point_qty=10_000),
    )
    changed = enough.policy.changed({"threshold_pct": float(thresholds[1])})
    answer = answers.answer(enough, changed, lambda *_: None)
    fills = [next(one for one in part if one.measure == "fill") for part in parts(answer)]
    assert all(one.before <= one.after for one in fills)


def parts(answer: answers.WhatIfAnswer) -> list[tuple[PolicyDifference, ...]]:
    return [answer.whole, *(part for group in answer.groups.values() for part in group.values())]


def test_people_read_what_it_speaks_of_and_the_differences(lakeshelf, sold):
    shown = lakeshelf("--lake", sold, "whatif", "--set", "reorder_point_qty=3", "--frontier")
    assert shown.code == 0
    first, floor, lost, *_ = shown.out.splitlines()
    wanted = f"{SOLD.units.sum():,} units wanted"
    assert first.startswith(f"16 shelves of 2 stores, 70 days from {FIRST} to {LAST}, {wanted}")
    assert floor == f"{FLOOR_OF_DEMAND[0].upper()}{FLOOR_OF_DEMAND[1:]}."
    assert lost == "Nobody observed lost sales."
    for text in (
        "95 % from",
        "store 0",
        "store 1",
        "dairy",
        "tins",
        "S0008",
        "Item 8",
        "o: in force",
    ):
        assert text in shown.out
    assert "read receipts" in shown.err
    assert "replay other policies" in shown.err


def test_a_frontier_has_the_two_policies_and_reorder_points(lakeshelf, sold):
    points = asked(lakeshelf, sold, "--set", "reorder_point_qty=3", "--frontier")["frontier"]
    reorder = [str(units) for units in answers.POINTS]
    assert [point["policy"] for point in points] == ["in force", "changed", *reorder]
    changed = {**points[1], "policy": "3"}
    assert changed == next(point for point in points if point["policy"] == "3")
    assert set(points[0]) == {"policy", *MEASURES}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "treshold_pct=20"], "no field that changes an order 'treshold_pct'; did you mean"),
        (["--set", "near_expiry_days=2"], "no field that changes an order 'near_expiry_days'"),
        (["--set", "threshold_pct=101"], "threshold_pct is 101; give a value from 0 to 100"),
        (["--set", "threshold_pct=many"], "threshold_pct is double, not 'many'; it means"),
        (["--set", "threshold_pct=NaN"], "threshold_pct is nan; give a value from 0 to 100"),
        (["--set", "min_qty=1.5"], "min_qty is bigint, not '1.5'"),
        pytest.param(["--set", f"min_qty={'[' * 10_000}"], "min_qty is bigint, not", id="deep"),
        (["--set", "threshold_pct"], "'threshold_pct' is no FIELD=VALUE; write for example"),
        (["--set", "min_qty=1", "--set", "min_qty=2"], "min_qty is set twice"),
        (["--set", "plan_source=ml"], "plan_source is ml, and the lake has no version of a model; train"),
        (["--set", "service_level=0.9"], "service_level decides about levels of a model, and the rule orders"),
        (["--set", "allow_zero=true"], "allow_zero decides about levels of a model, and the rule orders"),
        (["--set", "plan_source=oracle"], "plan_source is oracle; give rule or ml"),
        (["--set", "service_level=0.4"], "service_level is 0.4; give a value from 0.5 to 0.995"),
        (["--set", "allow_zero=perhaps"], "allow_zero is boolean, not 'perhaps'; it means"),
        (["--set", "min_qty=2", "--change-request", 1], "--set and --change-request; give one of"),
        (["--since", "2017-11-05", "--until", "2017-11-04"], "2017-11-05 is after the last one"),
        (["--since", "tomorrow"], "--since is 'tomorrow', which is no day; write for example"),
        (["--since", "2018-02-01"], f"no receipts from 2018-02-01 on; the last ones are of {LAST}"),
        (["--until", "2017-01-01"], "no receipts up to 2017-01-01; name other days or stores"),
        (["--stores", "store 9"], "no store 'store 9'; did you mean store 1, store 0?"),
        (["--categories", "milk"], "no category 'milk'; there are dairy, tins"),
        (["--items", "I99"], "no item 'I99'; did you mean"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_one_line(lakeshelf, sold, arguments, said):
    refused = lakeshelf("--lake", sold, "whatif", *arguments)
    assert refused.code == 2
    assert said in refused.error
    assert not refused.out


def test_a_lake_without_receipts_is_refused(lakeshelf, tmp_path):
    root = sold_shop.make(tmp_path / "lake", SOLD)
    shutil.rmtree(root / Raw.POS_TRANSACTIONS)
    tables.ensure(root, CATALOG.tables[Raw.POS_TRANSACTIONS])
    refused = lakeshelf("--lake", root, "whatif")
    assert refused.code == 2
    assert "there are no receipts; `lakeshelf up` starts a shop" in refused.error
    refused = lakeshelf("--lake", root, "whatif", "--stores", "store 1")
    assert "there are no receipts; name other days or stores" in refused.error


def test_more_days_than_can_be_replayed_are_refused(lakeshelf, tmp_path):
    root = sold_shop.make(tmp_path / "lake", SOLD)
    early = next(iter(sold_shop.receipts(SOLD)))
    day = FIRST.replace(year=2001)
    at = early["event_time"].replace(year=2001)
    moved = {**early, "event_id": "early", "event_time": at, "event_date": day}
    sold_shop.write(root, "raw/pos_transactions", [moved])
    refused = lakeshelf("--lake", root, "whatif", "--since", day)
    assert refused.code == 2
    assert "give at most 1,098" in refused.error
    assert lakeshelf("--lake", root, "whatif").code == 0


@pytest.mark.parametrize("name", ["curated/shelf_profiles", "raw/pos_transactions", "staging/wh_policies"])  # fmt: skip
def test_a_table_that_is_not_there_or_is_older_is_named(lakeshelf, tmp_path, name):
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = lakeshelf("--lake", empty, "whatif")
    assert missing.code == 1
    assert "no Delta table" in missing.error
    root = sold_shop.make(tmp_path / "lake", SOLD)
    lacking = pa.table({"shelf_id": pa.array([], pa.string())})
    shutil.rmtree(root / name)
    write_deltalake(root / name, lacking)
    refused = lakeshelf("--lake", root, "whatif")
    assert refused.code == 1
    assert f"table {name} lacks columns of its contract" in refused.error


@pytest.mark.parametrize(("extra", "module"), [("ml", "numpy"), ("query", "duckdb")])
def test_an_extra_that_is_not_installed_is_one_line(lakeshelf, sold, monkeypatch, extra, module):
    installed = extras.find_spec
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name == module else installed(name)
    )
    refused = lakeshelf("--lake", sold, "whatif")
    assert refused.code == 1
    assert refused.error.startswith(f"error: {module} is not installed; run `pip install")
    assert f"lakeshelf[{extra}]" in refused.error
