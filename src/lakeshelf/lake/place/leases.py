"""Leases in a bucket: of several drivers, anywhere, one runs a query, and another takes over when that one is gone.

A lease is an object that its holder renews by puts on condition. It has a term, which rises by one whenever somebody
takes it. No clocks are compared: who wants a lease watches it, and takes it when it was not renewed for as long as it
lasts by the watcher's own clock. The holder counts from before its last renewal, so it stops no later.

A holder can still be stopped between its look at the lease and its commit, for any time. So a lease alone does not
keep it from committing late: whoever takes a lease writes its term into each table (`fence`), and commits of an
earlier term are refused there.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, fields

from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict, LeaseLost, StorageError
from lakeshelf.lake.place.folders import BucketFolder
from lakeshelf.lake.place.location import Place, Root
from lakeshelf.telemetry import metrics

LEASES = "_leases"
"""Folder of the leases, below the root of a lake."""
RENEWALS = 3
"""Renewals within the time that a lease lasts."""
SHORTEST_PATIENCE_S = 2.0
"""A request is tried for a quarter of the time that a lease lasts, and for so long at least."""


def boottime() -> float:
    """Seconds that also count while the machine sleeps, which those of `time.monotonic` do not.

    Where there is no clock of that name, as on macOS, the monotonic one of the system goes on in sleep.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Holder:
    """What a lease says of who holds it.

    Attributes:
        term: How often the lease was taken.
        owner: Name of the holder's folder of local state, of which only one driver can be alive.
        host: Its host, for people.
        seconds: How long it lasts without a renewal.
        is_released: Whether it was given back.
        tells_at: Where the holder tells how it is; empty: nowhere.
        nonce: Another text each time, so that every renewal shows.
    """

    term: int
    owner: str
    host: str
    seconds: float
    is_released: bool = False
    tells_at: str = ""
    nonce: str = ""

    @classmethod
    def read(cls, content: bytes, place: object) -> Holder:
        """A holder, from the object of a lease.

        Raises:
            StorageError: It is damaged.
        """
        try:
            entries = json.loads(content)
            known = {f.name: entries[f.name] for f in fields(cls) if f.name in entries}
            return cls(
                **known | {"term": int(entries["term"]), "seconds": float(entries["seconds"])}
            )
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(
                f"{place} is no lease", hint="stop all drivers of the lake, and remove it"
            ) from error

    def text(self) -> bytes:
        """The object of the lease."""
        return json.dumps(vars(self) | {"nonce": uuid.uuid4().hex}, sort_keys=True).encode()

    def __str__(self) -> str:
        return f"a driver on {self.host} (term {self.term})"


def holders(root: Place) -> dict[str, Holder]:
    """Query → who has its lease, or had it last and did not give it back."""
    folder = BucketFolder(Root.at(root), LEASES)
    held = {}
    for name in sorted(folder.children()):
        with suppress(FileNotFoundError):  # removed meanwhile
            held[name.removesuffix(".json")] = Holder.read(
                (folder / name).tagged()[0], folder / name
            )
    return {name: holder for name, holder in held.items() if not holder.is_released}


def living(root: Place, queries: Collection[str] | None = None) -> dict[str, Holder]:
    """Query → who renews its lease. Leases that nobody gave back are watched for as long as they last.

    Args:
        root: Root of a lake in a bucket.
        queries: Those that matter; None: all.
    """
    before = _holders_of(root, queries)
    longest = max((holder.seconds for holder in before.values()), default=0.0)
    for _ in range(RENEWALS + 1 if before else 0):
        time.sleep(longest / RENEWALS)
        now = _holders_of(root, queries)
        if renewed := {name: one for name, one in now.items() if before.get(name) != one}:
            return renewed
    return {}


def _holders_of(root: Place, queries: Collection[str] | None) -> dict[str, Holder]:
    every = holders(root)
    return {name: one for name, one in every.items() if queries is None or name in queries}


def fencing(handle: DeltaTable) -> frozenset[str]:
    """Queries whose leases have fenced a table off: those that write it."""
    root, _ = storage.place_of(handle)
    names = (name.removesuffix(".json") for name in BucketFolder(root, LEASES).children())
    return frozenset(
        name for name in names if handle.transaction_version(application(name)) is not None
    )


def application(query: str) -> str:
    """Application under which the term of a query's lease stands in tables."""
    return f"lease:{query}"


