"""Levels as they are told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.inference.levels import in_time, messages, valid_until

DAYS = cutoffs(date(2026, 1, 1), date(2026, 12, 31))["feature_date"].to_pylist()
AT = datetime(2026, 3, 3, tzinfo=UTC)


@given(st.sampled_from(DAYS[:-1]))
def test_a_level_holds_until_the_next_has_come_and_never_for_eight_days(day: date) -> None:
    last = valid_until(day) - timedelta(seconds=1)
    assert last.date() == DAYS[DAYS.index(day) + 1]
    assert last.date() - day <= timedelta(days=4)


def test_orders_of_a_day_are_made_at_noon() -> None:
    assert in_time(AT.date(), AT.replace(hour=11, minute=59))
    assert not in_time(AT.date(), AT.replace(hour=12))


def test_a_level_that_was_not_sent_is_no_message_and_a_later_one_wins() -> None:
    row = {
        "shelf_id": "A",
        "store_id": "S1",
        "item_id": "I1",
        "level_qty": 7,
        "lot_level_qty": 9,
        "service_level": None,
        "feature_date": AT.date(),
        "valid_until": valid_until(AT.date()),
        "model_name": "warehouse_optimizer",
        "model_version": "20260228-0123456789ab",
        "created_at": AT,
    }
    later = {**row, "feature_date": date(2026, 3, 5)}
    first, second = messages([row, later, {**row, "valid_until": None}])
    said = {name: value for name, value in row.items() if name != "created_at"}
    assert first == {**said, "version": first["version"], "updated_at": AT}
    assert first["version"] < second["version"]
