"""The effect of a change request is what the engines make of its rows; without a state nothing is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.effect import effect, patched
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.shop.shortage import ENGINES, judged
from lakeshelf.streams.declare.registry import discover
from tests.cli.shop.told_shop import SHELF, write_all
from tests.governance.services.acting import delete, done, insert, proposed, set_
from tests.governance.services.conftest import ANN, EVE, PROJECT, VIC

pytestmark = pytest.mark.timeout(300)
TODAY = date(2026, 3, 1)
NAME = "staging/shelf_policies"
JOBS = discover(load_settings().home)


def lake(context: Context) -> Path:
    folder = context.root.folder
    assert folder is not None
    return folder


def test_the_effect_is_what_the_engine_makes_of_the_merged_rows(context: Context) -> None:
    write_all(lake(context))
    done(context, insert(SHELF, threshold_pct=0, min_qty=0))
    high = {"threshold_pct": 100, "target_pct": 100, "min_qty": 9, "near_expiry_days": 3}
    request = proposed(context, ANN, *(set_(SHELF, name, value) for name, value in high.items()))
    (found,) = effect(context, VIC, PROJECT, request.number, JOBS, TODAY)
    assert (found.location, found.known) == ("store", True)
    policies = tables.rows(lake(context), NAME)
    own = policies.slice(0, 1).to_pylist()[0] | {"shelf_id": SHELF, "active": True} | high
    rows = patched(
        policies,
        pa.Table.from_pylist([own], policies.schema),
        policies.slice(0, 0),
    )
    (row,) = judged(lake(context), JOBS[ENGINES["store"]], staging_shelf_policies=rows).to_pylist()
    assert found.totals["low"]["then"] == int(row["low"]) == 1
    assert found.totals["units"]["then"] == row["wanted"] > 0
    assert found.totals["near_expiry"]["then"] == 2  # both lots expire three days later
    (shelf,) = found.shelves
    assert (shelf["shelf_id"], shelf["units_then"]) == (SHELF, row["wanted"])
    (store,) = found.stores
    assert store["units"] == found.totals["units"]


def test_a_policy_that_is_deleted_gives_way_to_the_default(context: Context) -> None:
    write_all(lake(context))
    done(context, insert(SHELF))
    request = proposed(context, ANN, delete(SHELF))
    (found,) = effect(context, ANN, PROJECT, request.number, JOBS, TODAY)
    policies = tables.rows(lake(context), NAME)
    others = policies.filter(pc.not_equal(policies["shelf_id"], SHELF))
    (row,) = judged(
        lake(context), JOBS[ENGINES["store"]], staging_shelf_policies=others
    ).to_pylist()
    assert found.totals["low"]["then"] == int(row["low"])
    assert found.totals["units"]["then"] == row["wanted"]


def test_without_a_state_or_a_tick_nothing_is_told(context: Context) -> None:
    request = proposed(context, ANN, insert(SHELF))
    for today in (TODAY, None):
        (found,) = effect(context, ANN, PROJECT, request.number, JOBS, today)
        assert (found.known, found.totals, found.shelves) == (False, {}, ())
        assert found.why
    tables.ensure_all(lake(context))
    (found,) = effect(context, ANN, PROJECT, request.number, JOBS, TODAY)
    assert (found.known, found.totals) == (False, {})
    assert "cleansed/shelf_state" in found.why


def test_outsiders_are_told_nothing(context: Context) -> None:
    request = proposed(context, ANN, insert(SHELF))
    with pytest.raises(GovernanceError) as error:
        effect(context, EVE, PROJECT, request.number, JOBS, TODAY)
    assert error.value.code == "not_found"
