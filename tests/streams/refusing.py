"""What tests of refusals ask and tell, and how they read what was refused."""

from __future__ import annotations

from lakeshelf.streams.commit import ledger

from .bench import SHELF, START, Bench
from .moving import millis

GHOST = "S1-I9"
ROOM = {"reorder_point_qty": 5, "batch_multiplier": 1, "near_expiry_days": 4, "active": True}
NEED = {"threshold_pct": 30.0, "min_qty": 1, "target_pct": 50.0, "near_expiry_days": 3}
ALERT, PLAN = f"refill_request:store:{SHELF}:{millis(START)}", f"restock:{SHELF}:{millis(START)}:0"
LOW = ("refill_request", "open")
Ask = tuple[str, str]


def ask(bench: Bench, *asks: Ask, actor: str = "ada") -> None:
    """Commands, of the coming batch."""
    for command, target in asks:
        told = {"command": command, "target_id": target, "actor": actor}
        bench.send("commands", event_type=command, **told)


def ghosts(bench: Bench, shelf: str = GHOST) -> None:
    """A policy of either kind, of the coming batch."""
    bench.tell("shelf_policies", shelf, **NEED, active=True)
    bench.tell("wh_policies", shelf, **ROOM)


def moved(bench: Bench, quantity: int) -> None:
    """A shelf whose count is corrected."""
    values = {"event_type": "adjustment", "quantity": quantity}
    bench.send("shelf_events", shelf_id=SHELF, item_id="I1", **values)


def details(bench: Bench) -> list[str]:
    """What refusals say, in the order of the commands."""
    return [detail for *_, detail in sorted(bench.refused(), key=lambda r: r[1].split("-")[-1])]


def counts(bench: Bench, topic: str) -> tuple[int, int, int, int]:
    """Rows in, valid, quarantined and duplicate of a topic, in all batches."""
    found = [row["topics"].get(topic, {}) for row in ledger.entries(bench.root)]
    names = ("rows_in", "valid", "quarantined", "duplicate")
    rows_in, *parts = (sum(row.get(name, 0) for row in found) for name in names)
    assert rows_in == sum(parts)
    return (rows_in, *parts)  # type: ignore[return-value]
