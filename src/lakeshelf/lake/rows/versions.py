"""When a table was at which version, from what its commits recorded of themselves.

delta-rs goes by the times of the log's files, so that a plain copy of a table has another version at the same
instant. A time becomes a version here, once, and every engine is given that version.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakeshelf.errors import LakeError, first_line
from lakeshelf.lake.place.errors import TimeOutOfRange, VersionNotFound, explained


def require_limit(limit: object) -> None:
    """Raise `LakeError` for what is no number of versions."""
    if limit is not None and (type(limit) is not int or not 0 <= limit < 2**63):
        raise LakeError(
            f"{limit!r} is no number of versions",
            hint="give a whole number from 0 to 2**63 - 1, or None for all",
        )


@dataclass(frozen=True)
class Timeline:
    """Versions of a table in order, and when each was committed.

    Attributes:
        name: The dataset.
        versions: Versions that the log still tells of, ascending.
        times: When each was committed, UTC: the running maximum of the recorded times.
    """

    name: str
    versions: tuple[int, ...]
    times: tuple[datetime, ...]

    @classmethod
    def of(cls, name: str, handle: DeltaTable) -> Timeline:
        """The timeline of a table up to the version of its handle."""
        with explained(f"the history of {name} cannot be read"):
            entries = sorted(handle.history(), key=_version)
        times: list[datetime] = []
        for entry in entries:
            recorded = _recorded(entry)
            times.append(max(recorded, times[-1]) if times else recorded)
        return cls(name, tuple(_version(entry) for entry in entries), tuple(times))

    def at(self, instant: datetime, now: datetime) -> int:
        """The version that was the latest at an instant.

        Raises:
            TimeOutOfRange: It has no zone, lies in the future, or before the first commit that is known.
        """
        if instant.tzinfo is None:
            raise TimeOutOfRange(f"{instant} has no zone", hint="give the time with a zone")
        if instant > now:
            raise TimeOutOfRange(
                f"{self.name} at {instant.isoformat()} lies in the future",
                hint=f"it is {now.astimezone(UTC).isoformat(timespec='seconds')}",
            )
        place = bisect_right(self.times, instant)
        if place == 0:
            first = self.times[0].isoformat() if self.times else "unknown"
            raise TimeOutOfRange(
                f"{self.name} at {instant.isoformat()} lies before its history",
                hint=f"that begins with version {self.versions[0] if self.versions else '?'} at {first}",
            )
        return self.versions[place - 1]


def require_moment(at: object, name: str) -> None:
    """Refuse what is no version, time or run, before anything is looked up.

    Raises:
        TimeOutOfRange: A day, or a time as text.
        VersionNotFound: Neither a number nor the name of a run.
    """
    if (isinstance(at, date) and not isinstance(at, datetime)) or _is_time(at):
        raise TimeOutOfRange(
            f"{name} at {at!r}: that is no instant",
            hint="times are datetimes with their zone, as datetime(2026, 5, 1, 6, tzinfo=UTC)",
        )
    if at is not None and (isinstance(at, bool) or not isinstance(at, int | str | datetime)):
        raise VersionNotFound(
            f"{name} has no version {at!r} ({type(at).__name__})",
            hint="give a number, a time with its zone, or the name of a run",
        )


def _is_time(at: object) -> bool:
    if not isinstance(at, str):
        return False
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return False
    return True


def opened_at(uri: str, version: int, latest: DeltaTable, name: str) -> DeltaTable:
    """A table at a version.

    Raises:
        VersionNotFound: It has no such version, or the log does not reach back to it.
    """
    if isinstance(version, bool) or version < 0 or version > latest.version():
        raise VersionNotFound(
            f"{name} has no version {version}", hint=f"its latest is {latest.version()}"
        )
    if version == latest.version():
        return latest
    try:
        return DeltaTable(uri, version=version, storage_options=latest._storage_options)  # noqa: SLF001
    except DeltaError as error:
        raise VersionNotFound(
            f"{name} has no version {version} any more: {first_line(error)}",
            hint="`lakeshelf lake history` lists those that its log still tells of",
        ) from error


def committed_at(handle: DeltaTable) -> datetime | None:
    """When the version of a handle was committed; None: its log no longer tells, or never did."""
    entry = next(iter(handle.history(1)), {})
    is_told = bool(entry.get("inCommitTimestamp") or entry.get("timestamp"))
    return _recorded(entry) if is_told else None


def _version(entry: dict[str, Any]) -> int:
    return int(entry["version"])


def _recorded(entry: dict[str, Any]) -> datetime:
    milliseconds = entry.get("inCommitTimestamp") or entry.get("timestamp") or 0
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))
