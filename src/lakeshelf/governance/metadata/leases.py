"""The right to do something alone for a while, which a stopped holder loses.

docs/design/governance.md#metadata
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.work import LEASES, Lease

_NOBODY = ""


class Leases:
    """Leases by name; each that is taken has a higher number than all before it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Lease | None:
        """A lease as it stands, also one whose time is over; None: it was never taken."""
        return LEASES.find(self._connection, name=name)

    def take(self, name: str, holder: str, at: datetime, length: timedelta) -> Lease | None:
        """Take a lease that nobody has, or whose time is over; None: somebody has it."""
        before = self.find(name)
        if before and before.holder != _NOBODY and before.deadline > at:
            return None
        number = before.number + 1 if before else 1
        return LEASES.put(self._connection, Lease(name, holder, number, at + length, at))

    def renew(self, lease: Lease, at: datetime, length: timedelta) -> Lease:
        """Hold a lease for longer.

        Raises:
            GovernanceError: `state_changed`: it was taken by another or given back.
        """
        self._require(lease, deadline=at + length, heartbeat_at=at)
        return LEASES.get(self._connection, name=lease.name)

    def require(self, lease: Lease) -> None:
        """See to it that a lease is still held, in the transaction that depends on it.

        A lease whose time is over is still held while nobody else has taken it.

        Raises:
            GovernanceError: `state_changed`: it was taken by another or given back.
        """
        self._require(lease, holder=lease.holder)

    def give_back(self, lease: Lease) -> None:
        """Let others take it; nothing happens if another has it."""
        LEASES.change(self._connection, self._held(lease), holder=_NOBODY)

    def _require(self, lease: Lease, **values: object) -> None:
        if not LEASES.change(self._connection, self._held(lease), **values):
            raise refused(
                "state_changed",
                f"the lease {lease.name} (number {lease.number}) is no longer held by {lease.holder}",
                hint="begin again",
                lease=lease.name,
                number=lease.number,
            )

    @staticmethod
    def _held(lease: Lease) -> list[Any]:
        same = LEASES.c.holder == lease.holder
        return [LEASES.is_(lease), same, LEASES.c.number == lease.number]
