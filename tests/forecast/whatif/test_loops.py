"""M7: what-if of the policy in force gives a loop's own orders, lost units and removals."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakeshelf import modules
from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.forecast.orders import rule
from lakeshelf.forecast.whatif import loops, steps
from lakeshelf.settings import project_home
from tests.forecast.whatif import loop


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of fifteen days that has ended; it is only read."""
    return loop.make(tmp_path_factory.mktemp("loop") / "lake")


def test_the_policy_in_force_gives_what_the_loop_did(ended: Path) -> None:
    check = loops.loop_check(ended, loop.MOMENTS)
    assert check.ok, check.sample
    assert check.expected == check.actual
    done = {key[0] for key, units in loops.read(ended, loop.MOMENTS).decided.items() if units}
    assert done == {"ordered", "lost", "removed"}


@pytest.mark.parametrize(
    ("table", "column", "chosen", "said"),
    [
        (Ops.WH_SUPPLIER_ORDERS, "total_qty", "total_qty > 0", "ordered S0, day "),
        (Raw.SHELF_EVENTS, "quantity", "event_type = 'removal'", "removed S"),
        (Raw.WH_EVENTS, "quantity", "event_type = 'wh_removal'", "removed S"),
        (Raw.WH_EVENTS, "quantity", "event_type = 'wh_in' AND order_id IS NULL", "lost S"),
    ],
)
def test_what_a_loop_did_otherwise_shows(
    ended: Path, tmp_path: Path, table: str, column: str, chosen: str, said: str
) -> None:
    root = Path(shutil.copytree(ended, tmp_path / "lake"))
    DeltaTable(str(root / table)).update({column: f"{column} + 2"}, predicate=chosen)
    check = loops.loop_check(root, loop.MOMENTS)
    assert not check.ok
    assert any(line.startswith(said) for line in check.sample), check.sample


def test_another_rule_of_the_what_if_shows(ended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supply = rule.supply
    monkeypatch.setattr(rule, "supply", lambda room, *of: supply(room + 1, *of))
    assert not loops.loop_check(ended, loop.MOMENTS).ok


def test_a_policy_that_was_not_in_force_gives_other_orders(ended: Path) -> None:
    known = loops.read(ended, loop.MOMENTS)
    other = replace(known, policy=known.policy.changed({"reorder_point_qty": 13}))
    assert other.foretold() != known.decided


def test_goods_are_on_their_way_as_long_as_the_job_says() -> None:
    """A replay would else sell what no customer of the step could take."""
    bridge = modules.load(project_home() / "spark-apps/shelf-refill-bridge/shelf_refill_bridge.py")
    assert steps.ON_THE_WAY.total_seconds() == bridge.REFILL_DELAY_S
