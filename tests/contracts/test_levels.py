"""Levels of a model, and the fields of policies that ask for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.model import Topic
from lakeshelf.contracts.validate import check, parse

from .cases import encode, example, reason

POLICIES, LEVELS = CATALOG.topics["wh_policies"], CATALOG.topics["order_levels"]
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (POLICIES, {"plan_source": "oracle"}),
        (POLICIES, {"service_level": 0.49}),
        (POLICIES, {"service_level": 0.996}),
        (LEVELS, {"level_qty": -1}),
        (LEVELS, {"level_qty": 10_000_001}),
        (LEVELS, {"lot_level_qty": -1}),
        (LEVELS, {"service_level": 1}),
    ],
)
def test_a_value_that_cannot_be_is_impossible(topic: Topic, change: dict[str, Any]) -> None:
    assert reason(topic, example(topic), **change) == "impossible_value"


@pytest.mark.parametrize(
    ("after", "fits"),
    [
        (timedelta(0), True),
        (-MOMENT, False),
        (timedelta(3), True),
        (timedelta(8), True),
        (timedelta(8) + MOMENT, False),
        (timedelta(3650), False),
    ],
)
def test_a_level_ends_at_most_eight_days_after_its_cutoff_day_began(
    after: timedelta, fits: bool
) -> None:
    told = example(LEVELS)
    day = datetime.combine(date.fromisoformat(told["feature_date"]), time.min, UTC)
    until = orjson.loads(orjson.dumps(day + after, option=orjson.OPT_UTC_Z))
    refused = check(LEVELS, encode({**told, "valid_until": until}))
    assert (refused is None) == fits
    if refused is not None:
        assert refused.reason == "impossible_value"
        assert "is not within 8 days after" in refused.detail


def test_a_policy_without_the_fields_of_models_is_one() -> None:
    names = ("plan_source", "service_level", "allow_zero")
    old = {name: value for name, value in example(POLICIES).items() if name not in names}
    assert check(POLICIES, encode(old)) is None
    assert [parse(POLICIES, encode(old))[name] for name in names] == [None] * 3
