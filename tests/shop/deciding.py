"""Policies that somebody changes and somebody else merges, and what the jobs of a shop decide by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from lakeshelf.governance.client import Client, Project, Request, Session
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.shop import lists, shortage
from lakeshelf.stack.supervision import governed
from lakeshelf.streams.declare.registry import discover
from tests.support import eventually

POLICIES = (
    {"threshold_pct": 100.0, "target_pct": 100.0, "min_qty": 0},
    {"threshold_pct": 0.0, "target_pct": 100.0, "min_qty": 60},
    {"threshold_pct": 0.0, "target_pct": 100.0, "min_qty": 0},
)
"""Cells of policies: everything is refilled to the brim, by share and by units; nothing is ever refilled."""
DECIDED = {"ops/shelf_restock_plan": "plan_id", "ops/alerts": "alert_id"}
"""Tables of what the jobs decide, and the column of its id."""


def row_id(row: Mapping[str, Any]) -> str:
    """The id of an alert or a plan."""
    return str(next(row[column] for column in DECIDED.values() if column in row))


def new(lake: Path, name: str, shelves: Sequence[str], known: set[str]) -> list[dict[str, Any]]:
    """What was decided of some shelves, apart from what is known."""
    rows = tables.rows(lake, name, where=[("shelf_id", "in", shelves)]).to_pylist()
    return [row for row in rows if row_id(row) not in known]


def is_refill(alert: Mapping[str, Any]) -> bool:
    """Whether an alert asks for a refill."""
    return bool(alert["event_type"] == "refill_request")


def signing_in(lake: Path, name: str) -> tuple[str, str]:
    """Where the service of a shop listens, and somebody's token."""
    settings = load_settings(lake_root=lake)
    return governed.address(settings), (governed.tokens(settings) / name).read_text().strip()


def project(lake: Path, name: str) -> Project:
    """The project of the shop, as somebody sees it."""
    return Client(*signing_in(lake, name)).project("retail")


def policies_of(session: Session, known: set[str], shelves: Sequence[str]) -> None:
    """Give each shelf one of the policies, in turn."""
    for shelf, cells in zip(shelves, cycle(POLICIES), strict=False):
        if shelf in known:
            for column, value in ({"active": True} | cells).items():
                session.set(shelf, column, value)
        else:
            session.insert(shelf, {"active": True, "near_expiry_days": 2} | cells)


def merged(request: Request, reviewer: Project) -> None:
    """Have somebody else approve and merge a request, and wait until the jobs obey it."""
    review = reviewer.request(request.number)
    content = review.get()["request"]["content_hash"]
    review.approve(content)
    review.merge(content)

    def in_force() -> bool:
        outcome = review.outcome()
        return bool(outcome["counts"]["in_force"] == outcome["total"] > 0)

    eventually(in_force, f"request {request.number} is in force")


def quiet_shelves(root: Path) -> list[str]:
    """Shelves with stock of which nothing is on its way."""
    busy = {row["shelf_id"] for row in lists.plans(root).rows}
    busy |= {row["shelf_id"] for row in shortage.low(root, discover(load_settings().home)).rows}
    rows = tables.rows(root, "cleansed/shelf_state").to_pylist()
    return [r["shelf_id"] for r in rows if r["shelf_id"] not in busy and r["balance"] > 3]
