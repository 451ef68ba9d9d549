"""What people do is a valid message with their name, and never an edit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka import topics
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.shop import acts, lists
from tests.streams.pipeline import consume

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLACE = {"store_id": "S1", "shelf_id": "S1-I1", "created_at": NOW, "updated_at": NOW, "version": 1}
ALERT = {"alert_id": "a1", "event_type": "refill_request", "location": "store", **PLACE}
PLAN = {"plan_id": "p1", "suggested_qty": 6, "issued_qty": 0, "held": False, **PLACE}
STOCK = {"item_id": "I1", "balance": 2, "current_stock": 2, "last_event_time": NOW}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake with an open alert, a closed one, a pending plan and a shelf."""
    for name in (
        "ops/wh_supplier_plan",
        "cleansed/wh_state",
        "cleansed/shelf_batch_state",
        "cleansed/wh_batch_state",
        "curated/shelf_profiles",
    ):
        tables.ensure(tmp_path, CATALOG.tables[name])
    closed = {**ALERT, "alert_id": "a0", "status": "resolved"}
    write(tmp_path, "ops/alerts", {**ALERT, "status": "open"}, closed)
    write(tmp_path, "ops/shelf_restock_plan", {**PLAN, "status": "pending"})
    first = {"first_event_time": NOW, "first_event_id": "e"}
    write(tmp_path, "cleansed/shelf_state", {**PLACE, **STOCK, **first})
    return tmp_path


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    contract = CATALOG.tables[name]
    tables.ensure(root, contract)
    found = pa.Table.from_pylist(list(rows), schema=arrow_contract.schema(contract.columns))
    writing.append(tables.open_table(root, name), name, found, Write.once(Txn("test", 1)))


def sent_since(client: dict[str, str], topic: str, ends: topics.Offsets) -> list[dict[str, Any]]:
    found = consume(client, topic, ends[topic])
    assert all(check(CATALOG.topics[topic], r.value) is None for r in found)
    return [orjson.loads(r.value or b"") for r in found]


@pytest.mark.parametrize(
    ("command", "target"), [("ack", "a1"), ("dismiss", "a1"), ("cancel", "p1")]
)
def test_an_act_is_a_command_with_the_name_of_who_asked(
    client: dict[str, str], root: Path, command: str, target: str
) -> None:
    before = topics.end_offsets(client, ["commands"])
    acts.act(client, root, command, target, "ada", "seen")
    (message,) = sent_since(client, "commands", before)
    wanted = {
        "command": command,
        "target_id": target,
        "actor": "ada",
        "reason": "seen",
        "store_id": "S1",
    }
    assert message.items() >= wanted.items()


@pytest.mark.parametrize(
    ("command", "target", "line"),
    [
        (
            "ack",
            "a0",
            "alert 'a0' is resolved already; nothing was sent; see `lakeshelf alerts list`",
        ),
        ("dismiss", "p1", "no alert 'p1'; see `lakeshelf alerts list`"),
        ("cancel", "p0", "no plan 'p0'; see `lakeshelf plans list`"),
    ],
)
def test_an_act_on_what_is_closed_or_unknown_is_refused(
    client: dict[str, str], root: Path, command: str, target: str, line: str
) -> None:
    before = topics.end_offsets(client, ["commands"])
    with pytest.raises(ConfigurationError) as raised:
        acts.act(client, root, command, target, "ada", None)
    assert line in str(raised.value)
    assert sent_since(client, "commands", before) == []


def test_a_corrected_count_is_an_adjustment(client: dict[str, str], root: Path) -> None:
    before = topics.end_offsets(client, ["shelf_events"])
    acts.adjust(client, root, "S1-I1", -2, "ada", None)
    (event,) = sent_since(client, "shelf_events", before)
    wanted = {"event_type": "adjustment", "quantity": -2, "actor": "ada", "item_id": "I1"}
    assert event.items() >= wanted.items()
    for shelf, quantity, line in (("S1-I1", 0, "bad_quantity"), ("S9", 1, "'S9'")):
        with pytest.raises(ConfigurationError, match=line):
            acts.adjust(client, root, shelf, quantity, "ada", None)


def test_lists_show_what_is_open(root: Path) -> None:
    assert [row["alert_id"] for row in lists.alerts(root).rows] == ["a1"]
    closed = lists.alerts(root, lists.ListFilter(status="resolved"))
    assert [row["alert_id"] for row in closed.rows] == ["a0"]
    (plan,) = lists.plans(root).rows
    assert (plan["plan_id"], plan["kind"], plan["name"]) == ("p1", "refill", None)
    assert "held" not in plan
    assert lists.stock(root, "S1-I1")["shelf_state"][0]["balance"] == 2
