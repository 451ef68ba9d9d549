"""Calls that are sent twice, and answered once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.tables.work import CALLS, Call

KEPT = timedelta(hours=24)
"""How long a call is known by its key."""


class Idempotency:
    """Calls by user, route and key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, call: Call, at: datetime) -> Call | None:
        """Begin to serve a call; what was answered before, else None: it is to be served.

        One that was begun and never answered is served again after its `busy_until`.

        Raises:
            GovernanceError: `idempotency_mismatch`: its key came with another body; `dataset_busy`: it is served now.
        """
        before = CALLS.find(self._connection, user=call.user, route=call.route, key=call.key)
        if before is None or before.expires_at <= at:
            CALLS.put(self._connection, call)
            return None
        if before.body_hash != call.body_hash:
            raise refused(
                "idempotency_mismatch",
                f"request id {call.key[:80]} came with another body before",
                hint="take a new request id",
                request_id=call.key[:80],
            )
        if before.status is not None:
            return before
        if before.busy_until > at:
            raise refused(
                "dataset_busy",
                f"request {call.key[:80]} is still being served",
                hint="ask again in a moment",
                request_id=call.key[:80],
            )
        CALLS.put(self._connection, call)
        return None

    def answer(self, call: Call, status: int, answer: Object) -> Call:
        """Remember the answer."""
        answered = replace(call, status=status, answer=answer)
        return CALLS.put(self._connection, answered)

    def drop(self, call: Call) -> None:
        """Forget a call that came to nothing, so that it can be sent again at once."""
        unanswered: list[Any] = [CALLS.is_(call), CALLS.c.status.is_(None)]
        CALLS.remove(self._connection, unanswered)

    def forget(self, at: datetime) -> int:
        """Remove calls whose time is over."""
        return CALLS.remove(self._connection, [CALLS.c.expires_at <= at])
