"""The shop and its stack: what is seen of them, and what staff asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lakeshelf.governance.client.calls import Calls, Json, many, one, part

CORRECTED = ("topic", "partition", "offset", "value", "value_base64", "key", "key_base64")
"""What of a refused record is sent."""
PAGE = 200
"""Rows that are asked for at once."""


@dataclass(frozen=True)
class Shop:
    """The shop that obeys the datasets, and its stack.

    Lists are whole, page by page, unless `most` says how many are wanted.
    """

    calls: Calls

    def alerts(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """Alerts, the newest first, with why each was opened; by `status`, `store`, `shelf`, `kind`."""
        return self._all("/alerts", "rows", most, filters)

    def alert(self, alert_id: str) -> Json:
        """An alert, open or not."""
        return one(self.calls.get(f"/alerts/{part(alert_id)}"))

    def plans(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """Plans, the newest first, with why each was made; by `status`, `store`, `shelf`, `kind`."""
        return self._all("/plans", "rows", most, filters)

    def plan(self, plan_id: str) -> Json:
        """A plan, pending or not."""
        return one(self.calls.get(f"/plans/{part(plan_id)}"))

    def shelf(self, shelf_id: str) -> Json:
        """What is known of a shelf."""
        return one(self.calls.get(f"/shelves/{part(shelf_id)}"))

    def order(self, shelf_id: str) -> Json:
        """How much is ordered for a shelf, by a model's forecast or by the rule, and why."""
        return one(self.calls.get(f"/shelves/{part(shelf_id)}/order"))

    def models(self, *, most: int | None = None) -> list[Json]:
        """Versions that forecast, the newest first, with their gates and what can be done."""
        return self._all("/models", "rows", most, {})

    def models_in_use(self) -> Json:
        """`champion` and `challenger`, their `scores` beside every baseline, `health`, and `problems`."""
        return one(self.calls.get("/models", limit=1))

    def model(self, version: str) -> Json:
        """A version with its `card`, or the `damage` of its files."""
        return one(self.calls.get(f"/models/{part(version)}"))

    def promote(self, version: str, to: str, *, reason: str = "") -> list[Json]:
        """Take a version one step up, to `challenger` or `champion`; the versions that changed."""
        body = {"to": to, "reason": reason}
        return many(self.calls.post(f"/models/{part(version)}/promotion", body))

    def roll_back(self, version: str, *, reason: str = "") -> list[Json]:
        """Retire the champion; the versions that changed."""
        return many(self.calls.post(f"/models/{part(version)}/rollback", {"reason": reason}))

    def what_if(self, **question: Any) -> Json:
        """What another policy would have meant, once it is replayed: `differences`, `stores`, `frontier` and more.

        Args:
            question: `set` (field → text) or `change_request`; `since`, `until`; `stores`, `categories`, `items`;
                `frontier`.
        """
        job: Json = one(self.calls.post("/whatif", question))["result"]
        return job

    def low(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """What is low by the policy in force, the worst first; by `store`, `shelf`, `location`."""
        return self._all("/low_shelves", "rows", most, filters)

    def trace(self, identifier: str, *, limit: int = 30) -> Json:
        """The story of a thing: `kinds`, and a story for each."""
        return one(self.calls.get("/trace", id=identifier, limit=limit))

    def numbers(self) -> Json:
        """Live numbers: `id` and `numbers`."""
        return one(self.calls.get("/numbers"))

    def numbers_history(self) -> list[Json]:
        """Live numbers of the last ten minutes in which somebody asked, the oldest first."""
        return many(self.calls.get("/numbers/history")["points"])

    def status(self) -> Json:
        """How queries, components, parts and tables are."""
        return one(self.calls.get("/status"))

    def lag(self) -> Json:
        """Query → topic → records that are not folded yet."""
        return one(self.calls.get("/lag"))

    def doctor(self) -> Json:
        """What keeps the stack from working, for admins: `ok` and `checks`."""
        return one(self.calls.get("/doctor"))

    def ledger(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """Batches, the newest first; by `query`."""
        return self._all("/ledger", "rows", most, filters)

    def quarantine(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """Refused records, the newest first; by `topic`, `reason`."""
        return self._all("/quarantine", "rows", most, filters)

    def tables(self, *, most: int | None = None) -> list[Json]:
        """Tables and views that the user sees, by name."""
        return self._all("/tables", "rows", most, {})

    def table(self, name: str) -> Json:
        """A table or view, such as `ops/alerts`."""
        layer, _, table = name.partition("/")
        return one(self.calls.get(f"/tables/{part(layer)}/{part(table)}"))

    def lineage(self, focus: str | None = None) -> Json:
        """What everything is made from: `nodes` and `edges`; or what leads to a node and away from it."""
        return one(self.calls.get("/lineage", **({} if focus is None else {"focus": focus})))

    def ask(self, command: str, targets: Collection[str], *, reason: str = "") -> list[Json]:
        """`ack` or `dismiss` alerts, or `cancel` plans; each is asked, or refused with the reason."""
        body = {"command": command, "targets": list(targets), "reason": reason}
        return many(self.calls.post("/acts", body))

    def adjust(self, shelf_id: str, quantity: int, *, reason: str = "") -> Json:
        """Correct the stock of a shelf by a difference to the books."""
        body = {"quantity": quantity, "reason": reason}
        return one(self.calls.post(f"/shelves/{part(shelf_id)}/adjust", body))

    def books(self, shelf_id: str, *, location: str = "store") -> Json:
        """What the books expect on a shelf (`store`) or in its back room (`warehouse`): `lots`, `elsewhere`."""
        return one(self.calls.get(f"/shelves/{part(shelf_id)}/books", location=location))

    def count(
        self,
        shelf_id: str,
        units: int,
        *,
        lot: str | None = None,
        location: str = "store",
        reason: str = "",
        agreed: bool = False,
    ) -> Json:
        """Say how many units of a lot are there; the books are adjusted by the `difference`, by the `act`.

        Args:
            shelf_id: The shelf.
            units: Units that are there.
            lot: The lot that was counted; None: the only one.
            location: `store`: on the shelf; `warehouse`: in its back room.
            reason: Why.
            agreed: It is right although the books make it doubtful; without, that is refused (`count_doubted`).
        """
        body = {
            "units": units,
            "lot": lot,
            "location": location,
            "reason": reason,
            "agreed": agreed,
        }
        return one(self.calls.post(f"/shelves/{part(shelf_id)}/count", body))

    def correct(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Send corrected records of `quarantine` back to their topics, all or none; how many."""
        known = [{name: row[name] for name in CORRECTED if name in row} for row in records]
        return int(one(self.calls.post("/quarantine/corrections", {"records": known}))["sent"])

    def acts(self, *, most: int | None = None, **filters: str) -> list[Json]:
        """What was asked for, the newest first, with what became of it; by `user`, `target`, `shelf`."""
        return self._all("/acts", "acts", most, filters)

    def act(self, act_id: str) -> Json:
        """What was asked for, with what became of it."""
        return one(self.calls.get(f"/acts/{part(act_id)}"))

    def _all(
        self, path: str, records: str, most: int | None, filters: dict[str, Any]
    ) -> list[Json]:
        listed: list[Json] = []
        while True:
            limit = PAGE if most is None else min(PAGE, most - len(listed))
            if not limit:
                return listed
            page = one(self.calls.get(path, offset=len(listed), limit=limit, **filters))
            listed += page[records]
            if not page[records] or len(listed) >= page["total"]:
                return listed
