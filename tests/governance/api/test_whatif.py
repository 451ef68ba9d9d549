"""What a change request of policies would have meant on the receipts of the lake, before anybody approves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakeshelf.governance.services.context import Context
from tests.cli.shop import sold_shop
from tests.governance.api.shell import Shell, insert, merge, shell
from tests.governance.services.conftest import DATASET

__all__ = ["shell"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SOLD = sold_shop.past()


@pytest.fixture
def root(context: Context, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lake of governed datasets, with receipts."""
    folder = context.root.folder
    assert folder is not None
    monkeypatch.setenv("LAKESHELF_LAKE_ROOT", str(folder))
    return sold_shop.make(folder, SOLD)


def asked(shell: Shell, *words: object) -> Any:
    """Differences, and the shelves that change."""
    answer = shell.json("vic", "whatif", *words)
    return answer["differences"], {one["shelf_id"] for one in answer["most_changed"]}


def test_a_change_request_means_what_the_same_fields_mean(shell: Shell, root: Path) -> None:
    insert(shell, "S0003")
    policy = {**sold_shop.POLICY, "threshold_pct": 30.0, "min_qty": 1, "target_pct": 80.0}
    row = {**policy, "near_expiry_days": 5, "shelf_id": "S0003"}
    sold_shop.write(root, "staging/shelf_policies", [row])
    shell("ann", "data", "edit", DATASET, "S0003", "target_pct=20", "min_qty=0")
    number = shell.json("ann", "data", "submit", DATASET, "--title", "Less [red]")["request"]["number"]  # fmt: skip
    differences, shelves = asked(shell, "--change-request", number)
    assert shelves == {"S0003"}
    one = ("--items", "I3")
    expected, _ = asked(shell, *one, "--set", "target_pct=20", "--set", "min_qty=0")
    assert asked(shell, *one, "--change-request", number)[0] == expected
    assert [d["difference"] for d in differences if d["measure"] == "orders"] == [
        d["difference"] for d in expected if d["measure"] == "orders"
    ]
    shown = shell("vic", "whatif", "--change-request", number).out
    assert f"and change request {number} (Less [red])." in shown
    merge(shell, number)
    ended = shell("vic", "whatif", "--change-request", number, code=2)
    assert f"CR {number} of shelf_policies is closed and changes no policy" in ended.error


def test_a_policy_that_comes_or_goes_is_the_shelf_s_own_or_none(shell: Shell, root: Path) -> None:
    insert(shell, "S0001")
    row = {**sold_shop.POLICY, "threshold_pct": 0.0, "min_qty": 0, "target_pct": 80.0}
    held = {**row, "near_expiry_days": 5, "shelf_id": "S0001"}
    sold_shop.write(root, "staging/shelf_policies", [held])
    shell("ann", "data", "delete", DATASET, "S0001")
    fields = ("threshold_pct=0", "min_qty=0", "target_pct=80", "near_expiry_days=5", "active=true")
    shell("ann", "data", "insert", DATASET, "S0002", *fields)
    number = shell.json("ann", "data", "submit", DATASET, "--title", "x")["request"]["number"]
    for item, values in (("I1", ("threshold_pct=30", "min_qty=1")), ("I2", fields[:2])):
        words = [word for value in values for word in ("--set", value)]
        expected, _ = asked(shell, "--items", item, *words)
        assert asked(shell, "--items", item, "--change-request", number)[0] == expected
        assert any(one["difference"] for one in expected)
