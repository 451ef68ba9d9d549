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

import re

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
