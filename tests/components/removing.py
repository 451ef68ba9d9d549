"""A shop whose goods expire: its events, state that follows them when told, and the removal scheduler."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson

from tests.streams import model as state
from tests.streams.strategies import event, receipt

from .bench import Row, Sent, Tables, Worker, of

TOPICS = ("shelf_events", "wh_events")
KEYS = {
    "cleansed/shelf_state": ("shelf_id",),
    "cleansed/wh_state": ("shelf_id",),
    "cleansed/shelf_batch_state": ("shelf_id", "batch_code"),
    "cleansed/wh_batch_state": ("shelf_id", "batch_code"),
}


class Shop:
    """Two shelves of one store.

    Args:
        now: When it opens.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.lake = Tables()
        self.worker = Worker("removal-scheduler", self.lake)
        self.facts = state.Facts()
        self.pending: list[Row] = []
        self._events: dict[str, list[Row]] = {name: [] for name in (*TOPICS, "pos_transactions")}
        self._number = 0
        self._read = self._folded = dict.fromkeys(TOPICS, 0)

    @property
    def unsure(self) -> bool:
        """Whether a removal is in raw, and nobody can tell whether it is in state."""
        return any(
            event["reason"] == "expired"
            for topic in TOPICS
            for event in self._events[topic][self._folded[topic] : self._read[topic]]
        )

    def tick(self, now: datetime) -> list[Sent]:
        """The clock ticks; what was published."""
        self.now = now
        sent = self.worker.tick(now)
        for topic in TOPICS:
            self._events[topic] += of(sent, topic)
        return sent

    def bring(
        self,
        shelf: str,
        code: str,
        expiry: date | None,
        *,
        there: int = 0,
        room: int = 0,
        coming: int = 0,
    ) -> None:
        """Goods come in: some reach the shelf, some stay in the back room, some are on the way."""
        dates = {"expiry_date": expiry, "received_date": date(2026, 2, 20)}
        if there + room + coming:
            self._send("wh_events", "wh_in", shelf, code, there + room + coming, **dates)
        if there:
            self._restock(self._send("wh_events", "wh_out", shelf, code, there))
        if coming:
            self._send("wh_events", "wh_out", shelf, code, coming)

    def arrive(self) -> None:
        """Everything on the way reaches its shelf."""
        for sent in self._on_the_way():
            self._restock(sent)

    def take(self, shelf: str, units: int, *, paid: bool) -> None:
        """A customer takes units, and pays for them or is still in the store."""
        self._send("shelf_events", "pickup", shelf, None, units)
        if paid:
            self._number += 1
            line = {"shelf_id": shelf, "quantity": units}
            self._events["pos_transactions"].append(receipt(self._number, self.now, [line]))

    def put_back(self, shelf: str, units: int) -> None:
        """A customer puts units back."""
        self._send("shelf_events", "putback", shelf, None, units)

    def count(self, shelf: str, code: str, units: int) -> None:
        """Somebody counts a lot and finds more or less."""
        if units:
            self._send("shelf_events", "adjustment", shelf, code, units)

    def fold(self, *, state: bool = True, ledger: bool = True) -> None:
        """The jobs read to the end of the topics: raw, then state, then the ledger."""
        for topic in TOPICS:
            places = enumerate(self._events[topic])
            rows = ({**e, "kafka_partition": 0, "kafka_offset": n} for n, e in places)
            self.lake.keep(f"raw/{topic}", *rows)
        if state:
            self._fold_state()
        self._read = {topic: len(self._events[topic]) for topic in TOPICS}
        if ledger:
            self._folded = dict(self._read)
            ends = {topic: {"0": (0, len(self._events[topic]))} for topic in TOPICS}
            row = {
                "query_id": "q",
                "batch_id": self._number,
                "offsets": orjson.dumps(ends).decode(),
            }
            self.lake.keep("ops/batch_ledger", row)

    def _fold_state(self) -> None:
        found = (tuple(self._events[name]) for name in (*TOPICS, "pos_transactions"))
        self.facts = state.Facts(*found)
        self.pending = self._on_the_way()
        for name, rows in state.tables(self.facts).items():
            if name in KEYS:
                self.lake.kept[name] = [
                    {**dict(zip(KEYS[name], key, strict=True)), **row} for key, row in rows.items()
                ]
        self.lake.kept["staging/shelf_refill_pending"] = list(self.pending)

    def _on_the_way(self) -> list[Row]:
        reached = {e["cause_event_id"] for e in self._events["shelf_events"]}
        sent = (e for e in self._events["wh_events"] if e["event_type"] == "wh_out")
        return [e for e in sent if e["event_id"] not in reached]

    def _restock(self, sent: Row) -> None:
        names = {"cause_event_id": sent["event_id"]}
        self._send(
            "shelf_events",
            "restock",
            sent["shelf_id"],
            sent["batch_code"],
            sent["quantity"],
            **names,
        )

    def _send(
        self, topic: str, kind: str, shelf: str, code: str | None, units: int, **values: Any
    ) -> Row:
        self._number += 1
        names = {"shelf_id": shelf, "item_id": "I1", "batch_code": code, "quantity": units}
        made = event(topic, self._number, self.now, event_type=kind, **names, **values)
        self._events[topic].append(made)
        return made
