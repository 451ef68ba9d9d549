"""Levels of a model, in plain Python: what they ask for, and until when (docs/design/retail.md#levels)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .moving import Row

NOBODY = {"source": "rule", "model_version": None, "level_qty": None}


def holds(level: Row, now: datetime) -> bool:
    """Whether a level is in force; one that ends within a day ends as that day begins."""
    return bool(now.date() < level["valid_until"].date())


def source(level: Row | None) -> dict[str, Any]:
    """What a plan says of the level that it follows; None: it follows the rule."""
    if level is None:
        return NOBODY
    return {"source": "ml", **{name: level[name] for name in ("model_version", "level_qty")}}


def expiring(lots: Iterable[tuple[Any, Row]], shelf: str, level: Row) -> int:
    """Units of a shelf's lots that expire before a level ends."""
    return sum(
        lot.get("batch_quantity_warehouse", 0) + lot.get("batch_quantity_store", 0)
        for (of, _), lot in lots
        if of == shelf and lot["expiry_date"] and lot["expiry_date"] < level["valid_until"].date()
    )


def ordered(level: Row, position: int, lot: int, floor: int) -> int:
    """Units in whole lots: as few as reach the level, or a lot less."""
    goal, up = max(level["level_qty"], floor), 0
    while position + up < goal:
        up += lot
    down, before = up - lot, position + up - lot
    if up == 0 or position + up == goal:
        return up
    if before < floor:
        return up
    if level["lot_level_qty"] is not None:
        return up if before < level["lot_level_qty"] else down
    return up if 2 * (goal - before) >= lot else down
