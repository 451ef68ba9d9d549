"""The stack by HTTP: what its commands tell, whether it runs or not; refused records, tables, lineage."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import OPENED, write
from tests.governance.api.people import Person, issue
from tests.governance.services.conftest import START

API = "/api/v1"


def refuse(root: Path, count: int) -> None:
    """Refused records, some of which have the same offset in different topics."""
    rows = [
        {
            "topic": ("shelf_events", "commands")[number % 2],
            "partition": 0,
            "offset": number // 2,
            "kafka_timestamp": OPENED + timedelta(seconds=number // 3),
            "key": b"k",
            "value": b'{"quantity": 0}' if number else b"\xff",
            "reason": "bad_quantity" if number % 3 else "not_json",
            "detail": "",
            "ingested_at": OPENED,
        }
        for number in range(count)
    ]
    write(root, "raw/quarantine", *rows)


def test_refused_records_come_by_pages_each_once(ben: Person, context: Context) -> None:
    assert context.root.folder is not None
    refuse(context.root.folder, 9)
    whole = ben.get(f"{API}/quarantine")
    assert whole["total"] == 9
    assert whole["reasons"] == {"bad_quantity": 6, "not_json": 3}
    paged = [
        row
        for offset in range(0, 9, 2)
        for row in ben.get(f"{API}/quarantine", offset=offset, limit=2)["rows"]
    ]
    assert paged == whole["rows"]
    assert len({(row["topic"], row["offset"]) for row in paged}) == 9
    assert paged[-1]["value_base64"] == "/w=="
    one = ben.get(f"{API}/quarantine", topic="commands", reason="not_json")
    assert {row["topic"] for row in one["rows"]} == {"commands"}
    assert one["total"] == len(one["rows"])


def test_status_is_told_of_a_stack_that_is_down(ben: Person) -> None:
    status = ben.get(f"{API}/status")
    assert (status["ok"], status["state"]) == (False, "down")
    assert any("lakeshelf up" in line for line in status["problems"])
    assert {query["query"] for query in status["queries"]} > {"alerts-sink"}
    error = ben.call("GET", f"{API}/lag").json()["error"]
    assert error["code"] == "service_unavailable"
    assert "lakeshelf up" in error["message"]


def test_who_manages_the_installation_may_have_it_examined(app: FastAPI, context: Context) -> None:
    with context.metadata.transaction() as tx:
        tx.people.add(User("ada", "", True, START))
    examined = Person(app, issue(context, "ada", "ada")).get(f"{API}/doctor")
    assert {check["name"] for check in examined["checks"]} > {"disk", "tables", "memory"}
    assert examined["ok"] is all(check["ok"] for check in examined["checks"])


def test_a_table_is_told_with_its_columns_and_documentation(ben: Person) -> None:
    table = ben.get(f"{API}/tables/ops/alerts")
    assert (table["owner"], table["key"], table["topic"]) == ("alerts-sink", ["alert_id"], "alerts")
    status = next(column for column in table["columns"] if column["name"] == "status")
    assert "open" in status["values"]
    assert status["doc"].endswith(".")
    assert ben.get(f"{API}/tables/curated/sales_lines")["kind"] == "view"


def test_datasets_of_others_are_no_tables(eve: Person) -> None:
    names = [row["name"] for row in eve.get(f"{API}/tables", limit=1_000)["rows"]]
    assert "ops/alerts" in names
    assert "retail/shelf_policies" not in names
    assert eve.refused("GET", f"{API}/tables/retail/shelf_policies") == "not_found"
    nodes = {node["id"] for node in eve.get(f"{API}/lineage")["nodes"]}
    assert "dataset:retail/shelf_policies" not in nodes


def flows(graph: dict[str, Any]) -> set[tuple[str, str]]:
    return {(edge["source"], edge["target"]) for edge in graph["edges"]}


def test_lineage_has_reads_of_tables_and_datasets(ben: Person) -> None:
    graph = ben.get(f"{API}/lineage")
    ids = {node["id"] for node in graph["nodes"]}
    assert {end for edge in flows(graph) for end in edge} <= ids
    assert flows(graph) >= {
        ("topic:shelf_events", "job:shelf-aggregator"),
        ("job:shelf-aggregator", "table:cleansed/shelf_state"),
        ("table:cleansed/shelf_state", "job:shelf-alert-engine"),
        ("job:shelf-alert-engine", "topic:alerts"),
        ("topic:commands", "component:removal-scheduler"),
        ("table:staging/shelf_refill_pending", "component:removal-scheduler"),
        ("component:removal-scheduler", "table:ops/journal_removal_scheduler"),
        ("dataset:retail/shelf_policies", "component:dataset-publisher"),
        ("component:dataset-publisher", "topic:shelf_policies"),
        ("table:raw/pos_transactions", "view:curated/sales_lines"),
    }


@pytest.mark.parametrize("focus", ["table:cleansed/shelf_state", "topic:shelf_policies"])
def test_a_node_has_all_that_leads_to_it_and_away_from_it(ben: Person, focus: str) -> None:
    whole = flows(ben.get(f"{API}/lineage"))
    part = ben.get(f"{API}/lineage", focus=focus)
    ids = {node["id"] for node in part["nodes"]}
    assert {source for source, target in whole if target == focus} <= ids
    assert {target for source, target in whole if source == focus} <= ids
    assert flows(part) == {(a, b) for a, b in whole if {a, b} <= ids}
    assert len(ids) < len({end for edge in whole for end in edge})
