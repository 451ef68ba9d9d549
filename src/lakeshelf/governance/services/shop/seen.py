"""Pages of rows, and refusals of what the functions of the commands do not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lakeshelf.errors import ConfigurationError, MissingExtra
from lakeshelf.governance.errors import refused

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ListPage:
    """Some rows of those that were asked for, and how many there are in all."""

    rows: Sequence[Row]
    total: int


@contextmanager
def refusing(code: str, hint: str = "") -> Iterator[None]:
    """Refuse what a function of the commands does not know.

    Raises:
        GovernanceError: With the code.
        MissingExtra: It is no fault of who asked.
    """
    try:
        yield
    except MissingExtra:
        raise
    except ConfigurationError as error:
        raise refused(code, error.message, hint=hint or error.hint) from error
