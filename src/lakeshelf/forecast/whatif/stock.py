"""Units of many shelves, on the shelf and in the back room, first expired, first out."""

from __future__ import annotations

import numpy as np

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints


class Stock:
    """Units numbered in the order in which they came to a shelf's back room.

    All units of a shelf live equally long, so this is the order in which they expire, and are picked and sold. On the
    shelf stand the units between the last that was sold or expired and the last that was picked; in the back room
    those after it. What expires is a beginning of both.

    Args:
        life: Days from receipt to expiry, one a shelf; NaN: it keeps.
        days: Days that are replayed.
        room: Units in the back room at first, received on day 0.
        shelf: Units on the shelf at first, received on day 0.
    """

    def __init__(self, life: Floats, days: int, room: Ints, shelf: Ints) -> None:
        self._lasts = np.isnan(life)
        self._life = np.where(self._lasts, 0, life).astype(np.int64)
        self._shelves = np.arange(len(life))
        self._came = np.zeros((days + 1, len(life)), np.int64)  # row n: before day n
        self._came[1] = room + shelf
        self._day = 0
        self._picked = shelf.copy()
        self._gone = np.zeros_like(shelf)

    @property
    def room(self) -> Ints:
        """Units in the back room."""
        units: Ints = self._came[self._day + 1] - self._picked
        return units

    @property
    def shelf(self) -> Ints:
        """Units on the shelf."""
        return self._picked - self._gone

    @property
    def units(self) -> Ints:
        """Units at both places."""
        units: Ints = self._came[self._day + 1] - self._gone
        return units

    def turn(self, day: int) -> None:
        """Go on to a day."""
        self._came[self._day + 2 : day + 2] = self._came[self._day + 1]
        self._day = day

    def receive(self, units: Ints) -> None:
        """Units come to the back room."""
        self._came[self._day + 1] += units

    def expiring(self, day: int) -> Ints:
        """Units whose expiry date is before a day."""
        row = np.where(self._lasts, 0, np.clip(day - self._life, 0, self._day + 1))
        units: Ints = np.maximum(self._came[row, self._shelves] - self._gone, 0)
        return units

    def expire(self) -> Ints:
        """Units whose expiry date has passed leave; their number."""
        expired = self.expiring(self._day)
        self._gone += expired
        self._picked = np.maximum(self._picked, self._gone)
        return expired

    def pick(self, units: Ints) -> None:
        """So many units, or all that are there, go from the back room to the shelf."""
        self._picked += np.minimum(units, self.room)

    def sell(self, units: Ints) -> Ints:
        """So many units, or all that are there, leave the shelf; their number."""
        sold = np.minimum(units, self.shelf)
        self._gone += sold
        return sold


class Allotted:
    """What `Stock` says, of lots that may lie on a shelf although older ones are in the back room.

    Units that were sold are allotted anew each time, to the lots that expire first
    (docs/design/retail.md#lots). It takes the memory of days times shelves, for each of two places.

    Args:
        life: Days from receipt to expiry, one a shelf; NaN: it keeps.
        days: Days that are replayed.
        room: Units in the back room at first: a row a day of receipt, the last one day 0, a column a shelf.
        shelf: Units on the shelf at first, alike.
    """

    def __init__(self, life: Floats, days: int, room: Ints, shelf: Ints) -> None:
        self._before = len(room) - 1
        later = np.zeros((days, room.shape[1]), np.int64)
        self._room, self._shelf = np.vstack([room, later]), np.vstack([shelf, later])
        self._sold = np.zeros(room.shape[1], np.int64)
        received = np.arange(len(self._room))[:, None] - self._before
        self._expiry = np.where(np.isnan(life), np.inf, received + np.nan_to_num(life))
        self._day = 0

    @property
    def room(self) -> Ints:
        """Units in the back room."""
        return np.asarray(self._room.sum(axis=0))

    @property
    def shelf(self) -> Ints:
        """Units on the shelf."""
        return np.asarray(self._shelf.sum(axis=0) - self._sold)

    @property
    def units(self) -> Ints:
        """Units at both places."""
        return self.room + self.shelf

    def turn(self, day: int) -> None:
        """Go on to a day."""
        self._day = day

    def receive(self, units: Ints) -> None:
        """Units come to the back room."""
        self._room[self._before + self._day] += units

    def expiring(self, day: int) -> Ints:
        """Units whose expiry date is before a day."""
        every = self._room + self._left()
        return np.asarray(np.where(self._expiry < day, every, 0).sum(axis=0))

    def expire(self) -> Ints:
        """Units whose expiry date has passed leave; their number."""
        expired, old = self.expiring(self._day), self._expiry < self._day
        self._shelf -= np.where(old, self._left(), 0)
        self._room[old] = 0
        return expired

    def pick(self, units: Ints) -> None:
        """So many units, or all that are there, go from the back room to the shelf, the oldest first."""
        picked = _oldest(self._room, units)
        self._room -= picked
        self._shelf += picked

    def sell(self, units: Ints) -> Ints:
        """So many units, or all that are there, leave the shelf; their number. Below 0 they come back."""
        sold = np.minimum(units, self.shelf)
        self._sold += sold
        return sold

    def _left(self) -> Ints:
        """Units of each lot on the shelf."""
        return self._shelf - _oldest(self._shelf, self._sold)


def _oldest(lots: Ints, units: Ints) -> Ints:
    """So many units of lots, the oldest first."""
    before = lots.cumsum(axis=0) - lots
    return np.asarray(np.clip(units - before, 0, lots))
