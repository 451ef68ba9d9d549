"""What a policy would do is told by the rules that then do it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.shop import policies
from lakeshelf.shop.decisions import GLOBAL
from lakeshelf.shop.explain import in_force
from lakeshelf.shop.shortage import ENGINES, judged
from lakeshelf.streams.declare.registry import discover
from tests.cli.shop.told_shop import OPENED, SHELF, write_all

TODAY = date(2026, 3, 1)
NAME = "staging/shelf_policies"
FIELDS = st.fixed_dictionaries(
    {
        "threshold_pct": st.sampled_from([0.0, 20.0, 40.0, 100.0]),
        "min_qty": st.integers(0, 12),
        "target_pct": st.sampled_from([0.0, 50.0, 100.0]),
        "near_expiry_days": st.integers(0, 5),
        "active": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("policies") / "lake"
    write_all(root)
    return root


def change(root: Path, shelf: str, fields: dict[str, object]) -> policies.PolicyChange:
    stamps = {"actor": "ada", "version": 9, "updated_at": OPENED}
    message = {"shelf_id": shelf, **fields, **stamps}
    return policies.PolicyChange("store", shelf, tables.rows(root, NAME), message)


@pytest.mark.slow
@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shelf=st.sampled_from([SHELF, GLOBAL]), fields=FIELDS)
def test_the_effect_of_a_change_is_what_the_engine_makes_of_it(
    shop: Path, shelf: str, fields: dict[str, object]
) -> None:
    engine = discover(load_settings().home)[ENGINES["store"]]
    made = change(shop, shelf, fields)
    effect = policies.effect(shop, engine, made, TODAY).totals
    (row,) = judged(shop, engine, staging_shelf_policies=made.rows).to_pylist()
    found = (effect["low"]["then"], effect["plans"]["then"], effect["units"]["then"])
    assert found == (row["low"], row["wanted"] > 0, row["wanted"])
    # Both lots of the shelf expire three days later.
    assert effect["near_expiry"]["then"] == 2 * (row["near_expiry_days"] >= 3)


def test_what_holds_already_is_known() -> None:
    fields = {"threshold_pct": 40.0, "min_qty": 3, "target_pct": 80.0, "near_expiry_days": 5}
    row = {"shelf_id": SHELF, **fields, "active": True}
    known = pa.Table.from_pylist([{**row, "version": 1, "deleted": False}])
    assert policies.PolicyChange("store", SHELF, known, row).is_known
    assert not policies.PolicyChange("store", SHELF, known, {**row, "min_qty": 4}).is_known
    assert not policies.PolicyChange("store", GLOBAL, known, {**row, "shelf_id": GLOBAL}).is_known


def test_fields_of_models_are_read_as_their_types_and_null_ends_one_that_may_be_absent() -> None:
    texts = {"plan_source": "ml", "service_level": "0.95", "allow_zero": "true"}
    told = {"plan_source": "ml", "service_level": 0.95, "allow_zero": True}
    assert policies.typed("warehouse", texts) == told
    assert policies.typed("warehouse", {"service_level": "null"}) == {"service_level": None}
    for texts in ({"reorder_point_qty": "null"}, {"allow_zero": "maybe"}):
        with pytest.raises(ConfigurationError, match="it means"):
            policies.typed("warehouse", texts)


def test_what_a_policy_of_before_leaves_out_the_general_one_says_and_then_the_default() -> None:
    names = ("shelf_id", "plan_source", "service_level", "allow_zero")
    rows = (("S1", None, 0.9, None), (GLOBAL, "ml", None, None))
    limits = {"reorder_point_qty": 3, "active": True, "deleted": False}
    told = [{**dict(zip(names, row, strict=True)), **limits} for row in rows]
    schema = arrow_contract.schema(CATALOG.tables["staging/wh_policies"].columns)
    held = in_force("wh_policies", pa.Table.from_pylist(told, schema=schema), "S1")
    assert held["plan_source"] == {"value": "ml", "from": GLOBAL}
    assert held["service_level"] == {"value": 0.9, "from": "shelf"}
    assert held["allow_zero"] == {"value": False, "from": "default"}


@pytest.mark.parametrize(
    ("names", "given_location", "found"),
    [
        (["min_qty"], None, "store"),
        (["reorder_point_qty", "near_expiry_days"], None, "warehouse"),
        (["near_expiry_days"], "store", "store"),
    ],
)
def test_the_location_follows_from_the_fields(
    names: list[str], given_location: str | None, found: str
) -> None:
    assert policies.location_of(names, given_location) == found


@pytest.mark.parametrize(
    ("names", "given_location", "line"),
    [
        (["near_expiry_days"], None, "several locations; name one with --location"),
        (["min_qty", "reorder_point_qty"], None, "no one location"),
        (["reorder_point_qty"], "store", "no field of a policy 'reorder_point_qty'"),
        (["min_qty"], "shop", "no location 'shop'"),
    ],
)
def test_fields_of_no_one_location_are_refused(
    names: list[str], given_location: str | None, line: str
) -> None:
    with pytest.raises(ConfigurationError, match=line):
        policies.location_of(names, given_location)
