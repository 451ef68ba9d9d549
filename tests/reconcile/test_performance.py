"""What the small shop achieved, computed by hand; and its picture."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import living_shop as shop
import pytest

from lakeshelf.errors import ConfigurationError, LakeError
from lakeshelf.reconcile import Achieved, BusinessDay, achieved
from lakeshelf.reconcile.chart import draw

MON, TUE, WED = shop.MON, shop.TUE, shop.WED
DAYS = (
    BusinessDay(
        day=MON,
        sold=4,
        lost=0,
        sales=Decimal("7.50"),
        removed=0,
        expired=0,
        received=75,
        restocked=17,
        refills=2,
        orders=0,
        discounts=0,
        shelf_stock=28,
        warehouse_stock=58,
        low_shelves=1,
    ),
    BusinessDay(
        day=TUE,
        sold=6,
        lost=2,
        sales=Decimal("8.40"),
        removed=1,
        expired=0,
        received=0,
        restocked=2,
        refills=1,
        orders=1,
        discounts=1,
        shelf_stock=25,
        warehouse_stock=54,
        low_shelves=1,
    ),
    BusinessDay(
        day=WED,
        sold=0,
        lost=1,
        sales=Decimal(0),
        removed=12,
        expired=12,
        received=24,
        restocked=0,
        refills=0,
        orders=1,
        discounts=0,
        shelf_stock=19,
        warehouse_stock=60,
        low_shelves=2,
    ),
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.shop().write(tmp_path_factory.mktemp("shop"))


def test_each_day_is_added_up(lake: Path) -> None:
    assert achieved(lake, MON, WED).days == DAYS


def test_the_shop_as_a_whole(lake: Path) -> None:
    found = achieved(str(lake), MON, WED)
    assert found.service_level == 10 / 13
    assert found.sales == Decimal("15.90")
    assert found.total("lost") == 3
    assert found.waste == 12 / 99
    assert found.average_stock == (86 + 79 + 79) / 3
    assert found.turns == 10 / ((86 + 79 + 79) / 3)


def test_days_begin_with_the_stock_of_earlier_ones_and_keep_it_when_nothing_happens(
    lake: Path,
) -> None:
    after = WED + timedelta(days=1)
    quiet = achieved(lake, TUE, after).days
    assert quiet[:2] == DAYS[1:]
    still = {"shelf_stock": 19, "warehouse_stock": 60, "low_shelves": 2}
    nothing = dict.fromkeys(vars(DAYS[0]), 0) | still | {"day": after, "sales": Decimal(0)}
    assert quiet[2] == BusinessDay(**nothing)


@pytest.mark.slow
def test_a_shop_in_which_nobody_wanted_anything_has_no_shares(lake: Path) -> None:
    before = MON - timedelta(days=1)
    found = achieved(lake, before, before)
    assert found.days[0].stock == 0
    shares = (found.service_level, found.waste, found.turns)
    assert shares == (None, None, None)
    assert achieved(lake, WED, MON).days == ()
    assert achieved(lake, WED, MON).as_json()["average_stock"] is None


def test_a_balance_below_zero_is_no_stock(tmp_path: Path) -> None:
    model = shop.shop()
    model.event("s8")["quantity"] = 100
    days = achieved(model.write(tmp_path), MON, WED).days
    assert [day.shelf_stock for day in days] == [24, 19, 15]


def test_figures_are_plain_values(lake: Path) -> None:
    told = json.loads(json.dumps(achieved(lake, MON, WED).as_json()))
    assert (told["since"], told["until"]) == ("2026-03-02", "2026-03-04")
    assert told["sold"] == sum(day["sold"] for day in told["days"]) == 10
    assert told["days"][0]["sales"] == 7.5
    assert told["days"][0]["stock"] == 86


def test_a_lake_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no Delta table raw/shelf_events"):
        achieved(tmp_path, MON, WED)


def many(number: int) -> Achieved:
    first = date(2026, 1, 1)
    return Achieved(tuple(replace(DAYS[n % 3], day=first + timedelta(n)) for n in range(number)))


@pytest.mark.parametrize("number", [1, 3, 90])
@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml")], ids=[".png", ".svg"]
)
def test_a_chart_is_drawn(number: int, suffix: str, magic: bytes, tmp_path: Path) -> None:
    file = tmp_path / f"shop{suffix}"
    draw(many(number), file)
    assert file.read_bytes().startswith(magic)
    assert file.stat().st_size > 10_000


def test_a_chart_names_what_it_shows_and_is_the_same_again(tmp_path: Path) -> None:
    first, again = tmp_path / "first.svg", tmp_path / "again.svg"
    draw(many(3), first)
    draw(many(3), again)
    text = first.read_text()
    for words in (
        "Stock at the end of the day",
        "units a day",
        "lost, shelf empty",
        "business day",
    ):
        assert words in text
    assert first.read_bytes() == again.read_bytes()


def test_a_chart_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"shop\.gif"):
        draw(many(1), tmp_path / "shop.gif")
    assert not (tmp_path / "shop.gif").exists()
