"""How a lake and its stack are doing, as data."""

from __future__ import annotations

import os
import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import KafkaException

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import LakeError, LakeshelfError
from lakeshelf.lake import reading, tables
from lakeshelf.settings import Settings
from lakeshelf.stack import lag, open_transactions
from lakeshelf.stack.broker import Broker
from lakeshelf.stack.clients import client_settings
from lakeshelf.stack.open_transactions import OpenTransaction
from lakeshelf.stack.parts import COMPONENTS_STATUS, STREAMS_STATUS, read_json
from lakeshelf.stack.supervisor import running_stack
from lakeshelf.streams import plan, quarantine, registry
from lakeshelf.streams.plan import QueryPlan

STALE_S = 20.0
"""A process that wrote no status for so long is not running; it writes each second at least."""


def collect(settings: Settings) -> dict[str, Any]:
    """Everything that `lakeshelf status` tells.

    Returns:
        `ok`, `lake`, `state` (`down`, or what the stack tells), `parts`, `problems` (a line each), `queries`,
        `components`, `tables`, `quarantine` (reason → records), `open_transactions`, `shelves_without_profile`.
    """
    stack = running_stack(settings)
    driver = _driver(settings)
    plans = plan.plan(registry.discover(settings.home).values())
    lags, opened, unreachable = _kafka(settings, plans)
    queries = [_query(found, driver, lags) for found in plans]
    state = stack.get("state") or ("running" if driver else "down")
    members = _components(settings)
    problems = [
        *_problems(stack, driver, queries),
        *_failed(members),
        *map(str, open_transactions.lasting(opened)),
        *unreachable,
    ]
    return {
        "ok": not problems,
        "lake": settings.lake,
        "state": state,
        "bootstrap_servers": stack.get("bootstrap_servers") or settings.bootstrap_servers,
        "parts": stack.get("parts", {}),
        "problems": problems,
        "queries": queries,
        "components": members,
        "tables": table_rows(settings, [name for found in plans for name in found.tables]),
        "quarantine": _quarantine(settings),
        "open_transactions": [found.as_json() for found in opened],
        "shelves_without_profile": shelves_without_profile(settings),
    }


def table_rows(settings: Settings, names: list[str]) -> list[dict[str, Any]]:
    """Rows and version of tables; None for what cannot be read."""
    return [_table(settings, name) for name in names]


def shelves_without_profile(settings: Settings) -> int | None:
    """Shelves that have stock but no profile, so that nothing is decided for them; None without tables."""
    try:
        held = tables.rows(settings.lake_root, "cleansed/shelf_state", ["shelf_id"])["shelf_id"]
        known = _profiled(tables.rows(settings.lake_root, "curated/shelf_profiles"))
    except LakeError:
        return None
    return int(len(held) - (pc.sum(pc.is_in(held, value_set=known)).as_py() or 0))


def _profiled(profiles: pa.Table) -> pa.ChunkedArray:
    if "deleted" in profiles.column_names:
        profiles = profiles.filter(pc.invert(pc.fill_null(profiles["deleted"], False)))
    return profiles["shelf_id"]


def _driver(settings: Settings) -> dict[str, Any]:
    return _fresh(settings, STREAMS_STATUS)


def _components(settings: Settings) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = _fresh(settings, COMPONENTS_STATUS).get("components", [])
    return members


def _failed(members: list[dict[str, Any]]) -> list[str]:
    return [f"{m['component']} is failed: {m['error']}" for m in members if m["state"] == "failed"]


def _fresh(settings: Settings, status_file: str) -> dict[str, Any]:
    """What a living process of the stack wrote of itself."""
    told = read_json(settings.stack_dir / status_file)
    fresh = time.time() - told.get("written_at", 0.0) < STALE_S
    return told if fresh and _alive(int(told.get("pid", 0))) else {}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _kafka(
    settings: Settings, plans: tuple[QueryPlan, ...]
) -> tuple[dict[str, dict[str, int]], list[OpenTransaction], list[str]]:
    """Query → topic → records behind; transactions that hold others back; what keeps both from being known."""
    if settings.bootstrap_servers is None and not Broker(settings).is_running():
        return {}, [], []
    client = client_settings(settings)
    try:
        lags = lag.behind(settings, client, plans)
        names = sorted({topic.name for found in plans for topic in found.topics})
        return lags, open_transactions.found(client, names), []
    except (LakeshelfError, KafkaException) as error:
        return {}, [], [str(error)]


def _query(
    found: QueryPlan, driver: dict[str, Any], lags: dict[str, dict[str, int]]
) -> dict[str, Any]:
    told = {q["query"]: q for q in driver.get("queries", [])}.get(found.name, {})
    behind = lags.get(found.name)
    return {
        "query": found.name,
        "jobs": [job.name for job in found.jobs],
        "state": told.get("state", "down"),
        "batch_id": told.get("batch_id"),
        "duration_ms": told.get("duration_ms"),
        "lag": None if behind is None else sum(behind.values()),
        "restarts": told.get("restarts", 0),
        "error": told.get("error", ""),
    }


def _problems(
    stack: dict[str, Any], driver: dict[str, Any], queries: list[dict[str, Any]]
) -> list[str]:
    if not stack and not driver:
        return ["nothing runs; start it with `lakeshelf up`"]
    parts = stack.get("parts", {}).items()
    found = [
        f"{name} is {part['state']}: {part['error']}"
        for name, part in parts
        if part["state"] == "failed"
    ]
    running = {q["query"] for q in driver.get("queries", [])}
    named = [q for q in queries if q["query"] in running]
    found += [
        f"query {q['query']} is {q['state']}: {q['error']}"
        for q in named
        if q["state"] != "running" or q["error"]
    ]
    return found or ([] if driver else ["the streams driver does not run yet"])


def _table(settings: Settings, name: str) -> dict[str, Any]:
    told = {
        "table": name,
        "owner": CATALOG.tables[name].owner,
        "rows": None,
        "version": None,
        "error": "",
    }
    try:
        table = tables.open_table(settings.lake_root, name)
    except LakeError as error:
        return {**told, "error": str(error)}
    return {**told, "rows": reading.count(table, name), "version": table.version()}


def _quarantine(settings: Settings) -> dict[str, int]:
    try:
        return quarantine.counted(settings.lake_root)
    except LakeError:
        return {}
