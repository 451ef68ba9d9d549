"""The leases of a driver whose lake is in a bucket: kept alive by a thread of their own, and what taking one means."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lakeshelf.errors import LakeError
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place import claims
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.place.leases import QueryLease, Tenure
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.logs import log
from lakeshelf.settings import Settings
from lakeshelf.streams.commit.sink import BOOKS
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.telemetry import metrics

BOOT = Path("/proc/sys/kernel/random/boot_id")
LOOKS = 10
"""Looks at the leases within the time that one lasts."""


class QueryLeases:
    """The leases that a driver has or wants, one a query.

    Args:
        plans: The queries.
        settings: The lake, in a bucket, and how long a lease lasts.
    """

    def __init__(self, plans: Iterable[QueryPlan], settings: Settings) -> None:
        self._plans = {plan.name: plan for plan in plans}
        self._settings = settings
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="leases", daemon=True)
        self.tenures: dict[str, Tenure] = {}
        """Query → the term under which `take_all` took its lease."""
        owner = _owner(settings)
        self._leases = {
            name: QueryLease(settings.lake_root, name, owner, settings.lease_seconds)
            for name in self._plans
        }
        self._keeper.start()

    def __getitem__(self, query: str) -> QueryLease:
        return self._leases[query]

    def tell(self, address: str) -> None:
        """Let every lease name the address at which the driver tells how it is, from the next renewal on."""
        for lease in self._leases.values():
            lease.tells_at = address

    def take_all(self) -> None:
        """Take every lease, once its holder has let it go or has not renewed it in time.

        Raises:
            LakeError: Another driver has one.
        """
        missing = dict(self._leases)
        watched: dict[str, float] = {}
        while missing:
            for name, lease in list(missing.items()):  # all are watched from the beginning
                if lease.try_to_take():
                    del missing[name]
                    self.tenures[name] = fence(self._plans[name], self._settings, lease)
                    continue
                since = watched.setdefault(name, time.monotonic())  # the bucket may have been slow
                if time.monotonic() - since >= lease.lasts * (1 + 2 / LOOKS):
                    raise LakeError(
                        f"query {name} is run by {lease.holder}",
                        hint="stop that driver with SIGTERM, then repeat the command",
                    )
            if missing:
                self._stopping.wait(self._settings.lease_seconds / LOOKS)

    def release(self) -> None:
        """Give all back."""
        self._stopping.set()
        self._keeper.join()
        for lease in self._leases.values():
            lease.release()

    def _keep(self) -> None:
        while not self._stopping.wait(self._settings.lease_seconds / LOOKS):
            for name, lease in self._leases.items():
                try:
                    lease.renew_if_due()
                except LakeError as error:
                    log.warning("lease lost", query=name, error=str(error))
                except Exception:  # noqa: BLE001 - the others are kept, and this one is tried again
                    log.exception("lease not renewed", query=name)


def _owner(settings: Settings) -> str:
    """Name of the folder of local state on the system that runs: copies of a machine are others."""
    name = f"{claims.identity(settings.state_dir / claims.IDENTITY)}@{socket.gethostname()}"
    with suppress(OSError):  # only Linux names what it has booted
        name += f"/{BOOT.read_text().strip()}"
    return name


def fence(plan: QueryPlan, settings: Settings, lease: QueryLease) -> Tenure:
    """Write the term of a lease into each table of a query, so that commits of an earlier one are refused there.

    Where a later term stands already, though nobody else has the lease, its object was removed, or an older copy was
    put back: the lease goes on under a term above it.

    Raises:
        LeaseLost: Another driver has it.
        LakeError: A table cannot be read or written.
    """
    handles = {}
    for name in (*plan.tables, *BOOKS):
        with suppress(NotFound):  # it is missed where the query is examined
            handles[name] = tables.open_table(settings.lake_root, name)
    recorded = [handle.transaction_version(lease.app_id) or 0 for handle in handles.values()]
    lease.go_above(max(recorded, default=0))
    tenure = Tenure(lease, lease.term)
    term = Txn(lease.app_id, tenure.term)
    for name, handle in handles.items():
        writing.note(handle, name, Write(txns=(term,), fence=term))
    metrics.LEASE_TERM.take(tenure.term, query=plan.name)
    return tenure
