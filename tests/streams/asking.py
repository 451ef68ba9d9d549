"""What people ask, in plain Python: what counts, and what is refused and why (docs/design/retail.md#commands)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .strategies import Record

PREFIXES = {
    "refill_request:": "alert",
    "supplier_request:": "alert",
    "near_expiry:": "alert",
    "restock:": "plan",
    "supply:": "plan",
}
STRENGTH = {"ack": 1, "dismiss": 2, "cancel": 2}
WORDS = {"alert": ("ack", "dismiss"), "plan": ("cancel",)}
ENDED = {"alert": "dismissed", "plan": "canceled"}
ALIVE = ("open", "ack", "pending")

Status = Callable[[str], str | None]
"""State of an alert or plan before the decisions, None if there is none."""


@dataclass
class Asking:
    """What stands to be done, and what was refused.

    Attributes:
        standing: Alert or plan → how strongly it was asked, and who asked.
        refused: Topic, id, reason and detail of every refusal.
    """

    standing: dict[str, tuple[int, str]] = field(default_factory=dict)
    refused: list[tuple[str, ...]] = field(default_factory=list)

    def hear(self, commands: Iterable[Mapping[str, Any]], status: Status) -> None:
        """Judge the commands of a batch in their order."""
        for command in commands:
            target, word = command["target_id"], command["command"]
            if word == "maintain" or target.startswith("expired_removal:"):
                continue
            why = self._why_not(target, word, status(target))
            if why is not None:
                self._refuse(command, why)
            elif STRENGTH[word] > self.standing.get(target, (0, ""))[0]:
                self.standing[target] = (STRENGTH[word], command["actor"])

    def settle(
        self, commands: Iterable[Mapping[str, Any]], known: Collection[str], *, done: bool
    ) -> None:
        """Refuse what is about nothing; forget what was done, if decisions were made."""
        refused = {ident for _, ident, *_ in self.refused}
        for command in commands:
            target = command["target_id"]
            asks = target.startswith(tuple(PREFIXES)) and command["command"] in STRENGTH
            if asks and target not in known and command["event_id"] not in refused:
                self._refuse(command, f"no alert or plan is called {target}")
        if done:
            self.standing = {t: ask for t, ask in self.standing.items() if t not in known}

    def check_policies(self, records: Iterable[Record], profiles: Collection[str]) -> None:
        """Refuse policies of shelves that nobody knows."""
        for topic, row in records:
            if topic in ("shelf_policies", "wh_policies") and not row["deleted"]:
                shelf = row["shelf_id"]
                if shelf != "__GLOBAL__" and shelf not in profiles:
                    named = f"{shelf}:{row['version']}"
                    detail = f"shelf {shelf} has no profile"
                    self.refused.append((topic, named, "unknown_shelf", detail))

    def _why_not(self, target: str, word: str, status: str | None) -> str | None:
        kind = next((k for prefix, k in PREFIXES.items() if target.startswith(prefix)), None)
        if word not in STRENGTH:
            return f"there is no command {word}"
        if kind is None:
            return f"no alert or plan is called {target}"
        if word not in WORDS[kind]:
            return f"{kind} {target} does not know {word}"
        if status is not None and status not in ALIVE:
            return f"{kind} {target} is {status}"
        ended = status is not None and self.standing.get(target, (0, ""))[0] == 2
        return f"{kind} {target} is {ENDED[kind]}" if ended else None

    def _refuse(self, command: Mapping[str, Any], why: str) -> None:
        self.refused.append(("commands", command["event_id"], "refused_command", why))
