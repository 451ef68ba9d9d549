"""Errors of Lakeshelf: one line each, saying what failed, with which value, and what to do next.

LakeshelfError
├── ConfigurationError   a setting, option or name that cannot be used
│   └── MissingExtra     a library that an extra of the package brings
├── ToolchainError       Java, jars or wheels that do not fit together
├── BrokerError          Kafka that cannot be reached, started or trusted
├── LakeError            a Delta table that cannot be read or written
├── ContractError        a contract that would break its readers
└── StreamError          a streaming query that cannot go on
"""

from __future__ import annotations

import errno
import os
import re

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk that has no room."""
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded")
"""The same in the texts of other programs."""
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
WAYS_OUT = {
    **dict.fromkeys(FULL, "free some space"),
    **dict.fromkeys(FORBIDDEN, "check the permissions, or name another place"),
    errno.EROFS: "it can only be read; name another place",
    errno.ENOENT: "name a place that is there",
    errno.ENOTDIR: "a file stands where a folder should be; name another place",
    errno.EISDIR: "a folder stands where a file should be; name another place",
    errno.EEXIST: "a file stands where a folder should be; name another place",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
}
"""Refusal of the system → what to do."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LakeshelfError(Exception):
    """Base of all errors that are shown to a user as one line.

    Args:
        message: What failed, with which value.
        hint: What to do next, a command where there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigurationError(LakeshelfError):
    """A setting, option or name that cannot be used."""

    exit_code = 2


class MissingExtra(ConfigurationError):  # noqa: N818 - says what is missing
    """A library that an extra of the package brings, and that is not installed."""

    exit_code = 1


class ToolchainError(LakeshelfError):
    """Java, jars or wheels that are missing or do not fit together."""


class BrokerError(LakeshelfError):
    """Kafka that cannot be reached, started or trusted."""


class LakeError(LakeshelfError):
    """A Delta table that cannot be read or written."""


class ContractError(LakeshelfError):
    """A contract that would break its readers."""


class StreamError(LakeshelfError):
    """A streaming query that cannot go on."""


def first_line(error: BaseException) -> str:
    """The first line of a message, without what follows it and the colours of a terminal; else the error's name."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return _COLOUR.sub("", line).strip()


def refused(error: OSError) -> tuple[str, str]:
    """What the system refused, with the place, and what to do; the latter is empty where nobody knows."""
    place = str(error.filename or "")
    hint = WAYS_OUT.get(error.errno or 0, "")
    if place and error.errno in FORBIDDEN:
        hint = _owned_by_another(os.path.abspath(place)) or hint
    reason = error.strerror or first_line(error)
    return f"{place}: {reason}" if place else reason, hint


def _owned_by_another(place: str) -> str:
    """What to do about a place that belongs to another user; empty where it is this one's."""
    while not os.path.exists(place):  # the nearest folder above that is there
        place = os.path.dirname(place)
    owner, user = os.stat(place).st_uid, os.geteuid()
    if owner == user:
        return ""
    return (
        f"{place} belongs to user {owner}, and this process is user {user}: "
        f"run `chown -R {user} {place}` as root, or name another place"
    )