class QueryLease:
    """The lease of one query, as one driver has or wants it.

    Args:
        root: Root of a lake in a bucket.
        name: Name of the query.
        owner: Name of this driver's folder of local state, which it holds a lock on.
        seconds: How long it lasts without a renewal.
        clock: Seconds since whenever.
    """

    def __init__(
        self,
        root: Place,
        name: str,
        owner: str,
        seconds: float,
        clock: Callable[[], float] = boottime,
    ) -> None:
        self.name = name
        patience = max(SHORTEST_PATIENCE_S, seconds / 4)
        self._file = BucketFolder(Root.at(root), f"{LEASES}/{name}.json", patience)
        self._owner = owner
        self._seconds = seconds
        self._clock = clock
        self._tag = ""
        self._until = 0.0
        self._watched = ("", 0.0)
        self._one_at_a_time = threading.RLock()
        self.term = 0
        """The term under which it is held; 0: it is not held."""
        self.holder: Holder | None = None
        """Who else has it, as far as is known."""
        self.tells_at = ""
        """Where this driver tells how it is."""

    @property
    def address(self) -> str:
        """Where it is, as Hadoop has it."""
        return str(self._file)

    @property
    def app_id(self) -> str:
        """Application under which its term stands in tables."""
        return application(self.name)

    @property
    def lasts(self) -> float:
        """Seconds after which it is free if it is not renewed: those of who has it, as far as is known."""
        return max(self._seconds, self.holder.seconds if self.holder else 0.0)

    @property
    def is_held(self) -> bool:
        """Whether this driver has it, as far as it knows."""
        return self.term > 0

    def try_to_take(self) -> bool:
        """Take it if it is free, was given back, was not renewed for as long as it lasts, or was ours before.

        Raises:
            StorageError: The bucket does not answer, or refuses.
        """
        with self._one_at_a_time:
            try:
                content, tag = self._file.tagged()
            except FileNotFoundError:
                return self._take(1, None)
            except StorageError:
                self._watched = ("", 0.0)  # its holder could not renew it either
                raise
            held = Holder.read(content, self._file)
            if held.owner == self._owner or held.is_released or self._is_over(held, tag):
                return self._take(held.term + 1, tag)
            self.holder = held
            return False

    def renew_if_due(self) -> None:
        """Renew it when a third of its time has passed; where the bucket does not answer, it is tried again.

        Raises:
            LeaseLost: Another driver has taken it, or it was not renewed in time.
        """
        with self._one_at_a_time:
            left = self._until - self._clock()
            if self.is_held and left < self._seconds * (1 - 1 / RENEWALS):
                try:
                    self._renew()
                except StorageError:
                    if left <= 0:
                        raise self._lost("it could not be renewed in time") from None

    def require(self, term: int) -> None:
        """Go on only while it is held under a term.

        Raises:
            LeaseLost: It is not.
            StorageError: Its time has passed, and the bucket does not answer.
        """
        with self._one_at_a_time:
            if not self.is_held or self.term != term:
                raise self._lost(f"term {term} is over", keep=self.is_held)
            if self._clock() >= self._until:
                self._renew()

    def go_above(self, term: int) -> None:
        """Go on under a term above another, unless its own is not below that.

        Raises:
            LeaseLost: It is not held, or another driver has taken it.
            StorageError: The bucket does not answer, or refuses.
        """
        with self._one_at_a_time:
            if not self.is_held:
                raise self._lost("it is not held")
            if self.term < term:
                self._renew(term + 1)

    def release(self) -> None:
        """Give it back, so that another driver need not wait; harmless where it is not held."""
        with self._one_at_a_time:
            if self.is_held:
                term, self.term = self.term, 0
                with suppress(LakeError):  # then it runs out
                    self._file.swap(self._content(term, is_released=True), self._tag)

    def _take(self, term: int, tag: str | None) -> bool:
        began = self._clock()
        try:
            self._tag = self._file.swap(self._content(term), tag)
        except Conflict:
            return False
        self.term, self._until, self.holder = term, began + self._seconds, None
        return True

    def _renew(self, term: int | None = None) -> None:
        began, term = self._clock(), term or self.term
        try:
            self._tag = self._file.swap(self._content(term), self._tag)
        except Conflict:
            raise self._lost("it was taken over") from None
        self.term, self._until = term, began + self._seconds

    def _lost(self, why: str, *, keep: bool = False) -> LeaseLost:
        if self.is_held and not keep:
            self.term = 0
            metrics.LEASE_LOSSES.add(query=self.name)
        with suppress(LakeError, FileNotFoundError):
            self.holder = Holder.read(self._file.tagged()[0], self._file)
        other = f", {self.holder} has it" if self.holder else ""
        return LeaseLost(
            f"query {self.name} has lost its lease: {why}{other}",
            hint="nothing is to be done: it stands by, and goes on when the lease is free",
        )

    def _is_over(self, held: Holder, tag: str) -> bool:
        """Whether it was not renewed for as long as it lasts, by our own clock."""
        now = self._clock()
        if self._watched[0] != tag:
            self._watched = (tag, now)
        return now - self._watched[1] >= held.seconds

    def _content(self, term: int, *, is_released: bool = False) -> bytes:
        return Holder(
            term, self._owner, socket.gethostname(), self._seconds, is_released, self.tells_at
        ).text()


@dataclass(frozen=True)
class Tenure:
    """A lease under one of its terms: what is begun under a term ends with it, also if the same driver has the next."""

    lease: QueryLease
    term: int

    @property
    def holds(self) -> bool:
        """Whether the term lasts, as far as this driver knows."""
        return self.lease.term == self.term

    def require(self) -> None:
        """Go on only while the term lasts; errors as for `QueryLease.require`."""
        self.lease.require(self.term)
