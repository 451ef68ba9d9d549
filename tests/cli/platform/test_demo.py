from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakeshelf.contracts.layers import Curated
from lakeshelf.lake.rows import tables
from lakeshelf.reconcile import reconcile
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision.supervisor import running_stack
from tests.support import eventually

pytestmark = pytest.mark.slow
SMALL = ("--stores", "1", "--baskets", "40")
RAW = ("shelf_events", "pos_transactions", "foot_traffic", "wh_events", "lost_sales")


@pytest.fixture
def records():
    """Records of each raw topic as a demo counted them."""

    def counted(report):
        return {topic: report["replay"]["topics"].get(topic, 0) for topic in RAW}

    return counted


def test_a_demo_with_faults_reconciles_twice_and_a_changed_table_does_not(lakeshelf, lake, records):
    faults = ("--malformed", "0.02", "--duplicates", "0.02", "--reorder", "60", "--late", "0.02")
    first = lakeshelf("demo", *SMALL, *faults, "--json")
    assert first.code == 0, first.err
    report = json.loads(first.out)
    assert report["ok"]
    assert all(check["ok"] for check in report["checks"])
    assert report["replay"]["duplicates"] > 0
    assert report["tables"]["raw/quarantine"] == sum(report["replay"]["malformed"].values())
    assert report == json.loads((lake / "demo" / "_stack" / "demo.json").read_text())

    again = lakeshelf("demo", *SMALL, "--promotions")
    assert again.code == 0, again.err
    assert "reconciled" in again.out
    assert "lakeshelf --lake" in again.out

    table = DeltaTable(str(lake / "demo" / "cleansed" / "shelf_state"))
    table.update(
        {"balance": "balance + 1", "current_stock": "current_stock + 1"}, predicate="balance > 0"
    )
    clean = json.loads((lake / "demo" / "_stack" / "demo.json").read_text())
    promoted = clean["replay"]["topics"]["promotions"]
    assert promoted > 0
    assert tables.row_count(lake / "demo", Curated.PROMOTIONS) == promoted
    assert "promotions" not in report["replay"]["topics"]
    assert not reconcile(lake / "demo", records(clean), stores=1, baskets=40).ok


@pytest.mark.parametrize("option", ["--promotions", "--baskets 40"])
def test_a_loop_refuses_what_only_receipts_have(lakeshelf, option: str) -> None:
    refused = lakeshelf("demo", "--loop", *option.split())
    assert refused.code == 2
    assert refused.err.startswith(f"error: {option} does not fit --loop")


@pytest.mark.faults
def test_a_demo_reconciles_though_its_parts_are_killed(lakeshelf, lake: Path):
    settings = load_settings(lake_root=lake / "demo")

    def kill() -> None:
        eventually(lambda: running_stack(settings).get("state") == "running", "the stack runs")
        for part in ("streams", "broker"):
            os.kill(running_stack(settings)["parts"][part]["pid"], signal.SIGKILL)
            eventually(lambda part=part: restarts(part) > 0, f"{part} is started again")

    def restarts(part: str) -> int:
        return running_stack(settings).get("parts", {}).get(part, {}).get("restarts", 0)

    killer = threading.Thread(target=kill)
    killer.start()
    result = lakeshelf("demo", "--stores", "1", "--baskets", "2000", "--json")
    killer.join()
    assert result.code == 0, result.err
    assert json.loads(result.out)["restarts"] == {"streams": 1, "broker": 1}
