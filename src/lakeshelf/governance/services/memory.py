"""What a process holds so that it is not read or made again; whatever is let go is made anew when it is asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.domain.requests.merge import Merged
from lakeshelf.governance.services.reading.tables import HeldTable, Ranks
from lakeshelf.governance.storage.logs import ReadLog

MIB = 2**20
Value = TypeVar("Value")
Compared = tuple[Merged, ValidationReport | None]


@dataclass
class SizedCache(Generic[Value]):
    """Values by name, of which those that were not used for longest go when they take too many bytes.

    Attributes:
        most: Bytes of all; one value alone may take more.
    """

    most: int
    _values: OrderedDict[Hashable, tuple[Value, int]] = field(default_factory=OrderedDict)
    _making: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, name: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """The value of that name, made if it is not held; who asks meanwhile waits for it."""
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        try:
            with making:
                held = self.known(name)
                return self._made(name, make, size) if held is None else held
        finally:
            with self._lock:
                self._making.pop(name, None)

    def known(self, name: Hashable) -> Value | None:
        """The value of that name; None: it is not held."""
        with self._lock:
            if name not in self._values:
                return None
            self._values.move_to_end(name)
            return self._values[name][0]

    def put(self, name: Hashable, value: Value, size: int) -> None:
        """Hold a value of so many bytes."""
        with self._lock:
            self._values[name] = (value, size)
            self._values.move_to_end(name)
            while len(self._values) > 1 and sum(n for _, n in self._values.values()) > self.most:
                self._values.popitem(last=False)

    def let_go(self) -> None:
        """Hold none of them any longer."""
        with self._lock:
            self._values.clear()

    def _made(
        self, name: Hashable, make: Callable[[], Value], size: Callable[[Value], int]
    ) -> Value:
        value = make()
        self.put(name, value, size(value))
        return value


@dataclass(frozen=True)
class Memory:
    """What a process holds.

    Attributes:
        tables: Rows of versions and snapshots of datasets.
        ranks: How the values of a column of such rows stand among each other.
        orders: Places of the rows of views, in their order.
        logs: Edits of sessions.
        inserted: Rows that sessions insert.
        compared: What merges of change requests would do, and what they would violate.
    """

    tables: SizedCache[HeldTable] = field(default_factory=partial(SizedCache, 512 * MIB))
    ranks: SizedCache[Ranks] = field(default_factory=partial(SizedCache, 128 * MIB))
    orders: SizedCache[np.ndarray] = field(default_factory=partial(SizedCache, 256 * MIB))
    logs: SizedCache[ReadLog] = field(default_factory=partial(SizedCache, 128 * MIB))
    inserted: SizedCache[pa.Table] = field(default_factory=partial(SizedCache, 64 * MIB))
    compared: SizedCache[Compared] = field(default_factory=partial(SizedCache, 64 * MIB))

    def make_room(self) -> None:
        """Let go of all that can be made again, before work that needs much memory itself."""
        for each in fields(self):
            getattr(self, each.name).let_go()
        give_back()


def give_back() -> None:
    """Have memory that was let go given back to the machine."""
    pa.default_memory_pool().release_unused()
