"""A policy that somebody sets becomes the edits that make its dataset say so, and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.cli.governed.policies import edits, title_of
from lakeshelf.shop.policies import PolicyChange

HELD = {"threshold_pct": 40.0, "min_qty": 3, "target_pct": 80.0, "near_expiry_days": 5}
ROW = {"shelf_id": "S1", **HELD, "active": True, "actor": "ann"}


def change(**fields: Any) -> PolicyChange:
    stamps = {"actor": "ann", "version": 7, "updated_at": datetime(2026, 3, 14, tzinfo=UTC)}
    message = {"shelf_id": "S1", **HELD, "active": True, **fields, **stamps}
    return PolicyChange("store", "S1", pa.table({}), message)


def test_a_shelf_that_the_dataset_does_not_have_is_inserted_with_every_field() -> None:
    (edit,) = edits(change(min_qty=4), {"min_qty": 4}, None, ROW)
    assert edit["op"] == "insert"
    assert edit["value"] == {**HELD, "min_qty": 4, "active": True}


def test_a_dataset_of_before_a_field_says_nothing_of_it_unless_somebody_chose_it() -> None:
    made = change(min_qty=4, plan_source="rule")
    (edit,) = edits(made, {"min_qty": 4}, None, ROW)
    assert "plan_source" not in edit["value"]
    chosen = {"plan_source": "ml"}
    (edit,) = edits(change(**chosen), chosen, None, ROW)
    assert edit["value"]["plan_source"] == "ml"
    (edit,) = edits(change(**chosen), chosen, ROW, ROW)
    assert (edit["column"], edit["value"]) == ("plan_source", "ml")


def test_of_a_policy_in_force_only_what_was_chosen_is_edited() -> None:
    stale = change(min_qty=4, target_pct=10.0)  # the topic lags behind what the dataset says
    (edit,) = edits(stale, {"min_qty": 4}, ROW, ROW)
    assert (edit["op"], edit["column"], edit["value"]) == ("set", "min_qty", 4)


def test_a_policy_that_was_ended_comes_back_whole() -> None:
    ended = {**ROW, "active": False, "target_pct": 10.0}
    made = {
        one["column"]: one["value"] for one in edits(change(min_qty=4), {"min_qty": 4}, ended, ROW)
    }
    assert made == {"min_qty": 4, "target_pct": 80.0, "active": True}


@pytest.mark.parametrize(
    ("made", "chosen", "row"),
    [
        (change(min_qty=3), {"min_qty": 3}, ROW),
        (change(active=False), {"active": False}, {**ROW, "active": False}),
    ],
)
def test_what_the_dataset_says_already_is_no_edit(
    made: PolicyChange, chosen: dict[str, Any], row: dict[str, Any]
) -> None:
    assert edits(made, chosen, row, ROW) == []


def test_a_request_is_called_by_what_it_does() -> None:
    assert title_of(change(), {"min_qty": 4, "target_pct": 9}) == "S1: min_qty 4, target_pct 9"
    assert title_of(change(active=False), {"active": False}) == "End the policy of S1"
